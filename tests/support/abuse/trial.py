"""Run one attack, and hold what must hold. How strictly times are bounded, `Strictness` says."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import uvloop

from tests.support.abuse import results
from tests.support.abuse.every import ABUSES
from tests.support.abuse.ground import Ground, Noticed
from tests.support.abuse.table import Abuse

ALONE = os.environ.get("BLACKTHORN_ABUSE_ALONE") == "1"
"""Nothing else runs on this machine: `make abuse`."""

SECONDS = 4.0 if ALONE else 0.6
SLACK = 1 if ALONE else 20
MAX_P99_MS = 25 * SLACK
MAX_HEALTH_MS = 100 * SLACK
MAX_MAIL_MS = 1_000 * SLACK
MAX_MEMORY_MIB = 400


class Trial:
    """One server under one attack after another."""

    def __init__(self, ground: Ground, runner: asyncio.Runner) -> None:
        self._ground = ground
        self._runner = runner
        self._rest = self._runner.run(ground.notice(SECONDS))

    def run(self, abuse: Abuse) -> Noticed:
        """The attack; raises AssertionError for what must not happen."""
        under = self._runner.run(self._ground.notice(SECONDS, abuse))
        results.FOUND.append((abuse.name, self._rest, under))
        assert under.lost == 0
        assert under.unsent == 0
        assert under.p99_ms < MAX_P99_MS
        assert under.health_ms < MAX_HEALTH_MS
        assert under.mail_ms < MAX_MAIL_MS
        assert under.memory_mib < MAX_MEMORY_MIB
        assert under.disk_mib < abuse.disk_mib
        if ALONE:
            _check_told(abuse, under)
        return under


def _check_told(abuse: Abuse, under: Noticed) -> None:
    """Only an attack of some seconds comes to the bounds of which the attacker is told."""
    assert not abuse.told or any(word in under.told for word in abuse.told), under.told
    counted = [f"{name}_total" in under.rose for name in abuse.counter]
    assert not counted or any(counted), under.rose


@contextmanager
def trials(folder: Path) -> Iterator[Trial]:
    """A server with honest people on it. Alone, it has a processor of its own if there are two."""
    ground = Ground(folder)
    with ground.serving(), asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        if ALONE:
            _pin(ground.server.pid)
        runner.run(ground.connect_honest())
        yield Trial(ground, runner)
        runner.run(ground.close_honest())


def _pin(server: int) -> None:
    processors = sorted(os.sched_getaffinity(0))
    if len(processors) > 1:
        os.sched_setaffinity(server, processors[1:2])
        os.sched_setaffinity(0, processors[:1])


def of(who: str) -> list[pytest.param]:  # type: ignore[valid-type]
    """The attacks of this kind of attacker, as parameters with their names."""
    return [pytest.param(each, id=each.name) for each in ABUSES if each.who == who]
