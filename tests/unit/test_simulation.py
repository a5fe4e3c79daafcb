"""The simulator's own parts: schedules from seeds, and the reduction of failing ones."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace

import pytest
from typer.testing import CliRunner

from blackthorn.cli.main import app
from blackthorn.cli.simulate import as_document, failure_of
from blackthorn.simulation import lifetimes, traffic
from blackthorn.simulation.invariants import Violation
from blackthorn.simulation.schedule import Event, Schedule
from blackthorn.simulation.shrinking import shrink
from blackthorn.simulation.simulate import Outcome


def test_a_seed_decides_its_schedule() -> None:
    assert traffic.schedule(5, 30) == traffic.schedule(5, 30) != traffic.schedule(6, 30)


def test_a_schedule_has_the_traffic_that_was_promised() -> None:
    drawn = [traffic.schedule(seed, 40) for seed in range(1, 10)]
    people = sum(len(schedule.users) for schedule in drawn)
    texts = sum(event.what in ("text", "group-text") for made in drawn for event in made.events)
    changes = sum(event.what in ("add", "remove") for made in drawn for event in made.events)
    assert 1.8 < texts / people / 40 < 2.2
    assert 0.07 < changes / people / 40 < 0.13
    assert all(3 <= len(schedule.users) <= 8 for schedule in drawn)
    assert len(traffic.schedule(10, 1).users) == 30


def test_events_are_in_order_and_every_absence_ends() -> None:
    schedule = traffic.schedule(3, 60)
    assert [event.at for event in schedule.events] == sorted(event.at for event in schedule.events)
    for begins, ends in (("leave", "connect"), ("hold", "release")):
        assert all(
            any(later.who == event.who and later.what == ends for later in schedule.events[at:])
            for at, event in enumerate(schedule.events)
            if event.what == begins
        )


def test_a_folder_is_put_back_once_for_each_device_and_after_it_was_copied() -> None:
    events = traffic.schedule(4, 1_000).events
    restored = [(event.who, event.at) for event in events if event.what == "restore"]
    copied = {event.who: event.at for event in events if event.what == "keep"}
    assert restored and len(restored) == len(dict(restored)) <= len(copied)
    assert all(copied[who] < at for who, at in restored)


def test_a_schedule_shrinks_to_the_events_that_matter() -> None:
    events = tuple(Event(at, "alice.1", "restart", (at,)) for at in range(100))
    tried = []

    def fails(shorter: Schedule) -> bool:
        tried.append(shorter)
        return {17, 60} <= {event.at for event in shorter.events}

    found = shrink(Schedule(1, ("alice",), events), fails)
    assert [event.at for event in found.events] == [17, 60]
    assert len(tried) < 100


def test_a_reduction_stops_with_what_it_has() -> None:
    events = tuple(Event(at, "alice.1", "restart") for at in range(64))
    found = shrink(
        Schedule(1, ("alice",), events), lambda shorter: len(shorter.events) > 10, work=1
    )
    assert 10 < len(found.events) < 64


def test_an_event_reads_as_a_line() -> None:
    event = Event(86_400 * 3 + 3_661, "bob.2", "add", ("group 1", "carol"))
    assert str(event) == "day   3 01:01:01 bob.2 add group 1 carol"


def failing() -> Outcome:
    """The outcome of a schedule that violates an invariant."""
    events = (Event(60, "alice.1", "restart"), Event(90, "bob.1", "text", ("alice",)))
    outcome = Outcome(Schedule(3, ("alice", "bob"), events), texts=5, accepted=4, deliveries=4)
    outcome.device_days, outcome.cpu_seconds = 2.0, 0.5
    outcome.violations = [Violation("unread", "alice.1 never read: 'text 0 of bob.1' to alice")]
    return outcome


def test_a_violation_prints_its_seed_and_its_schedule() -> None:
    assert failure_of(failing()).splitlines() == [
        "seed 3: 1 violations; shortened, it is",
        "    day   0 00:01:00 alice.1 restart",
        "    day   0 00:01:30 bob.1 text alice",
        "and shows",
        "    unread: alice.1 never read: 'text 0 of bob.1' to alice",
    ]


def test_the_document_of_a_seed() -> None:
    document = as_document(failing())
    assert document["seed"] == 3
    assert document["violations"] == [
        {"invariant": "unread", "text": "alice.1 never read: 'text 0 of bob.1' to alice"}
    ]
    assert document["schedule"] == [str(event) for event in failing().schedule.events]
    assert {"users", "device_days", "texts", "accepted", "deliveries"} < set(document)


@contextmanager
def this_process(count: int) -> Iterator[SimpleNamespace]:
    """Seeds run here, where `simulate` is replaced."""
    yield SimpleNamespace(imap_unordered=map)


def test_a_failing_seed_is_shortened_and_ends_the_command_with_1(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The first two seeds are quiet, the third one breaks when its crash is among the events."""

    def simulated(schedule: Schedule) -> Outcome:
        broken = schedule.seed == 5 and any(event.what == "crash" for event in schedule.events)
        found = [Violation("apart", "group 0")] if broken else []
        return Outcome(schedule, found, 1, 1, 1, 1.0, 0.1)

    monkeypatch.setattr("blackthorn.simulation.simulate.simulate", simulated)
    monkeypatch.setattr("blackthorn.cli.simulate.processes", this_process)
    run = CliRunner().invoke(
        app, ["simulate", "--seeds", "3", "--days", "60", "--seed", "3", "--jobs", "1", "--json"]
    )
    assert run.exit_code == 1
    lived = json.loads(run.stdout)
    assert [each["seed"] for each in lived] == [3, 4, 5]
    assert [len(each["violations"]) for each in lived] == [0, 0, 1]
    (left,) = lived[2]["schedule"]
    assert " crash " in left
    assert "seed 5: 1 violations; shortened, it is" in run.stderr
    assert "seeds that violate an invariant: 5" in run.stderr


def test_what_was_run_before_an_interruption_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    def simulated(schedule: Schedule) -> Outcome:
        if schedule.seed == 3:
            raise KeyboardInterrupt
        return Outcome(schedule, [], 1, 1, 1, 1.0, 0.1)

    monkeypatch.setattr("blackthorn.simulation.simulate.simulate", simulated)
    monkeypatch.setattr("blackthorn.cli.simulate.processes", this_process)
    run = CliRunner().invoke(
        app, ["simulate", "--seeds", "3", "--days", "1", "--jobs", "1", "--json"]
    )
    assert run.exit_code != 0
    assert [each["seed"] for each in json.loads(run.stdout)] == [1, 2]


def test_a_quiet_run_prints_a_table_and_ends_with_0(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "blackthorn.simulation.simulate.simulate",
        lambda schedule: Outcome(schedule, [], 7, 6, 5, 100.0, 0.5),
    )
    monkeypatch.setattr("blackthorn.cli.simulate.processes", this_process)
    run = CliRunner().invoke(app, ["simulate", "--seeds", "2", "--days", "1", "--jobs", "1"])
    assert run.exit_code == 0
    assert "200 device-days for each CPU second" in run.stdout


def test_processes_share_the_seeds_and_keep_their_order() -> None:
    run = CliRunner().invoke(
        app, ["simulate", "--seeds", "2", "--days", "1", "--jobs", "2", "--json"]
    )
    assert run.exit_code == 0, run.stderr
    assert [each["seed"] for each in json.loads(run.stdout)] == [1, 2]


def test_people_use_only_devices_that_they_have() -> None:
    """Devices come and go, and everybody always has one."""
    kinds = {"link", "revoke", "lose", "recover", "reset", "steal"}
    seen: set[str] = set()
    for seed in range(1, 10):
        have: dict[str, set[str]] = {}
        for event in traffic.schedule(seed, 200).events:
            user = event.who.partition(".")[0]
            mine = have.setdefault(user, {f"{user}.1"})
            seen.add(event.what)
            if event.what in ("text", "group-text", "add", "remove", "link", "revoke"):
                assert event.who in mine, event
            match event.what, event.args:
                case "link", (str(other),):
                    mine.add(other)
                    assert len(mine) <= lifetimes.MAX_LIVE
                case "recover" | "reset", (str(other),):
                    mine.clear()
                    mine.add(other)
                case "revoke", (str(other),):
                    mine.discard(other)
                case "lose", _:
                    mine.discard(event.who)
    assert kinds <= seen
