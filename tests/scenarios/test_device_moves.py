"""Conversations move to a stronger suite while they are in use (docs/specs/conversations.md)."""

from collections import Counter
from collections.abc import Iterator

import pytest

from blackthorn.device.conversations import content, left_out, void
from blackthorn.device.core import envelope
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.operations import limits, move_suite
from blackthorn.mls import suites
from blackthorn.ports.device_store import ConversationRecord, OutboxRecord
from blackthorn.simulation.linking import add_device
from tests.support import runs
from tests.support.device_world import Person, World
from tests.support.losing import group_id, take_out
from tests.support.stranding import come_back, go_off_line, live, strand

OLD, NEW = suites.SUITE_XWING_AES128, suites.SUITE_XWING_AES256
STARTED = "moved this conversation to a stronger suite"


@pytest.fixture(autouse=True)
def release_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[pytest.MonkeyPatch]:
    """All programs are of a release that makes conversations of the weaker suite."""
    monkeypatch.setattr(suites, "DEFAULT_SUITE", OLD)
    yield monkeypatch


def update(world: World) -> None:
    """All programs are updated; each device connects once."""
    suites.DEFAULT_SUITE = NEW  # type: ignore[misc]
    for person in world.people:
        person.restart()
        person.connect()
    world.settle()


def team(seed: int, *names: str) -> World:
    """A group, and a direct conversation of the first two, all in use."""
    world = World(seed, *(names or ("alice", "bob", "carol", "dan")))
    alice, bob, *_ = world.people
    alice.create_group("team", *world.people[1:])
    alice.write_group("team", "before")
    bob.write(alice, "between us")
    world.settle()
    return world


def move(person: Person) -> list[int]:
    """What the command does."""
    with person.unit() as unit:
        numbers = [one.enqueue(unit) for one in move_suite.due(unit)]
    person.restart()
    person.connect()
    return numbers


def present(person: Person, kind: str = "group") -> list[tuple[int, int]]:
    """Suite and epoch of each conversation of that kind in which the person is."""
    with person.unit() as unit:
        found = [unit.open(one.id) for one in unit.records.conversations.all() if one.kind == kind]
        return [
            (one.group.suite.number, one.group.epoch)
            for one in found
            if one.record.standing not in ("stale", "removed")
        ]


def check_all_talk(world: World, name: str = "team") -> None:
    """All are in one group of the new suite, and read each other."""
    assert {suite for person in world.people for suite, _ in present(person)} == {NEW}
    for person in world.people:
        person.write_group(name, f"{person.name} goes on")
        world.settle()
    for person in world.people:
        others = {f"{one.name} goes on" for one in world.people if one is not person}
        assert others <= set(person.received()), person.name
        assert not person.alarms()
    assert len({tuple(present(person)) for person in world.people}) == 1
    check_no_doubles(world)


def check_no_doubles(world: World) -> None:
    for person in world.people:
        texts = Counter(line.text for line in person.history() if line.sort == "text")
        assert set(texts.values()) <= {1}, (person.name, texts)


def test_a_group_and_a_direct_conversation_move_with_all_members() -> None:
    world = team(7101)
    alice, bob, *_ = world.people
    update(world)
    assert present(alice) == [(OLD, 1)]
    numbers = move(alice)
    world.settle()
    assert len(numbers) == 2
    assert [alice.outcomes[number].error for number in numbers] == ["", ""]
    check_all_talk(world)
    assert present(alice, "direct") == present(bob, "direct") == [(NEW, 1)]
    bob.write(alice, "still between us")
    world.settle()
    assert "still between us" in alice.received()
    assert all(any(STARTED in line for line in person.events()) for person in world.people)
    assert move(bob) == []


def test_a_large_group_moves_with_its_tree_apart(release_before: pytest.MonkeyPatch) -> None:
    release_before.setattr(limits, "MAX_MEMBERS_WITH_TREE", 2)
    world = team(7112)
    update(world)
    move(world.people[0])
    world.settle()
    check_all_talk(world)


def test_nobody_is_added_to_a_conversation_of_the_old_suite_after_an_update() -> None:
    world = team(7113)
    alice, _, _, dan = world.people
    alice.change_group("team", [], [dan])
    world.settle()
    update(world)
    number = alice.change_group("team", [dan], [])
    world.settle()
    assert "has to move first: blackthorn group move" in alice.outcomes[number].error
    move(alice)
    world.settle()
    alice.change_group("team", [dan], [])
    world.settle()
    check_all_talk(world)


def test_who_was_away_for_weeks_reads_all_and_writes_on() -> None:
    world = team(7102)
    alice, bob, _, dan = world.people
    update(world)
    go_off_line(dan)
    dan.write_group("team", "from the mountains")
    bob.write_group("team", "just before the move")
    world.settle()
    move(alice)
    world.settle()
    for week in range(3):
        world.later(7 * 86_400)
        world.publish()
        world.reconnect_all()
        alice.write_group("team", f"week {week}")
        world.settle()
    come_back(dan)
    live(world, 120)
    assert [text for text in dan.received() if text.startswith("week")] == [
        "week 0",
        "week 1",
        "week 2",
    ]
    assert "just before the move" in dan.received()
    assert "from the mountains" in alice.received()
    check_all_talk(world)


def accepted_unheard(world: World, person: Person, text: str) -> None:
    """The server accepts the person's text to the group; the answer is lost."""
    person.write_group("team", "the server knows to whom this goes")
    world.settle()
    person.write_group("team", text)
    assert person.wire is not None
    while world.step_wire(person.wire, to_server=True):
        pass
    world._ledger_step()
    world.cut(person.wire)
    assert person.waiting() == 1


def test_a_text_that_was_accepted_before_the_move_is_shown_once() -> None:
    """Its author did not hear so, and sends it again when the group has moved."""
    world = team(7103)
    alice, bob, carol, _ = world.people
    update(world)
    accepted_unheard(world, carol, "was it accepted?")
    move(alice)
    world.settle()
    assert bob.received().count("was it accepted?") == 1
    carol.connect()
    world.settle()
    assert carol.waiting() == 0
    for person in (alice, bob):
        assert person.received().count("was it accepted?") == 1
    check_all_talk(world)


def test_a_text_sealed_before_the_move_and_never_sent_arrives_once() -> None:
    world = team(7104)
    alice, bob, carol, _ = world.people
    update(world)
    carol.write_group("team", "never sent")
    assert carol.wire is not None
    carol.wire.to_server.clear()
    world.cut(carol.wire)
    move(alice)
    world.settle()
    assert "never sent" not in bob.received()
    carol.connect()
    world.settle()
    for person in (alice, bob):
        assert person.received().count("never sent") == 1
    mine = {line.text: line.standing for line in carol.history() if line.sort == "text"}
    assert mine["never sent"] == "accepted"
    check_all_talk(world)


def test_a_text_that_is_on_its_way_for_long_is_shown_in_the_group_it_was_written_to() -> None:
    world = team(7105)
    alice, bob, *_ = world.people
    update(world)
    with bob.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        opened = unit.open(record.id)
        body = content.encode(content.TextContent(bytes(16), "slow", 1, 0))
        message = opened.group.encrypt(body, random=unit.random)
        slow = unit.envelope_key(opened).seal(message, unit.random)
    move(alice)
    world.settle()
    world.put_parcel(alice, slow)
    world.settle()
    assert alice.received().count("slow") == 1
    check_all_talk(world)


def test_of_two_members_who_move_a_group_at_once_one_does() -> None:
    world = team(7106)
    alice, bob, _, dan = world.people
    update(world)
    for person in (alice, bob, dan):
        with person.unit() as unit:
            assert [one.enqueue(unit) for one in move_suite.due(unit)]
        person.restart()
    for person in (alice, bob, dan):
        person.connect()
    world.settle()
    live(world, 60)
    assert [person.waiting() for person in world.people] == [0] * 4
    assert {tuple(one.id for one in active(person)) for person in world.people} == {
        tuple(one.id for one in active(alice))
    }
    check_all_talk(world)


def active(person: Person) -> list[ConversationRecord]:
    return [
        one for one in person.conversations() if one.kind == "group" and one.standing != "stale"
    ]


@pytest.mark.parametrize("reached", [False, True])
def test_who_crashes_while_moving_moves_once(reached: bool) -> None:
    """The Commit and the Welcome are one posting: both are accepted, or none is."""
    world = team(7107)
    alice, bob, *_ = world.people
    update(world)
    with alice.unit() as unit:
        assert [one.enqueue(unit) for one in move_suite.due(unit)]
    alice.restart()
    alice.connect()
    for _ in range(40):
        assert alice.wire is not None
        prepared = [row for row in outbox(alice) if row.prepared is not None]
        if any(row.target == b"group:team" for row in prepared):
            break
        if not (world.step_wire(alice.wire, to_server=True)):
            world._ledger_step()
            world.step_wire(alice.wire, to_server=False)
    else:
        pytest.fail("nothing was prepared")
    if reached:
        while world.step_wire(alice.wire, to_server=True):
            pass
        world._ledger_step()
    alice.wire.to_server.clear()
    alice.restart()
    world.settle()
    assert [suite for suite, _ in present(bob)] == ([NEW] if reached else [OLD])
    assert [suite for suite, _ in present(alice)] == [OLD]
    alice.connect()
    world.settle()
    assert alice.waiting() == 0
    check_all_talk(world)


def outbox(person: Person) -> list[OutboxRecord]:
    with person.vault.transaction() as records:
        return records.outbox.all()


def test_a_member_who_missed_a_change_before_the_move_comes_back() -> None:
    world = team(7108)
    alice, bob, carol, dan = world.people
    update(world)
    strand(world, dan, lambda: alice.change_group("team", [], [carol]))
    alice.write_group("team", "unreadable for dan")
    world.settle()
    move(bob)
    world.settle()
    alice.write_group("team", "unreadable too")
    world.settle()
    dan.write_group("team", "dan is behind")
    live(world, 7_200)
    world.people.remove(carol)
    assert dan.received().count("unreadable for dan") == 1
    assert dan.received().count("unreadable too") == 1
    assert alice.received().count("dan is behind") == 1
    check_all_talk(world)


def test_a_member_whose_welcome_is_lost_comes_into_the_new_group() -> None:
    world = team(7109)
    alice, bob, _, dan = world.people
    update(world)
    go_off_line(dan)
    move(alice)
    world.settle()
    parcels = take_out(world, dan)
    for sealed in parcels:
        if envelope.welcome_of(sealed) is None:
            world.put_parcel(dan, sealed)
    world.settle()
    come_back(dan)
    bob.write_group("team", "where is dan?")
    world.settle()
    live(world, 5_400)
    assert dan.received().count("where is dan?") == 1
    check_all_talk(world)


def test_own_devices_and_the_self_group_move_too() -> None:
    world = team(7110, "alice", "bob", "carol")
    alice, bob, _ = world.people
    tablet = add_device(alice)
    world.publish()
    live(world, 300)
    update(world)
    assert present(alice, "self")[0][0] == OLD
    numbers = move(alice)
    world.settle()
    live(world, 60)
    assert len(numbers) == 3
    assert [alice.outcomes[number].error for number in numbers] == [""] * 3
    for person in (alice, tablet):
        assert [suite for suite, _ in present(person, "self")] == [NEW]
        assert [suite for suite, _ in present(person, "direct")] == [NEW]
    tablet.write_group("team", "from the tablet")
    world.settle()
    assert "from the tablet" in bob.received()


def test_a_commit_that_was_given_up_is_named_before_the_move(
    release_before: pytest.MonkeyPatch,
) -> None:
    world = team(7115)
    update(world)

    def given_up(unit: UnitOfWork, conversation: Conversation) -> bytes:
        first = conversation.record.kind == "group" and conversation.group.epoch == 1
        return b"lost" + bytes(32) if first else b""

    with release_before.context() as patch:
        patch.setattr(void, "lost_before", given_up)
        move(world.people[0])
        world.settle()
    assert any("went on without a change" in line for line in world.people[1].events())
    check_all_talk(world)


def test_changes_and_people_who_wait_follow_into_the_new_group() -> None:
    world = team(7114, "alice", "bob", "carol", "dan", "erin", "frank")
    alice, bob, *_, erin, frank = world.people
    for person in (erin, frank):
        alice.change_group("team", [], [person])
        world.settle()
    update(world)
    old = group_id(alice, "team")
    go_off_line(bob)
    bob.change_group("team", [erin], [])
    with alice.unit() as unit:
        left_out.note(unit, old, frank.address)
    move(alice)
    world.settle()
    come_back(bob)
    live(world, 1_200)
    check_all_talk(world)


def test_a_member_who_is_not_updated_is_named_and_nothing_changes() -> None:
    world = team(7111)
    alice, _, _, dan = world.people
    go_off_line(dan)
    update(world)
    number = move(alice)[0]
    world.settle()
    assert "devices of dan@acme.example are to be updated" in alice.outcomes[number].error
    assert present(alice) == [(OLD, 1)]
    come_back(dan)
    dan.restart()
    dan.connect()
    world.settle()
    move(alice)
    world.settle()
    check_all_talk(world)


# --- All conversations of an account ---


def test_all_conversations_of_an_account_move_while_in_use() -> None:
    """500 in a long run. People write before, during and after; one is away meanwhile."""
    count = runs.pick(30, 500)
    world = World(7120, "alice", "bob", "carol", "dan", "erin")
    alice, *others = world.people
    for person in others:
        alice.write(person, "hello")
    rooms: dict[str, list[Person]] = {}
    texts: dict[str, list[tuple[Person, str]]] = {}
    for number in range(count - len(others)):
        room = f"room {number}"
        rooms[room] = [others[(number + step) % 4] for step in range(2 + number % 3)]
        alice.create_group(room, *rooms[room])

    def write(author: Person, room: str, when: str) -> None:
        author.write_group(room, f"{room}: {author.name} {when}")
        texts.setdefault(room, []).append((author, f"{room}: {author.name} {when}"))

    for room in rooms:
        write(alice, room, "before")
    world.settle()
    update(world)
    erin = others[-1]
    go_off_line(erin)
    with alice.unit() as unit:
        numbers = [one.enqueue(unit) for one in move_suite.due(unit)]
    assert len(numbers) == count
    alice.restart()
    alice.connect()
    for room, members in rooms.items():
        write(members[0], room, "during")  # erin too, who is off line
        for wire in [*world.wires] * 3:
            world.step_wire(wire, to_server=True)
            world.step_wire(wire, to_server=False)
        world._ledger_step()
    assert alice.waiting(), "all were moved before anybody wrote"
    world.settle()
    come_back(erin)
    for room, members in rooms.items():
        write(members[-1], room, "after")
    live(world, 60)
    assert [alice.outcomes[number].error for number in numbers] == [""] * count
    for person in world.people:
        assert {suite for suite, _ in present(person) + present(person, "direct")} == {NEW}
        assert not person.alarms()
    for person in others:
        mine = [room for room, members in rooms.items() if person in members]
        expected = [text for room in mine for author, text in texts[room] if author is not person]
        assert Counter(person.received()) == Counter(["hello", *expected]), person.name
