"""The pairs that meet: ours and a peer, on every suite that both have, either one founding."""

import itertools
import shutil
from collections.abc import Callable, Iterator

import pytest

from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES128, SUITE_XWING_AES256
from tests.interop.drivers import PEERS, PEERS_PYTHON, Driver, Person

MEETINGS = [
    ("mls-rs", SUITE_1),
    ("ts-mls", SUITE_1),
    ("ts-mls", SUITE_XWING_AES256),
    ("ts-mls", SUITE_XWING_AES128),
]
OURS = "blackthorn"

MakePerson = Callable[[str], Person]


@pytest.fixture(scope="session")
def drivers() -> Iterator[dict[str, Driver]]:
    """All implementations, running. Without the peers nothing here means anything: it fails."""
    present = PEERS_PYTHON.exists() and (PEERS / "node_modules/ts-mls").exists()
    if not present or shutil.which("node") is None:
        pytest.fail("the peers are not installed: run `make peers`", pytrace=False)
    running = {name: Driver(name) for name in (OURS, "mls-rs", "ts-mls")}
    yield running
    for driver in running.values():
        driver.close()


_numbers = itertools.count()


def _maker(driver: Driver, suite: int, **options: object) -> MakePerson:
    return lambda name: Person(driver, f"{name}-{next(_numbers)}", suite, **options)


def meeting_id(meeting: tuple[str, int]) -> str:
    """`ts-mls-0xf04e`."""
    return f"{meeting[0]}-{meeting[1]:#06x}"


@pytest.fixture(params=MEETINGS, ids=meeting_id)
def meeting(request: pytest.FixtureRequest, drivers: dict[str, Driver]) -> tuple[str, int]:
    """A peer and a suite."""
    chosen: tuple[str, int] = request.param
    return chosen


@pytest.fixture
def ours(meeting: tuple[str, int], drivers: dict[str, Driver]) -> MakePerson:
    """Makes people of ours as they are by default."""
    return _maker(drivers[OURS], meeting[1])


@pytest.fixture
def closed(meeting: tuple[str, int], drivers: dict[str, Driver]) -> MakePerson:
    """Makes people of ours who accept handshakes of members in private only."""
    return _maker(drivers[OURS], meeting[1], public_handshakes=False)


@pytest.fixture
def theirs(meeting: tuple[str, int], drivers: dict[str, Driver]) -> MakePerson:
    """Makes people of the peer's."""
    return _maker(drivers[meeting[0]], meeting[1])


@pytest.fixture(params=["ours-first", "theirs-first"])
def both(
    request: pytest.FixtureRequest, ours: MakePerson, theirs: MakePerson
) -> tuple[MakePerson, MakePerson]:
    """Ours and theirs, or theirs and ours: a scenario runs in both directions."""
    return (ours, theirs) if request.param == "ours-first" else (theirs, ours)


only_mls_rs = pytest.mark.parametrize("meeting", MEETINGS[:1], indirect=True, ids=meeting_id)
only_ts_mls = pytest.mark.parametrize("meeting", MEETINGS[1:], indirect=True, ids=meeting_id)
"""For what the binding of mls-rs does not have."""
