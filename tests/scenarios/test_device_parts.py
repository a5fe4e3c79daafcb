"""Commits in two parcels: whatever comes of them, in whatever order, nothing is lost or forked.

The limit of one parcel is lowered, so that all Commits here are in two parts.
"""

from collections.abc import Sequence

import pytest

from blackthorn.device.core import envelope, limits
from blackthorn.link import frames as f
from blackthorn.link.parcels import PART, commit_digest, is_part
from blackthorn.mls.group.group import Group
from blackthorn.simulation.device import Person
from tests.scenarios.test_device_void import REFUSED, Insider, all_agree, renamed
from tests.support.device_world import World


@pytest.fixture(autouse=True)
def low_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_WHOLE_BYTES", 2000)


def team(seed: int) -> World:
    """A group; mallory is a member of it."""
    world = World(seed, "alice", "bob", "carol", "mallory", "dave")
    alice, bob, carol, mallory, _ = world.people
    alice.create_group("team", bob, carol, mallory)
    world.settle()
    return world


def kept(person: Person) -> int:
    """Stored parts."""
    rows = person.vault.connection.execute("SELECT count(*) FROM parcel_part").fetchall()
    return int(rows[0][0])


def deliver(world: World, person: Person, sealed: bytes) -> None:
    """The device gets a parcel past the server's order, and its answers are lost."""
    person.device.receive(f.Deliver([f.Delivery(1, sealed)]), world.now_ms)


def missed(world: World, person: Person) -> list[bytes]:
    """Alice adds dave while the person is off line; the parts that wait for them."""
    world.cut(person.wire)
    world.people[0].change_group("team", [world.people[4]], [])
    world.settle()
    found = world.stored(person)
    assert [is_part(parcel) for parcel in found] == [True, True]
    return found


def epochs(world: World) -> set[int]:
    return {person.conversations()[0].epoch for person in world.people[:4]}


def of_insider(person: Person, contents: Sequence[bytes]) -> list[bytes]:
    """Part parcels with these contents, sealed by a member."""
    (record,) = person.conversations()
    with person.unit() as unit:
        key = unit.envelope_key(unit.open(record.id))
        return [key.seal(content, unit.random, PART) for content in contents]


def test_members_follow_changes_in_two_parts() -> None:
    world = team(1)
    alice, bob, _, mallory, dave = world.people
    alice.change_group("team", [dave], [])
    world.settle()
    bob.change_group("team", [], [mallory])
    world.settle()
    assert mallory.events()[-1] == "bob@acme.example removed you"
    all_agree(world, "alice", "bob", "carol", "dave")
    assert not any(kept(person) for person in world.people)


@pytest.mark.parametrize("turned", [False, True])
def test_the_first_part_is_kept_over_a_restart_until_the_other_comes(turned: bool) -> None:
    world = team(2)
    bob = world.people[1]
    first, second = sorted(missed(world, bob), reverse=turned)
    deliver(world, bob, first)
    assert kept(bob) == 1
    deliver(world, bob, first)  # again
    assert kept(bob) == 1 and not bob.set_aside()
    bob.restart()
    deliver(world, bob, second)
    assert kept(bob) == 0 and epochs(world) == {2}
    bob.connect()
    world.settle()
    all_agree(world, "alice", "bob", "carol", "dave")


def test_a_part_that_never_comes_is_a_missed_commit_and_changes_nothing() -> None:
    world = team(3)
    bob = world.people[1]
    first, _ = missed(world, bob)
    before = bob.conversations()[0]
    deliver(world, bob, first)
    assert bob.conversations()[0] == before and kept(bob) == 1
    bob.connect()  # the server had the other one all the time
    world.settle()
    all_agree(world, "alice", "bob", "carol", "dave")


def test_parts_before_the_commit_on_which_theirs_builds_wait_for_it() -> None:
    world = team(4)
    alice, bob, _, mallory, _ = world.people
    earlier = missed(world, bob)
    alice.change_group("team", [], [mallory])
    world.settle()
    later = world.stored(bob)[2:]
    assert len(later) == 2
    for parcel in (*later, *earlier):
        deliver(world, bob, parcel)
    assert kept(bob) == 0 and bob.conversations()[0].epoch == 1 + 2


def test_varied_and_swapped_parts_are_not_put_together_and_do_not_stay() -> None:
    """A member knows the halves and delivers others of the same name before them."""
    world = team(5)
    bob, mallory = world.people[1], world.people[3]
    (record,) = mallory.conversations()
    with mallory.unit() as unit:
        key = unit.envelopes()
    first, second = missed(world, bob)
    opened = [envelope.open_group_parcel(parcel, key)[1] for parcel in (first, second)]
    name = opened[0][:32]
    junk = [name + b"\x01junk", name + b"\x00junk", opened[1][:-1] + b"\x00", name + b"\x00"]
    for parcel in of_insider_before(world, mallory, record.id, junk):
        deliver(world, bob, parcel)
    deliver(world, bob, second)
    deliver(world, bob, first)
    assert bob.conversations()[0].epoch == 2 and kept(bob) == 0


def of_insider_before(
    world: World, person: Person, conversation: bytes, contents: Sequence[bytes]
) -> list[bytes]:
    """The same with the key of the epoch before the member's."""
    with person.unit() as unit:
        epoch = unit.open(conversation).group.epoch - 1
        (key,) = (key for key in unit.envelopes() if key.owner == (conversation, epoch))
        return [key.seal(content, unit.random, PART) for content in contents]


def test_what_is_no_part_in_the_envelope_of_one_is_set_aside() -> None:
    world = team(6)
    bob, mallory = world.people[1], world.people[3]
    for parcel in of_insider(mallory, [b"", bytes(33), bytes(32) + b"\x02more", b"x" * 40]):
        deliver(world, bob, parcel)
    assert len(bob.set_aside()) == 4 and kept(bob) == 0


def test_halves_without_end_fill_no_disk_and_stop_no_commit() -> None:
    world = team(7)
    bob, mallory = world.people[1], world.people[3]
    halves = [bytes([number]) * 32 + b"\x00half" for number in range(40)]
    for parcel in of_insider(mallory, halves):
        deliver(world, bob, parcel)
    assert kept(bob) == limits.MAX_WAITING_PARTS
    for parcel in missed(world, bob):
        deliver(world, bob, parcel)
    assert epochs(world) == {2} and kept(bob) <= limits.MAX_WAITING_PARTS
    world.later(31 * 24 * 3600)
    bob.connect()
    world.settle()
    assert kept(bob) == 0, "which nobody waits for any more"


def test_a_void_commit_in_two_parts_is_passed_over_by_all() -> None:
    """Its digest is that of both parcels, to the server as to the members."""
    world = team(8)
    alice, bob, carol, mallory, _ = world.people
    whole, handle = Insider(world).seal(renamed)
    (record,) = mallory.conversations()
    with mallory.unit() as unit:
        opened = unit.open(record.id)
        key = unit.envelope_key(opened)
        copy = Group.deserialise(opened.group.serialise())
        parcels = key.seal_all(renamed(copy, unit), unit.random)
    assert len(parcels) == 2 and commit_digest(parcels) != commit_digest([whole])
    others = [alice, bob, carol]
    devices = [person.keys.device for person in others]
    from blackthorn.link import fanout

    name, chance = fanout.fanout_id(devices), world.chance.randbytes
    order = f.Order(handle, 0, chance(16))
    posting = f.Posting(chance(16), [f.Parcel(name, parcel) for parcel in parcels], order)
    assert mallory.wire is not None
    mallory.wire.say(f.Fanout(name, devices), f.Send([posting]))
    world.settle()
    for person in others:
        assert person.events().count(REFUSED) == 1 and not kept(person), person.name
    number = bob.change_group("team", [], [mallory])
    world.settle()
    assert not bob.outcomes[number].error
    all_agree(world, "alice", "bob", "carol")


def test_of_two_changes_at_once_in_parts_one_comes_first() -> None:
    world = team(9)
    alice, bob, _, mallory, dave = world.people
    alice.change_group("team", [dave], [])
    bob.change_group("team", [], [mallory])
    world.settle()
    all_agree(world, "alice", "bob", "carol", "dave")
    assert not any(kept(person) for person in world.people)


def test_a_change_that_no_posting_holds_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    world = team(10)
    alice, dave = world.people[0], world.people[4]
    monkeypatch.setattr(limits, "MAX_PARTED_BYTES", 2500)
    number = alice.change_group("team", [dave], [])
    world.settle()
    assert "too large" in alice.outcomes[number].error
    alice.write_group("team", "a text goes all the same")
    world.settle()
    assert world.people[1].received() == ["a text goes all the same"]
