"""Readiness: read-only, not ready over a database that lacks the ledger; two floors of the disk."""

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blackthorn.edges.http import operations
from blackthorn.errors import DiskError
from blackthorn.ids import Address
from blackthorn.ports.ledger import Checkpoint, ReadCheckpoints
from blackthorn.programs.server import health as module
from blackthorn.programs.server.health import Health
from blackthorn.programs.server.wiring import Server
from blackthorn.server.counters import Counters
from blackthorn.server.mail.recipient_policy import RecipientRefusedError, Refusal
from blackthorn.server.mail.service import MailService
from blackthorn.wire.units import MIB


class Store:
    """A reader that answers with checkpoints, or with an error, or not at all."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def ask(self, query: object, done: Any) -> None:
        assert query == ReadCheckpoints()
        if self.answer is not None:
            done(self.answer)


class Writer:
    """Nothing is submitted to it."""

    waiting = 0
    log_age = 1.0

    def __init__(self, problem: str = "") -> None:
        self.told = problem

    def problem(self, seconds: float) -> str:
        return self.told


def health(answer: Any, published: int | None = 7, writer: Any = None) -> Health:
    newest = None if published is None else SimpleNamespace(size=published)
    missing = ["the ledger has published nothing yet"] * (published is None)
    ledger = SimpleNamespace(
        ledger=SimpleNamespace(published=newest), problems=lambda: missing, gauges=dict
    )
    parts: Any = {
        "folder": SimpleNamespace(path=Path("/")),
        "writer": writer or Writer(),
        "reader": Store(answer),
        "ledger": ledger,
        "certificate": SimpleNamespace(seconds_left=lambda: 1e6, warnings=list),
        "recipient_policy": SimpleNamespace(recipient=lambda address, done: done(object())),
    }
    return Health(**parts, counters=Counters(), floor_mib=10, mail_floor_mib=20, parts=())


def problems(of: Health) -> list[str]:
    return asyncio.run(of.operations().problems())  # type: ignore[arg-type]


@pytest.fixture(autouse=True)
def free(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The free disk, which a test sets."""
    usage = SimpleNamespace(free=100 * MIB)
    monkeypatch.setattr(module.shutil, "disk_usage", lambda path: usage)
    return usage


def stored(size: int, *, published: bool = True) -> list[Checkpoint]:
    return [Checkpoint(size, bytes(32), b"", published)]


def test_a_store_that_holds_what_is_published_is_ready() -> None:
    assert problems(health(stored(7))) == []
    assert problems(health(stored(9))) == [], "the store is ahead of what was published"


@pytest.mark.parametrize("answer", [[], stored(3), stored(9, published=False)])
def test_a_store_without_what_is_published_is_not_ready(answer: list[Checkpoint]) -> None:
    (problem,) = problems(health(answer))
    assert "the database lacks what the ledger has published" in problem


def test_a_new_database_is_not_ready_before_its_first_epoch() -> None:
    assert problems(health([], published=None)) == ["the ledger has published nothing yet"]


def test_a_store_that_fails_or_hangs_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    assert problems(health(DiskError("the disk failed"))) == ["the disk failed"]
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.01)
    assert problems(health(None)) == ["the database has answered nothing for 0.01 seconds"]
    failing = Writer("the database has committed nothing for 5 seconds")
    assert problems(health(stored(7), writer=failing)) == [failing.told]


def test_a_store_that_hangs_delays_no_answer_for_the_warnings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The postmaster is looked up in the store too."""
    monkeypatch.setattr(module, "PROBE_SECONDS", 0.01)
    hanging = health(None)
    hanging.recipient_policy = SimpleNamespace(recipient=lambda address, done: None)  # type: ignore[assignment]

    async def asked() -> Any:
        async with asyncio.timeout(5):
            return await operations._answer(hanging.operations(), b"GET /readyz HTTP/1.1\r\n\r\n")

    _, (status, _, body) = asyncio.run(asked())
    assert status == 503 and b"the database has answered nothing" in body


def test_mail_stops_before_messages(free: SimpleNamespace) -> None:
    told: list[bool] = []
    mail: Any = MailService(
        pieces=SimpleNamespace(),  # type: ignore[arg-type]
        reader=SimpleNamespace(),  # type: ignore[arg-type]
        clock=SimpleNamespace(),  # type: ignore[arg-type]
        counters=Counters(),
        arrived=lambda address, uid: None,
        quota=SimpleNamespace(),  # type: ignore[arg-type]
    )
    answers = health(stored(7))
    server: Any = SimpleNamespace(
        health=answers, dispatcher=SimpleNamespace(disk_is_short=told.append), mail_service=mail
    )

    def look(mib: int) -> tuple[bool, bool, list[str], list[str]]:
        free.free = mib * MIB
        Server.watch_disk(server)
        warnings = asyncio.run(answers.operations().warnings())  # type: ignore[arg-type]
        return not told[-1], mail.has_room(1), problems(answers), warnings

    deferred = "mail is deferred: less than 20 MiB are free"
    short = "less than 10 MiB of disk are free"
    assert look(21) == (True, True, [], [])
    assert look(19) == (True, False, [], [deferred])
    assert look(9) == (False, False, [short], [deferred])
    assert look(21) == (True, True, [], [])


def test_a_disk_that_cannot_be_measured_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(path: object) -> None:
        raise OSError(5, "Input/output error", "alice@acme.example")

    monkeypatch.setattr(module.shutil, "disk_usage", failing)
    (problem,) = problems(health(stored(7)))
    assert "the free disk cannot be measured" in problem and Address("alice") not in problem
    with pytest.raises(DiskError):
        health(stored(7)).mail_room()


@pytest.mark.parametrize(
    ("named", "advice"), [("ann@acme.example", "activate a device"), ("", "restart the server")]
)
def test_a_named_postmaster_is_told_from_none(named: str, advice: str) -> None:
    refused = RecipientRefusedError(Refusal.NO_POSTMASTER, "not yet")
    policy: Any = SimpleNamespace(recipient=lambda address, done: done(refused), postmaster=named)
    (warning,) = asyncio.run(module.postmaster_warnings(policy))
    assert warning.endswith(advice)


def test_a_reader_that_keeps_the_write_ahead_log_for_a_minute_is_warned_of() -> None:
    writer = Writer()
    asked = health(stored(7), writer=writer)
    writer.log_age = module.LOG_SECONDS - 1
    assert asyncio.run(asked.operations().warnings()) == []  # type: ignore[arg-type]
    writer.log_age = module.LOG_SECONDS + 1
    (warning,) = asyncio.run(asked.operations().warnings())  # type: ignore[arg-type]
    assert "the write-ahead log" in warning and "61 seconds" in warning
    assert problems(asked) == [], "it works on"


def test_what_outbound_mail_warns_of_is_told() -> None:
    asked = health(stored(7))
    asked.mail_warnings = lambda: ["a key is damaged"]
    assert asyncio.run(asked.operations().warnings()) == ["a key is damaged"]  # type: ignore[arg-type]
