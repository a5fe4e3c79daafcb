"""The peers of the ledger. Without them nothing here means anything: it fails."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.interop.ledger.peers import PYTHON, Peer, Witness
from tests.support.tlog_world import LOG, ORIGIN


@pytest.fixture(scope="session")
def peer() -> Iterator[Peer]:
    """The verifier, running."""
    if not PYTHON.exists():
        pytest.fail("the peers are not installed: run `make peers`", pytrace=False)
    running = Peer()
    yield running
    running.close()


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    """A witness that follows our log, running."""
    if not PYTHON.exists():
        pytest.fail("the peers are not installed: run `make peers`", pytrace=False)
    running = Witness(tmp_path, "witness.example/theirs")
    running.trust(ORIGIN, str(LOG.vkey))
    running.start()
    yield running
    running.stop()
