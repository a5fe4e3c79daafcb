"""Welcomes whose ratchet tree follows in parts. The limits are lowered, no check."""

from collections.abc import Sequence
from functools import partial

import pytest

from blackthorn.device.account import heal_questions
from blackthorn.device.core import limits, trees
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.operations import limits as operation_limits
from blackthorn.link import frames as f
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.extension import Extension
from blackthorn.simulation.device import Person
from tests.scenarios.test_device_large_groups import NEW, all_read_all, place, step
from tests.support import runs
from tests.support.device_world import World
from tests.support.stranding import go_off_line, live

PART_BYTES = 4_000


@pytest.fixture(autouse=True)
def low_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three devices are a large group; their trees have two to four parts."""
    monkeypatch.setattr(operation_limits, "MAX_MEMBERS_WITH_TREE", 2)
    monkeypatch.setattr(limits, "MAX_TREE_PART_BYTES", PART_BYTES)


def kept(person: Person) -> int:
    """Stored parts."""
    rows = person.vault.connection.execute("SELECT count(*) FROM parcel_part").fetchall()
    return int(rows[0][0])


def expected(person: Person) -> int:
    with person.unit() as unit:
        return len(trees.expected(unit))


def deliver(world: World, person: Person, *parcels: bytes) -> None:
    """The device gets parcels, and its answers are lost."""
    for sealed in parcels:
        person.device.receive(f.Deliver([f.Delivery(1, sealed)]), world.now_ms)
        person.device.tick(world.now_ms)


def parts_of(parcels: Sequence[bytes]) -> list[bytes]:
    return [parcel for parcel in parcels if trees.is_tree_part(parcel)]


def invited(seed: int) -> tuple[World, Person, list[bytes]]:
    """Bob was off line when alice made the group; the Welcome and the parts wait for him."""
    world = World(seed, "alice", "bob", *NEW[:3])
    alice, bob, *others = world.people
    world.introduce(bob)
    world.cut(bob.wire)
    alice.create_group("team", bob, *others)
    world.settle()
    parcels = world.stored(bob)
    assert [parcel[0] for parcel in parcels] == [2, 4, 4, 4]
    return world, bob, parcels


def test_members_of_a_large_group_get_its_tree_in_parts() -> None:
    world = World(1, "alice", "bob", *NEW[:3])
    alice, bob, *others = world.people
    alice.create_group("team", bob, *others[:-1])
    alice.write_group("team", "after the tree")
    world.settle()
    assert bob.received() == ["after the tree"]
    bob.change_group("team", [others[-1]], [])
    world.settle()
    all_read_all(world, ["after the tree"])
    assert all(kept(person) == 0 and expected(person) == 0 for person in world.people)
    assert not any(person.set_aside() for person in world.people)


@pytest.mark.parametrize("order", [[0, 1, 2, 3], [3, 2, 1, 0], [1, 0, 3, 2, 1, 1]])
def test_parts_come_in_any_order_over_restarts_and_twice(order: list[int]) -> None:
    world, bob, parcels = invited(2)
    for place_ in order:
        deliver(world, bob, parcels[place_])
        bob.restart()
    bob.connect()
    world.settle()
    world.later(60)
    world.settle()
    all_read_all(world)
    assert kept(bob) == expected(bob) == 0 and not bob.set_aside()


def test_while_a_part_is_missing_nothing_is_joined_and_the_welcome_waits() -> None:
    world, bob, parcels = invited(3)
    deliver(world, bob, *parcels[:3])
    assert not bob.conversations() and kept(bob) == 2
    (waiting,) = bob.set_aside()
    assert waiting.reason == "the list of the group's members has not come yet"
    bob.connect()  # the server had it all the time
    world.settle()
    assert len(bob.conversations()) == 1 and kept(bob) == 0
    all_read_all(world)


def test_altered_and_foreign_parts_are_refused_and_displace_none() -> None:
    """Another new member knows the key, and posts parts of their own making."""
    world, bob, parcels = invited(4)
    deliver(world, bob, parcels[0], *parcels[1:3])
    with bob.unit() as unit:
        (tree,) = (one.parts for one in trees.expected(unit))
        junk = [b"", b"\x00", b"\x00junk", b"\x02junk", b"\x09" + b"junk", b"\xff"]
        forged = [tree.envelope.seal(content, unit.random, trees.TREE) for content in junk]
    before = kept(bob)
    altered = parcels[3][:-1] + bytes([parcels[3][-1] ^ 1])
    deliver(world, bob, *forged, altered, b"\x04", b"\x04" + bytes(200))
    assert kept(bob) == before == 2
    assert len(bob.set_aside()) == 1 + len(junk) + 3
    bob.connect()
    world.settle()
    assert len(bob.conversations()) == 1 and kept(bob) == 0
    all_read_all(world)


class Liar(trees.DetachedTree):
    """Names another tree than the group's."""

    def __call__(self, tree: bytes) -> Extension:
        return super().__call__(tree[:-1] + bytes([tree[-1] ^ 1]))


class Mute(trees.DetachedTree):
    """Names no tree."""

    data = b""

    def __call__(self, tree: bytes) -> Extension:
        super().__call__(tree)
        return Extension(APPLICATION_EXTENSION, self.data)


class Endless(Mute):
    """Names more parts than a tree has."""

    data = b"\x01" + bytes(64) + b"\x05" + bytes(32) * 5


class Ragged(Mute):
    """Names a part of a hash."""

    data = b"\x01" + bytes(64) + b"\x02" + bytes(33)


class Crowd(Mute):
    """Names more members than may be named."""

    data = b"\x01" + bytes(64) + b"\x01" + bytes(32) + b"\x10carol@acme.example"[:19] * 9


class Nobody(Mute):
    """Names somebody with no address."""

    data = b"\x01" + bytes(64) + b"\x01" + bytes(32) + b"\x03\xff\xff\xff"


@pytest.mark.parametrize("lie", [Liar, Mute, Endless, Ragged, Crowd, Nobody])
def test_a_welcome_that_names_a_wrong_tree_or_none_opens_nothing(
    lie: type[trees.DetachedTree], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(5, "alice", "bob", "carol")
    alice, bob, carol = world.people
    monkeypatch.setattr(trees, "DetachedTree", lie)
    alice.create_group("team", bob, carol)
    world.settle()
    monkeypatch.undo()
    assert not bob.conversations() and bob.set_aside()
    alice.write(bob, "this goes")
    world.settle()
    world.check_received(bob, ["this goes"])


def test_welcomes_without_trees_fill_no_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_EXPECTED_TREES", 2)
    monkeypatch.setattr(limits, "MAX_WAITING_TREE_PARTS", 3)
    world = World(6, "alice", "bob", "carol")
    alice, bob, carol = world.people
    world.introduce(bob)
    world.cut(bob.wire)
    for number in range(4):
        alice.create_group(f"team {number}", bob, carol)
    world.settle()
    parcels = world.stored(bob)
    parts = parts_of(parcels)
    assert len(parts) == 8
    for parcel in parcels:
        if parcel not in (parts[-1], parts[-3], parts[-5], parts[-7]):
            deliver(world, bob, parcel)
    assert expected(bob) == 2 and kept(bob) <= 3 and not bob.conversations()
    bob.connect()
    world.settle()
    assert "team 3" in {one.name for one in bob.conversations()}


@pytest.mark.parametrize("committed", [False, True])
def test_a_crash_between_the_parts_loses_none(committed: bool) -> None:
    for steps in runs.moments(14, 4, f"trees {committed}"):
        world = World(100 + steps, "alice", "bob", *NEW[:2])
        alice, bob, *others = world.people
        alice.create_group("team", bob, *others)
        for _ in range(steps):
            step(world, alice)
        if committed:
            world.crash(committed=True)
        alice.restart()
        world.reconnect_all()
        assert {len(place(person).group.members) for person in world.people} == {4}
        all_read_all(world)


def test_many_additions_to_a_large_group_bring_each_step_its_tree(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(operation_limits, "MAX_ADDED_WITH_PATH", 2)
    monkeypatch.setattr(operation_limits, "MAX_ADDED_WITHOUT_PATH", 2)
    world = World(7, "alice", "bob", *NEW[:3])
    alice, bob, *others = world.people
    alice.create_group("team", bob)
    world.settle()
    number = alice.change_group("team", others, [])
    world.settle()
    assert not alice.outcomes[number].error
    all_read_all(world)
    assert all(kept(person) == 0 for person in world.people)


def test_the_secrets_of_a_welcome_are_divided_where_one_parcel_does_not_hold_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_WHOLE_BYTES", 4_000)
    world = World(8, "alice", "bob", *NEW[:3])
    alice, bob, *others = world.people
    for person in world.people[1:]:
        world.introduce(person)
        world.cut(person.wire)
    alice.create_group("team", bob, *others)
    world.settle()
    welcomes = {world.stored(person)[0] for person in world.people[1:]}
    assert len(welcomes) == 2 and all(parcel[0] == 2 for parcel in welcomes)
    for person in world.people[1:]:
        person.connect()
    world.settle()
    all_read_all(world)


def test_a_group_whose_tree_has_too_many_parts_is_not_made(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_TREE_PARTS", 1)
    world = World(9, "alice", "bob", *NEW[:3])
    alice, bob, *others = world.people
    number = alice.create_group("team", bob, *others)
    world.settle()
    assert "too large" in alice.outcomes[number].error and not alice.conversations()


class Lossy(trees.DetachedTree):
    """Its last part is never sent."""

    def __call__(self, tree: bytes) -> Extension:
        made = super().__call__(tree)
        del self.parcels[-1]
        return made


def forsaken(seed: int, monkeypatch: pytest.MonkeyPatch) -> tuple[World, Person]:
    """Bob has a group with carol and others; alice, who added dave, never sent a part to him."""
    world = World(seed, "alice", "bob", *NEW[:2])
    alice, bob, carol, dave = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    with monkeypatch.context() as patched:
        patched.setattr(trees, "DetachedTree", Lossy)
        alice.change_group("team", [dave], [])
        world.settle()
    assert len(place(bob).group.members) == 4 and not dave.conversations()
    assert expected(dave) == 1
    return world, dave


def test_who_never_gets_a_part_of_the_tree_asks_any_member_and_is_added_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, dave = forsaken(10, monkeypatch)
    alice, bob, *_ = world.people
    world.introduce(dave)
    go_off_line(alice)  # who would have to send it, and is gone
    live(world, 540, 30)
    assert not dave.conversations()
    live(world, 1800, 30)
    assert len(place(dave).group.members) == 4
    assert expected(dave) == 0 and kept(dave) == 0
    bob.write_group("team", "you are in")
    world.settle()
    assert dave.received() == ["you are in"]


def test_where_the_device_knows_no_member_it_asks_one_and_is_added_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world, dave = forsaken(11, monkeypatch)
    with dave.unit() as unit:
        known = [person for person in world.people if unit.chains.of(person.address) is not None]
    assert known in ([], [dave])
    live(world, 2400, 30)
    assert len(place(dave).group.members) == 4
    assert expected(dave) == 0 and kept(dave) == 0


def test_strangers_whom_welcomes_name_are_asked_rarely(monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody can name anybody in a Welcome that opens nothing."""
    world, dave = forsaken(12, monkeypatch)
    asked: list[str] = []
    monkeypatch.setattr(heal_questions, "ask_from_outside", partial(note, asked))
    for _ in range(24):
        world.later(3600)
        world.reconnect_all()
    assert 4 <= len(asked) <= 5 and expected(dave) == 1
    world.later(7 * 24 * 3600)
    world.reconnect_all()
    assert expected(dave) == kept(dave) == 0


def note(asked: list[str], _unit: UnitOfWork, _known: bytes, user: str, *_: object) -> int:
    asked.append(user)
    return 0
