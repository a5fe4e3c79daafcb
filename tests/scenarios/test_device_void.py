"""Void Commits (device/conversations/void.py): refused by all, and the changes of a group go on."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from blackthorn.device.core import envelope
from blackthorn.device.core.group_metadata import GroupMetadata
from blackthorn.device.operations.postings import HANDLE_BYTES, ORDER_LABEL
from blackthorn.link import fanout
from blackthorn.link import frames as f
from blackthorn.mls import suites
from blackthorn.mls.codepoints import EXTERNAL_SENDERS
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing.key_package import parse_key_package
from blackthorn.mls.framing.proposals import Commit, ReInit
from blackthorn.mls.group.group import Group
from tests.support.device_world import World
from tests.support.insiders import believe
from tests.support.mls_forge import path_of, send_commit
from tests.support.stranding import live

REFUSED = "mallory@acme.example sent a change that nobody may make; it was refused"


def team(seed):
    world = World(seed, "alice", "bob", "carol", "mallory")
    alice, *others = world.people
    alice.create_group("team", *others)
    alice.write_group("team", "first")
    world.settle()
    assert [person.received() for person in others] == [["first"]] * 3
    return world


def renamed(group, unit):
    """Rule (a) and (c): the conversation's metadata change."""
    facts = GroupMetadata("group", "another name", 5)
    made = group.commit(
        extensions=[facts.extension()],
        random=unit.random,
        now=unit.now_ms // 1000,
        validate=believe,
    )
    return made.commit


def enlarged(group, unit):
    """Rule (a) and (c): an extension that no program shows, and that every member stores."""
    kept = [*group.group_context_extensions, Extension(EXTERNAL_SENDERS, b"\x00")]
    made = group.commit(
        extensions=kept, random=unit.random, now=unit.now_ms // 1000, validate=believe
    )
    return made.commit


def reinitialised(group, unit):
    """Rule (c)."""
    reinit = ReInit(unit.random(32), 1, suites.SUITE_1, ())
    made = group.commit(
        reinit=reinit, random=unit.random, now=unit.now_ms // 1000, validate=believe
    )
    return made.commit


def forger(group, unit):
    return SimpleNamespace(
        at=group, private=unit.keys.identity, suite=group.suite, random=unit.random
    )


def wrongly_tagged(group, unit):
    """Rule (e)."""
    who = forger(group, unit)
    return send_commit(who, Commit((), path_of(who)))


def by_reference(group, unit):
    """Rule (c): it names a proposal that was sent alone."""
    who = forger(group, unit)
    return send_commit(who, Commit((unit.random(32),), path_of(who)))


def impersonating(group, unit):
    """Rule (b): the committer's leaf becomes that of another user (RFC 9420, 5.3.1)."""
    who = forger(group, unit)
    (other,) = [one for one in group.members if b"bob@acme" in one.credential.identity]
    path = path_of(who, leaf=lambda leaf: replace(leaf, credential=other.credential))
    return send_commit(who, Commit((), path))


VOID = [renamed, enlarged, reinitialised, wrongly_tagged, by_reference, impersonating]


class Insider:
    """Mallory, whose Commits go to whomever she likes, with an order or without."""

    def __init__(self, world):
        self.world, self.person = world, world.people[3]

    def seal(self, make, context=b""):
        """The sealed Commit, and the handle of this epoch with that context."""
        (record,) = self.person.conversations()
        with self.person.device.unit(self.world.now_ms) as unit:
            opened = unit.open(record.id)
            key = unit.envelope_key(opened)
            copy = Group.deserialise(opened.group.serialise())
            sealed = key.seal(make(copy, unit), unit.random)
            return sealed, copy.export(ORDER_LABEL, context, HANDLE_BYTES)

    def post(self, sealed, handle, *people):
        devices = [person.keys.device for person in people]
        name, chance = fanout.fanout_id(devices), self.world.chance.randbytes
        order = None if handle is None else f.Order(handle, 0, chance(16))
        posting = f.Posting(chance(16), [f.Parcel(name, sealed)], order)
        self.person.wire.say(f.Fanout(name, devices), f.Send([posting]))
        self.world.settle()


def all_agree(world, *names):
    """The members are in one epoch, and read what each of them writes."""
    people = [person for person in world.people if person.name in names]
    for person in people:
        text = f"{person.name} goes on"
        person.write_group("team", text)
        world.settle()
        for other in people:
            if other is not person:
                assert other.received()[-1] == text, (person.name, other.name)
    assert len({person.conversations()[0].epoch for person in people}) == 1


@pytest.mark.parametrize("make", VOID)
def test_a_void_commit_in_order_does_not_end_the_changes_of_a_group(make):
    world = team(3501)
    alice, bob, carol, mallory = world.people
    insider = Insider(world)
    sealed, handle = insider.seal(make)
    insider.post(sealed, handle, alice, bob, carol)
    for person in (alice, bob, carol):
        assert person.events().count(REFUSED) == 1, person.name
        assert not person.set_aside(), person.name
    number = bob.change_group("team", [], [mallory])
    world.settle()
    assert not bob.outcomes[number].error
    all_agree(world, "alice", "bob", "carol")
    assert bob.conversations()[0].epoch == 2, "the void Commit began no epoch"


def test_void_commits_one_after_the_other_are_passed_over_in_their_order():
    world = team(3502)
    alice, bob, carol, mallory = world.people
    insider, context = Insider(world), b""
    for _ in range(3):
        sealed, handle = insider.seal(renamed, context)
        insider.post(sealed, handle, alice, bob, carol)
        context = envelope.digest(sealed)
    carol.change_group("team", [], [mallory])
    world.settle()
    all_agree(world, "alice", "bob", "carol")


def test_a_void_commit_without_order_to_one_member_forks_nothing():
    world = team(3503)
    alice, bob, _, mallory = world.people
    insider = Insider(world)
    sealed, _ = insider.seal(renamed)
    insider.post(sealed, None, alice)
    assert REFUSED in alice.events() and REFUSED not in bob.events()
    alice.change_group("team", [], [mallory])
    bob.change_group("team", [], [mallory])
    world.settle()
    all_agree(world, "alice", "bob", "carol")
    assert alice.conversations()[0].epoch == 2, "one of the two changes took place"


def test_the_next_handle_is_of_the_commit_that_the_server_accepted_and_of_no_other():
    world = team(3504)
    alice, bob, carol, mallory = world.people
    insider = Insider(world)
    unordered, handle = insider.seal(renamed)
    insider.post(unordered, None, alice)
    ordered, _ = insider.seal(renamed)
    insider.post(ordered, handle, alice, bob, carol)
    for person in (alice, bob):
        person.change_group("team", [], [mallory])
    world.settle()
    all_agree(world, "alice", "bob", "carol")


def test_a_commit_that_has_not_come_is_waited_for_and_never_passed_over():
    world = team(3505)
    alice, bob, _, mallory = world.people
    insider = Insider(world)
    sealed, handle = insider.seal(renamed)
    insider.post(sealed, handle, bob)  # the list leaves the others out
    number = alice.change_group("team", [], [mallory])
    world.settle()
    assert not alice.outcomes[number].final and alice.conversations()[0].epoch == 1
    world.put_parcel(alice, sealed)  # a member gives her the same bytes
    world.settle()
    assert not alice.outcomes[number].error
    all_agree(world, "alice", "bob", "carol")


def test_who_comes_back_later_judges_alike():
    world = team(3506)
    alice, bob, carol, mallory = world.people
    world.cut(carol.wire)
    insider = Insider(world)
    sealed, handle = insider.seal(wrongly_tagged)
    insider.post(sealed, handle, alice, bob, carol)
    alice.change_group("team", [], [mallory])
    world.settle()
    carol.connect()
    world.settle()
    all_agree(world, "alice", "bob", "carol")


def test_a_removal_by_a_void_commit_removes_nobody():
    """It would also rename the group: the removed device judges by the bytes as all do."""
    world = team(3507)
    alice, bob, carol, _ = world.people

    def removed(group, unit):
        (index,) = [
            member.index
            for member in group.members
            if bytes(carol.keys.device) in member.credential.identity
        ]
        facts = GroupMetadata("group", "another name", 5)
        made = group.commit(
            remove=[index],
            extensions=[facts.extension()],
            random=unit.random,
            now=unit.now_ms // 1000,
            validate=believe,
        )
        return made.commit

    insider = Insider(world)
    sealed, handle = insider.seal(removed)
    insider.post(sealed, handle, alice, bob, carol)
    assert REFUSED in carol.events()
    all_agree(world, "alice", "bob", "carol", "mallory")


def test_nobody_joins_a_group_with_an_extension_that_is_not_shown():
    world = World(3508, "alice", "mallory")
    alice, mallory = world.people
    world.introduce(alice)
    (package,) = world.database.reading.execute(
        "SELECT package FROM key_package WHERE device = ? LIMIT 1", (alice.number,)
    ).fetchone()
    with mallory.device.unit(world.now_ms) as unit:
        group = Group.create(
            suites.suite(suites.DEFAULT_SUITE),
            unit.random(32),
            unit.me.credential(),
            unit.keys.identity,
            unit.keys.identity_public,
            random=unit.random,
            now=unit.now_ms // 1000,
            extensions=[
                GroupMetadata("group", "team", 5).extension(),
                Extension(EXTERNAL_SENDERS, b"\x00"),
            ],
        )
        verified = parse_key_package(package, now=unit.now_ms // 1000, validate=believe)
        made = group.commit(
            add=[verified], random=unit.random, now=unit.now_ms // 1000, validate=believe
        )
    world.put_parcel(alice, envelope.seal_welcome(made.welcome))
    world.settle()
    assert not alice.conversations()
    (aside,) = alice.set_aside()
    assert aside.reason == "the group has other extensions than a conversation has"


@pytest.mark.parametrize("shown", [True, False])
def test_a_commit_that_nobody_can_follow_is_given_up_after_three_days(shown):
    """It cannot be opened, or is shown to nobody; members agree that nothing followed."""
    world = team(3509)
    alice, bob, carol, mallory = world.people
    insider = Insider(world)
    sealed, handle = insider.seal(renamed)
    if shown:
        insider.post(b"\x01" + sealed[1:-1] + b"?", handle, alice, bob, carol)
    else:
        insider.post(sealed, handle, mallory)
    number = alice.change_group("team", [], [mallory])
    world.settle()
    for _ in range(4):
        world.wake(12 * 3600)
        live(world, 300)
    assert not alice.outcomes[number].final and alice.conversations()[0].epoch == 1
    for _ in range(3):
        world.wake(12 * 3600)
        live(world, 300)
    assert not alice.outcomes[number].error
    told = "alice@acme.example went on without a change that nobody could read or give"
    assert all(person.events().count(told) == 1 for person in (bob, carol))
    all_agree(world, "alice", "bob", "carol")


def test_a_commit_after_one_that_was_given_up_names_it():
    world = team(3510)
    alice, bob, _, mallory = world.people
    insider = Insider(world)
    sealed, handle = insider.seal(renamed)
    insider.post(sealed, handle, mallory)
    alice.change_group("team", [], [mallory])
    world.settle()
    with bob.device.unit(world.now_ms) as unit:
        (record,) = unit.records.conversations.all()
        copy = Group.deserialise(unit.open(record.id).group.serialise())
        keys = list(unit.envelopes())
    parcels, take = [], world.dispatcher._submission._take

    def spy(session, posting, lists, left_out):
        parcels.extend(parcel.sealed for parcel in posting.parcels if posting.order is not None)
        return take(session, posting, lists, left_out)

    world.dispatcher._submission._take = spy
    for _ in range(8):
        world.wake(12 * 3600)
        live(world, 300)
    here = [parcel for parcel in parcels if any(key.matches(parcel) for key in keys)]
    _, message = envelope.open_group_parcel(here[-1], keys)  # those before came second
    staged = copy.process(message, validate=believe)
    assert staged.authenticated_data == b"lost" + envelope.digest(sealed)
