"""Devices that the server leaves out of an accepted posting: told, kept for, and tried again."""

import pytest

from blackthorn.device.core.failures import all_failures
from blackthorn.device.healing import lacking
from blackthorn.device.healing.states import State
from blackthorn.device.operations import limits
from blackthorn.device.operations.redeliver import Redeliver
from blackthorn.device.operations.table import operation_of
from blackthorn.link import frames as f
from blackthorn.ports.device_store import OutcomeRecord
from tests.support.device_world import World
from tests.support.mailbox_limits import limit_mailboxes

FULL = "their mailbox is full; sent again by itself"


@pytest.fixture
def full(monkeypatch: pytest.MonkeyPatch) -> World:
    """Alice has a group with Bob, who is on line, and Carol, whose mailbox is full."""
    world = World(4101, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    alice.write(carol, "hello")
    world.settle()
    world.cut(carol.wire)
    world.away.add(carol.address)
    bob.write(carol, "fills it")
    world.settle()
    limit_mailboxes(monkeypatch, len(world.stored(carol)))
    return world


def line(person, text):
    return next(one for one in person.history() if one.text == text)


def redeliveries(person):
    with person.vault.transaction() as records:
        found = [operation_of(row) for row in records.outbox.all()]
    return [one for one in found if isinstance(one, Redeliver)]


def failures(person):
    with person.vault.transaction() as records:
        return [f"{one.what} {one.name}: {one.reason}" for one in all_failures(records.settings)]


def make_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    world.people[2].connect()
    world.settle()


def test_a_text_is_kept_for_a_full_mailbox_told_and_sent_again_by_the_same_bytes(full, monkeypatch):
    alice, bob, carol = full.people
    number = alice.write_group("team", "to all")
    full.settle()
    assert bob.received() == ["to all"]
    sent = line(alice, "to all")
    assert (sent.standing, sent.why) == (
        "accepted",
        f"not kept for {carol.address}'s device: {FULL}",
    )
    assert alice.outcomes[number].error == "" and alice.outcomes[number].note == sent.why
    (kept,) = redeliveries(alice)
    make_room(full, monkeypatch)
    full.later(limits.REDELIVERY_SECONDS)
    full.settle()
    assert carol.received().count("to all") == 1
    assert not redeliveries(alice) and line(alice, "to all").why == ""
    assert alice.outcomes[number].note == ""
    sealed = {parcel.sealed for parcel in kept.parcels}
    carol.wire.say(f.Resume(set_aside=True))
    full.put_parcel(carol, sealed.pop())  # the very bytes, which were shown already
    full.settle()
    assert carol.received().count("to all") == 1
    assert not failures(alice)


def test_pauses_grow_and_after_two_weeks_the_person_is_told(full):
    alice, _, carol = full.people
    alice.write_group("team", "to all")
    full.settle()
    tries = set()
    for _ in range(5):
        (kept,) = redeliveries(alice)
        tries.add((kept.tries, kept.next_ms - full.now_ms))
        full.later((kept.next_ms - full.now_ms) / 1000)
        alice.connect()
        full.settle()
    assert tries == {(n, limits.REDELIVERY_SECONDS * 1000 << n) for n in range(5)}
    assert not failures(alice)
    full.wake(limits.REDELIVERY_DAYS * 24 * 3600)
    assert not redeliveries(alice)
    why = f"{carol.address}'s device could not take it for {limits.REDELIVERY_DAYS} days"
    assert failures(alice) == [f"not kept for every device of team: {why}"]
    assert line(alice, "to all").why == f"not kept for all: {why}"


def test_a_change_of_members_is_told_beside_the_group_and_sent_again(full, monkeypatch):
    alice, bob, carol = full.people
    full.people[0].change_group("team", [], [bob])
    full.settle()
    assert f"the change was not kept for {carol.address}'s device: {FULL}" in alice.events()
    make_room(full, monkeypatch)
    full.later(limits.REDELIVERY_SECONDS)
    alice.connect()
    full.settle()
    alice.write_group("team", "without bob")
    full.settle()
    assert "without bob" in carol.received()


def test_who_was_removed_meanwhile_gets_nothing_later(full, monkeypatch):
    alice, _, carol = full.people
    alice.write_group("team", "not for her any more")
    full.settle()
    alice.change_group("team", [], [carol])
    full.settle()
    make_room(full, monkeypatch)
    full.later(limits.REDELIVERY_SECONDS)
    alice.connect()
    full.settle()
    assert not redeliveries(alice) and not failures(alice)
    assert "not for her any more" not in carol.received()
    assert line(alice, "not for her any more").why == ""


def test_more_than_the_limit_gives_up_the_oldest_and_says_so(full, monkeypatch):
    alice = full.people[0]
    monkeypatch.setattr(limits, "MAX_REDELIVERIES", 2)
    for text in ("first", "second", "third"):
        alice.write_group("team", text)
        full.settle()
    assert [kept.text for kept in redeliveries(alice)] == ["second", "third"]
    (told,) = failures(alice)
    assert "too many messages wait" in told


def test_a_server_that_leaves_out_devices_of_nobody_is_believed_nothing(full):
    alice = full.people[0]
    alice.write_group("team", "to all")
    full.run_wire(alice.wire)
    with alice.vault.transaction() as records:
        (row,) = [row for row in records.outbox.all() if row.posting is not None]
    lie = f.LeftOut("mailbox-full", [b"\xab" * 16, bytes(alice.keys.device)])
    alice.device.receive(f.Accepted([row.posting], [lie]), alice.now_ms)
    assert not redeliveries(alice) and line(alice, "to all").why == ""


# --- Commits that a full mailbox did not take -----------------------------------------------


def test_a_full_mailbox_is_no_veto_of_its_owners_removal(full, monkeypatch):
    alice, bob, carol = full.people
    alice.change_group("team", [], [bob])  # nobody but Carol is left, whose mailbox is full
    full.settle()
    number = alice.change_group("team", [], [carol])
    full.settle()
    assert alice.outcomes[number].error == ""
    assert not alice.waiting() or redeliveries(alice)


@pytest.mark.parametrize("by", ["the marker alone", "the Commit sent again"])
def test_a_device_that_reads_of_missed_commits_asks_and_follows_again(full, monkeypatch, by):
    alice, bob, carol = full.people
    alice.change_group("team", [], [bob])
    full.settle()
    if by == "the marker alone":
        for row in redeliveries(alice):
            with alice.vault.transaction() as records:
                (kept,) = [one for one in records.outbox.all() if one.target == row.target]
                records.outbox.finish(OutcomeRecord(kept.number, b"", "", 0), 10)
    make_room(full, monkeypatch)
    (team,) = [one for one in carol.conversations() if one.name == "team"]
    assert team.standing == State.SUSPECT  # on the marker alone it asks, and no more
    for _ in range(4):
        full.later(60)
        alice.connect()
        carol.connect()
        full.settle()
    epochs = [
        one.epoch for who in (alice, carol) for one in who.conversations() if one.name == "team"
    ]
    assert len(epochs) == 2 and len(set(epochs)) == 1
    alice.write_group("team", "are you there?")
    carol.write_group("team", "I am")
    full.settle()
    assert "are you there?" in carol.received() and "I am" in alice.received()
    assert not carol.alarms() and not alice.alarms()


def test_a_marker_of_commits_that_came_another_way_asks_nothing(full):
    carol = full.people[2]
    full.away.clear()
    carol.connect()
    full.settle()
    rows = carol.vault.connection.execute("SELECT digest FROM seen_parcel").fetchall()
    seen = [bytes(digest)[:8] for (digest,) in rows]
    answered = carol.device.receive(f.Drained(len(seen), b"".join(seen)), carol.now_ms)
    assert f.Acknowledge([], len(seen)) in answered
    with carol.unit() as unit:
        assert not lacking.of(unit).orders
    carol.device.receive(f.Drained(1, b"\xab" * 8), carol.now_ms)
    with carol.unit() as unit:
        assert lacking.of(unit).orders
