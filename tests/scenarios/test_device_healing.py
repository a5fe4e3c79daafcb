"""Devices that missed a change of a conversation come back (docs/specs/conversations.md)."""

import pytest

from blackthorn.device.conversations import conversations, naming, rejoining, self_group
from blackthorn.simulation.device import Wire
from blackthorn.simulation.linking import add_device
from blackthorn.storage.device import vault
from tests.support.device_world import Person, World
from tests.support.stranding import (
    come_back,
    epochs,
    go_off_line,
    live,
    lose_oldest,
    members_of,
    sealed,
    standing,
    strand,
)

AWHILE = 3_600


def four(kind: type[World] = World) -> World:
    world = kind(11, "alice", "bob", "carol", "dan")
    alice, bob, carol, dan = world.people
    alice.create_group("team", bob, carol, dan)
    world.settle()
    alice.write_group("team", "hello")
    world.settle()
    return world


def miss_a_commit(world: World) -> None:
    """Dan misses the Commit that removes Carol."""
    alice, _, carol, dan = world.people
    strand(world, dan, lambda: alice.change_group("team", [], [carol]))


def test_a_member_who_missed_a_commit_is_added_again() -> None:
    world = four()
    alice, bob, _, dan = world.people
    miss_a_commit(world)
    alice.write_group("team", "unreadable for dan")
    world.settle()
    live(world, AWHILE)
    assert standing(dan) == ["active"]
    assert len(epochs(world, "team")) == 1
    dan.write_group("team", "I am back")
    bob.write_group("team", "welcome back")
    world.settle()
    assert "I am back" in alice.received()
    assert "welcome back" in dan.received()
    assert any("added this device again" in line for line in dan.events())
    again = [line for line in alice.events() if "was added again by" in line]
    assert len(again) == 1
    assert "dan@acme.example's dan was added again by" in again[0]
    assert all(not person.alarms() for person in world.people)


def test_a_device_that_is_back_reads_late_texts_of_its_earlier_epochs() -> None:
    world = four()
    alice, _, _, dan = world.people
    slow = sealed(world, alice, "team", "slow")
    miss_a_commit(world)
    slower = sealed(world, alice, "team", "of the epoch that dan missed")
    live(world, AWHILE)
    assert standing(dan) == ["active"]
    dan.restart()
    dan.connect()
    world.put_parcel(dan, slow)
    world.put_parcel(dan, slower)
    world.settle()
    assert dan.received()[-1] == "slow"


def test_texts_of_a_stranded_device_reach_the_others_once() -> None:
    world = four()
    alice, bob, _, dan = world.people
    miss_a_commit(world)
    dan.write_group("team", "written before it knew")
    live(world, AWHILE)
    dan.write_group("team", "written after")
    live(world, AWHILE)
    for person in (alice, bob):
        own = [text for text in person.received() if text.startswith("written")]
        assert own == ["written before it knew", "written after"]
    mine = {line.text: line.standing for line in dan.history() if line.sort == "text"}
    assert mine["written before it knew"] == "accepted"


def test_texts_of_a_device_that_missed_many_changes_reach_the_others_once() -> None:
    """They were accepted, and nobody had the keys of their epoch any more."""
    world = four()
    alice, bob, carol, dan = world.people
    strand(world, dan, lambda: alice.change_group("team", [], [carol]))
    go_off_line(dan)
    for number in range(8):
        alice.change_group("team", *([[carol], []] if number % 2 == 0 else [[], [carol]]))
        world.settle()
    world.later(5 * 86_400)
    alice.connect()
    bob.connect()
    world.settle()
    number = dan.write_group("team", "written before it knew")
    come_back(dan)
    live(world, 2 * AWHILE)
    assert not dan.outcomes[number].error
    for person in (alice, bob):
        assert person.received().count("written before it knew") == 1, person.name


def test_remove_and_add_brings_a_stranded_device_back() -> None:
    world = four()
    alice, _, _, dan = world.people
    miss_a_commit(world)
    alice.change_group("team", [], [dan])
    world.settle()
    alice.change_group("team", [dan], [])
    world.settle()
    live(world, AWHILE)
    assert standing(dan) == ["active"]
    alice.write_group("team", "there you are")
    dan.write_group("team", "here I am")
    world.settle()
    assert "there you are" in dan.received()
    assert "here I am" in alice.received()
    assert not dan.alarms()


def test_a_stranded_device_learns_that_it_was_removed() -> None:
    world = four()
    alice, _, _, dan = world.people
    miss_a_commit(world)
    alice.change_group("team", [], [dan])
    world.settle()
    live(world, 2 * AWHILE)
    assert standing(dan) == ["removed"]
    assert any(
        "you were removed, say alice@acme.example, bob@acme.example" in line
        for line in dan.events()
    )


def test_a_group_of_two_users_heals() -> None:
    world = World(12, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    strand(world, bob, lambda: alice.change_group("team", [], [carol]))
    alice.write_group("team", "unreadable for bob")
    world.settle()
    live(world, AWHILE)
    assert standing(bob) == ["active"]
    assert members_of(bob, "team") == {"alice@acme.example", "bob@acme.example"}
    bob.write_group("team", "back")
    world.settle()
    assert alice.received() == ["back"]
    assert len(epochs(world, "team")) == 1


def test_two_who_are_both_behind_heal() -> None:
    world = four()
    alice, bob, carol, dan = world.people
    go_off_line(bob)
    strand(world, dan, lambda: alice.change_group("team", [], [carol]))
    lose_oldest(world, bob)
    come_back(bob)
    alice.write_group("team", "unreadable for both")
    world.settle()
    live(world, 2 * AWHILE)
    assert standing(bob) == standing(dan) == ["active"]
    assert len(epochs(world, "team")) == 1
    bob.write_group("team", "both are back")
    world.settle()
    assert "both are back" in dan.received()


def test_an_own_device_that_fell_behind_is_added_again_by_the_other_one() -> None:
    world = World(13, "alice", "bob", "carol")
    alice, bob, carol = world.people
    tablet = add_device(alice)
    bob.create_group("team", alice, carol)
    world.settle()
    strand(world, tablet, lambda: bob.change_group("team", [], [carol]))
    bob.write_group("team", "unreadable for the tablet")
    world.settle()
    live(world, AWHILE)
    assert standing(tablet) == ["active"]
    assert any("alice@acme.example's tablet was added again by" in line for line in bob.events())
    bob.write_group("team", "for all devices")
    world.settle()
    assert "for all devices" in tablet.received()


@pytest.mark.parametrize("ahead_ms", [-600_000, 0, 600_000])
def test_a_direct_conversation_is_replaced_and_one_remains(ahead_ms: int) -> None:
    world = World(14, "alice", "bob")
    alice, bob = world.people
    bob.ahead_ms = ahead_ms
    alice.write(bob, "first")
    world.settle()
    go_off_line(bob)
    add_device(alice)
    live(world, 60)
    lose_oldest(world, bob, "direct")
    come_back(bob)
    bob.write(alice, "written before it knew")
    alice.write(bob, "unreadable for bob")
    live(world, AWHILE)
    assert sorted(standing(bob, "direct")) == ["active", "stale"]
    bob.write(alice, "new from bob")
    alice.write(bob, "new from alice")
    live(world, 60)
    assert alice.received() == ["written before it knew", "new from bob"]
    assert bob.received() == ["first", "unreadable for bob", "new from alice"]
    assert newest_direct(alice, bob) == newest_direct(bob, alice)
    assert all(not person.alarms() for person in world.people)


def newest_direct(person, other) -> bytes:
    """The direct conversation in which the person writes to the other one."""
    with person.unit() as unit:
        found = conversations.direct_with(unit, other.address)
        assert found is not None
        return found.record.id


def test_a_self_group_is_replaced_and_state_is_shared_again() -> None:
    world = World(15, "alice", "bob")
    alice, _ = world.people
    tablet = add_device(alice)
    live(world, 60)
    go_off_line(tablet)
    phone = add_device(alice, "phone")
    live(world, 60)
    lose_oldest(world, tablet, "self")
    come_back(tablet)
    live(world, AWHILE)
    assert standing(tablet, "self").count("active") == 1
    present = {self_group_of(person) for person in (alice, tablet, phone)}
    assert len(present) == 1


def self_group_of(person) -> bytes:
    with person.unit() as unit:
        found = self_group.present(unit)
        assert found is not None
        return found.record.id


def test_a_device_stranded_in_a_vault_of_the_last_release_comes_back() -> None:
    world = four()
    alice, _, _, dan = world.people
    miss_a_commit(world)
    alice.write_group("team", "unreadable for dan")
    dan.write_group("team", "ok, and unreadable")
    world.settle()
    go_off_line(dan)
    connection = dan.vault._connection
    later = ("hello", "noted", "former_device", "removed_leaf", "parcel_part", "kept_group")
    later += ("lost_text", "text_report", "report_pace", "kept_commit")
    later += ("outside_key", "letter_copy", "letter_piece", "letter")
    connection.execute("DROP INDEX gap_due")
    for table in ("healing", "branch", "heard", "sent_text", *later):
        connection.execute(f"DROP TABLE {table}")
    handed = [("history", name) for name in ("device", "count", "handed", "before")]
    handed += [("history", "why"), ("alarm", "ended_ms"), ("gap", "own_asked")]
    connection.execute("DROP INDEX history_before")
    for column in ("told_ms", "lost"):
        connection.execute(f"ALTER TABLE commit_order DROP COLUMN {column}")
    for table, column in (
        ("chain", "asked"),
        ("chain", "compatible"),
        ("mail", "junk"),
        ("mail", "tried"),
        ("set_aside_parcel", "moment"),
        ("set_aside_parcel", "holder"),
        ("history", "mark"),
        *handed,
    ):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    for table, column in (("gap", "asked"), ("gap", "due_ms")):
        connection.execute(f"ALTER TABLE {table} DROP COLUMN {column}")
    connection.pragma("user_version", 9)
    vault.prepare(connection, create=False)
    dan.restart()
    come_back(dan)
    live(world, AWHILE)
    assert standing(dan) == ["active"]
    assert len(epochs(world, "team")) == 1
    dan.write_group("team", "back")
    world.settle()
    assert "back" in alice.received()


def test_when_people_joined_meanwhile_the_sender_is_asked_to_send_again() -> None:
    world = World(16, "alice", "bob", "carol", "dan")
    alice, bob, carol, dan = world.people
    alice.create_group("team", bob, dan)
    world.settle()
    strand(world, dan, lambda: alice.change_group("team", [carol], []))
    dan.write_group("team", "not for carol")
    alice.write_group("team", "unreadable for dan")
    world.settle()
    live(world, 2 * AWHILE)
    assert "not for carol" not in carol.received()
    assert any("carol@acme.example came since" in line for line in dan.events())
    mine = {line.text: line.standing for line in dan.history() if line.sort == "text"}
    assert mine["not for carol"] == "failed"
    dan.write_group("team", "to all")
    live(world, 60)
    assert "to all" in carol.received()


def test_where_nobody_can_confirm_a_newcomer_the_person_does() -> None:
    world = World(17, "alice", "carol", "dan")
    alice, carol, dan = world.people
    alice.create_group("team", dan)
    world.settle()
    strand(world, dan, lambda: alice.change_group("team", [carol], []))
    alice.write_group("team", "unreadable for dan")
    world.settle()
    live(world, AWHILE)
    number = dan.write_group("team", "waits for a yes")
    live(world, AWHILE)
    assert standing(dan) == ["unconfirmed"]
    assert "members are yet to confirm it" in dan.outcomes[number].error
    assert "waits for a yes" not in carol.received()
    with dan.unit() as unit:
        rejoining.confirm(unit, naming.group_named(unit, "team"))
    live(world, 60)
    assert "waits for a yes" in carol.received()


def test_devices_that_look_in_for_a_moment_notice_and_heal() -> None:
    """Commands of the command line: none is connected when minutes have passed."""
    world = four()
    miss_a_commit(world)
    people = list(world.people)
    dan = people[3]
    for person in people:
        go_off_line(person)
    dan.write_group("team", "written before it knew")
    for _ in range(16):
        for person in people:
            person.restart()
            come_back(person)
            go_off_line(person)
            world.later(150)
    world.people += people
    assert standing(dan) == ["active"] and len(epochs(world, "team")) == 1
    assert people[0].received() == ["written before it knew"]


class Watched(World):
    """Notes whether Dan's device was busy without an operation."""

    waited = False

    def step_wire(self, wire: Wire, *, to_server: bool) -> bool:
        moved = super().step_wire(wire, to_server=to_server)
        dan = self.people[-1]
        self.waited = self.waited or (not outbox(dan) and dan.device.busy(dan.now_ms))
        return moved


def outbox(person: Person) -> list[int]:
    with person.unit() as unit:
        return [row.number for row in unit.records.outbox.all()]


def test_a_question_to_the_server_keeps_a_command_waiting() -> None:
    world = four(Watched)
    assert isinstance(world, Watched)
    miss_a_commit(world)
    assert not world.waited
    alice, _, _, dan = world.people
    alice.write_group("team", "unreadable for dan")
    world.settle()
    world.later(AWHILE)
    dan.restart()
    dan.connect()
    world.settle()
    assert world.waited
    assert not dan.device.busy(dan.now_ms)


def test_a_commit_that_was_lost_is_given_by_a_member_and_nobody_is_added_again() -> None:
    world = four()
    alice, bob, carol, dan = world.people
    strand(world, dan, lambda: alice.change_group("team", [], [carol]), kept=True)
    dan.change_group("team", [], [bob])  # the server names the Commit that came first
    live(world, 600)
    assert standing(dan) == ["active"] and len(epochs(world, "team")) == 1
    assert not any("was added again" in line for line in alice.events())
    assert members_of(dan, "team") == {"alice@acme.example", "dan@acme.example"}
