"""Devices of a small directory replay its log: what holds, what does not, and what proves it."""

from dataclasses import replace

import pytest

from blackthorn.device.core import anchors
from blackthorn.device.transparency import limits as transparency_limits
from blackthorn.device.transparency.evidence import proves
from blackthorn.device.transparency.replay import replayed
from blackthorn.directory.audit import Replay
from blackthorn.link import frames as f
from blackthorn.simulation.ledger import DELAY_MS
from tests.support.device_world import World

HOUR = 3600


def result(person):
    with person.unit() as unit:
        return replayed(unit.records)


def hours(world, count, step=0.5):
    """Time passes, with its heartbeats, and everybody comes back."""
    for _ in range(int(count / step)):
        world.later(step * HOUR)
        world.settle()
    for person in world.people:
        person.connect()
    world.settle()


def asked(world):
    """The FetchEntries that reach the server from now on."""
    seen = []
    serve = world.dispatcher._handlers[f.FetchEntries]

    def spy(session, frame, now):
        seen.append(frame)
        serve(session, frame, now)

    world.dispatcher._handlers[f.FetchEntries] = spy
    return seen


def give(world, change):
    """Let the server change the entries that it gives; `change(index, entry)`."""
    lookups = world.desk._lookups
    entries = lookups.entries

    def changed(start, count, done):
        def false(found):
            given = [change(start + at, entry) for at, entry in enumerate(found.entries)]
            done(replace(found, entries=given))

        entries(start, count, false)

    lookups.entries = changed


# --- What holds ---------------------------------------------------------------------------


def test_a_device_replays_the_log_by_itself_once_an_hour_and_only_what_is_new():
    world = World(700, "alice", "bob")
    alice, _ = world.people
    size = world.ledger.ledger.published.size
    assert result(alice).size == size and not result(alice).finding
    questions = asked(world)
    alice.connect()
    world.settle()
    assert not questions, "within the hour nothing is replayed again"
    hours(world, 1.5)
    assert [each.start for each in questions] == [size, size], "one of each device"
    assert result(alice).size > size and not alice.alarms()


@pytest.mark.parametrize("at_once", [1, 2, 3, 7])
def test_a_replay_goes_on_where_it_was_interrupted(monkeypatch, at_once):
    world = World(701, "alice")
    (alice,) = world.people
    hours(world, 3)
    monkeypatch.setattr("blackthorn.link.limits.MAX_ENTRIES_PER_FRAME", at_once)
    alice.device.replayer.wanted = True
    for _ in range(200):
        alice.connect()
        for _ in range(12):
            world.step_wire(alice.wire, to_server=True)
            world.step_wire(alice.wire, to_server=False)
        if not alice.device.replayer.busy:
            break
        alice.restart()
        alice.device.replayer.wanted = True
    assert result(alice).size == world.ledger.ledger.published.size
    assert not result(alice).finding and not alice.alarms()


def test_a_large_directory_is_replayed_only_when_its_person_asks(monkeypatch):
    monkeypatch.setattr(transparency_limits, "MAX_REPLAY_USERS", 1)
    world = World(702, "alice", "bob")
    alice, bob = world.people
    assert result(alice) is None
    alice.device.replayer.wanted = True
    alice.tick()
    world.settle()
    assert result(alice).size == world.ledger.ledger.published.size
    assert result(bob) is None and alice.device.replayer.busy is False


# --- What does not ------------------------------------------------------------------------


def test_entries_that_do_not_make_the_checkpoint_are_an_alarm_with_evidence():
    world = World(703, "alice", "bob")
    alice, bob = world.people
    last = world.ledger.ledger.published.size

    def other(index, entry):
        return entry[:9] + bytes([entry[9] ^ 1]) + entry[10:] if index == last else entry

    give(world, other)
    hours(world, 2)
    for person in world.people:
        assert person.alarms() == ["bad-log"]
        (alarm,) = person.open_alarms()
        assert "gave other entries for it" in proves(alarm.evidence)
    number = alice.write(bob, "nothing goes out")
    world.settle()
    assert not alice.outcomes[number].final and alice.waiting() == 1


def test_a_map_that_is_not_what_the_log_says_is_found_though_witnesses_cosigned_it():
    """Attack 11: the log and all lookups agree, and the map has somebody whom no entry has."""
    world = World(704, "alice", "bob")
    alice, _ = world.people
    epochs = world.ledger.ledger._epochs
    epochs._tip = _with_ghost(epochs._tip)
    world.later(700)
    world.settle()
    replay = Replay()
    published = world.ledger.ledger.published
    with pytest.raises(Exception, match=r"\[D2[89]\]"):
        for entry in world.ledger.store.entries(0, published.size, 2**40):
            replay.feed(entry)
    hours(world, 2)
    (alarm,) = alice.open_alarms()
    assert alarm.code == "bad-log"
    assert "that break a rule" in proves(alarm.evidence)


def _with_ghost(tip):
    """The newest state of the epochs with one more leaf in the map."""
    from dataclasses import replace

    return replace(tip, tree=tip.tree.updated({b"\x55" * 32: b"\x66" * 32}))


def test_a_server_that_gives_no_entries_withholds_them():
    world = World(705, "alice")
    (alice,) = world.people
    world.ledger.ledger.entries = lambda start, count, done: done([])
    hours(world, 2)
    assert alice.alarms() == ["withheld"]
    assert "gives no entries" in result(alice).finding


def test_what_was_kept_is_no_more_than_a_file_of_evidence_can_hold(monkeypatch):
    world = World(706, "alice")
    (alice,) = world.people
    monkeypatch.setattr(transparency_limits, "MAX_KEPT_LOG_BYTES", 2_000)
    hours(world, 2)
    with alice.unit() as unit:
        assert unit.records.directory.entries() == []
    give(world, lambda index, entry: b"\x07" + entry[1:])
    hours(world, 2)
    (alarm,) = alice.open_alarms()
    assert alarm.code == "bad-log" and not alarm.evidence


# --- New terms ----------------------------------------------------------------------------


def change_terms(world, **terms):
    """The administrator changes settings, and starts the server anew."""
    world.ledger.config = world.ledger.make_config(**terms)
    world.crash(committed=True)
    for person in world.people:
        person.connect()
    world.later(700)
    world.settle()


def pinned(person):
    with person.unit() as unit:
        return anchors.pinned(unit.records.settings).config


def test_a_configuration_that_may_follow_is_learned_from_the_log_and_nobody_is_alarmed():
    world = World(707, "alice", "bob")
    alice, bob = world.people
    change_terms(world, epoch_ms=5_000, reset_delay_ms=2 * DELAY_MS)
    hours(world, 1)
    for person in world.people:
        assert pinned(person) == world.ledger.config and not person.alarms()
    alice.write(bob, "we have met under the new terms")
    world.settle()
    world.check_received(bob, ["we have met under the new terms"])
    hours(world, 2)
    assert not alice.alarms() and not result(alice).finding


def test_a_configuration_that_may_not_follow_is_an_alarm_and_is_not_pinned():
    """The server's own rule is off; the witnesses obey, since they see no entries."""
    world = World(708, "alice")
    (alice,) = world.people
    before = pinned(alice)
    world.ledger.ledger._epochs._config = world.ledger.make_config(0, reset_delay_ms=1)
    world.later(700)
    world.settle()
    alice.connect()
    world.settle()
    assert alice.alarms() == ["config-changed"] and pinned(alice) == before
    (alarm,) = alice.open_alarms()
    assert "[D31]" in alarm.text and proves(alarm.evidence)
    questions = asked(world)
    alice.connect()
    world.settle()
    assert not questions, "what is known to be false is not looked into again"


def test_a_configuration_is_an_alarm_at_once_where_the_log_is_too_large(monkeypatch):
    monkeypatch.setattr(transparency_limits, "MAX_REPLAY_USERS", 0)
    world = World(709, "alice")
    (alice,) = world.people
    change_terms(world, epoch_ms=5_000)
    alice.connect()
    world.settle()
    assert alice.alarms() == ["config-changed"]
