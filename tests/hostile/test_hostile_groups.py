"""Hostile groups: ghosts by every way into one, false leaves, forks (attacks 15 to 20, 25 to 28).

Nobody here is accused of more than can be shown: what does not hold is set aside, unopened, and
the state of the group is the same as before, bit for bit.
"""

from dataclasses import replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.device.core import envelope
from blackthorn.device.core.group_metadata import DIRECT, GROUP, GroupMetadata
from blackthorn.device.core.members import identify, identities
from blackthorn.ids import device_id
from blackthorn.link import frames as f
from blackthorn.mls import suites
from blackthorn.mls.codepoints import EXTERNAL_SENDERS
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing.external_proposing import (
    propose_as_external_sender,
    propose_to_be_added,
)
from blackthorn.mls.framing.key_package import parse_key_package
from blackthorn.mls.framing.proposals import Add, ReInit, Remove
from blackthorn.mls.group.group import Group
from blackthorn.wire.tls import opaque
from tests.support.attacks import attack
from tests.support.device_world import go_back_to
from tests.support.evil_server import EvilServer, changed
from tests.support.hostile_harness import conclude
from tests.support.insiders import (
    believe,
    hand_out,
    identity_of,
    inject,
    key_package,
    keys_of,
    parcels_of,
    sealed_by,
    states,
)

VOID = "sent a change that nobody may make; it was refused"


def team(seed, *names):
    """A world whose first people are in the group "team"."""
    world = EvilServer(seed, *names)
    first, *others = world.people[: len(names)]
    first.create_group("team", *others)
    first.write_group("team", world.secret("first"))
    world.settle()
    for person in others:
        assert len(person.received()) == 1
    return world


def goes_on(world, *people):
    """The group is as it was, and its members write in it."""
    first, *others = people
    text = world.secret("and on")
    first.write_group("team", text)
    world.settle()
    for person in others:
        assert person.received()[-1] == text, person.name


def verified(package, world):
    return parse_key_package(package, now=int(world.now), validate=believe)


def fresh_keys(world):
    return suites.suite(suites.DEFAULT_SUITE).generate_signature_key(world.chance.randbytes)


def name_of(keys):
    return device_id(keys[1])


# --- 15: from outside, without a key ------------------------------------------------------


@attack(15)
def test_what_a_server_makes_by_itself_is_accepted_by_nobody():
    """Each kind of message, bare and in envelopes, and true parcels with a bit changed."""
    world = team(1301, "alice", "bob", "carol")
    members = world.people[:3]
    ghost = world.ghost(members[1])
    keys = keys_of(ghost)
    package, private = key_package(world, ghost.address, ghost.keys.device, keys)
    chosen = suites.suite(suites.DEFAULT_SUITE)
    group_id = members[0].conversations()[0].id  # a guess that is right
    own = Group.create(
        chosen,
        group_id,
        identity_of(ghost).credential(),
        *keys,
        random=world.chance.randbytes,
        now=int(world.now),
        extensions=[GroupMetadata(GROUP, "team", 5).extension()],
    )
    made = own.commit(
        add=[verified(taken(world, members[0]), world)],
        random=world.chance.randbytes,
        now=int(world.now),
        validate=believe,
    )
    own.merge_pending()
    messages = [
        made.commit,
        made.welcome,
        own.encrypt(b"hello", random=world.chance.randbytes),
        own.propose_add(verified(package, world), random=world.chance.randbytes),
        propose_to_be_added(group_id, 1, private, keys[0]),
        propose_as_external_sender(chosen, group_id, 1, 0, Remove(0), keys[0]),
        own.group_info(),
        package,
    ]
    true = [each for each in parcels_of(world) if each[:1] == b"\x01"]
    before = states(*members)
    random = world.chance.randbytes
    parcels = [b"\x01" + each for each in messages]
    parcels += [b"\x01" + random(24) + each for each in messages]
    parcels += [b"\x02" + each for each in messages if each != made.welcome]
    for sealed in true:
        place = world.chance.randrange(len(sealed))
        parcels.append(sealed[:place] + bytes([sealed[place] ^ 4]) + sealed[place + 1 :])
    inject(world, parcels, *members)
    assert states(*members) == before
    assert all(len(each.set_aside()) == len(parcels) for each in members)
    goes_on(world, *members)
    conclude(world)


def taken(world, person):
    """A key package of the person, which nobody else gets."""
    query = (
        "DELETE FROM key_package WHERE rowid = (SELECT rowid FROM key_package"
        " WHERE device = ? AND last_resort = 0 LIMIT 1) RETURNING package"
    )
    return world.database.writing.execute(query, (person.number,)).get


# --- 16, 17: from outside, with a member's help -------------------------------------------


@attack(16)
@pytest.mark.parametrize("name", ["a stranger", "a colleague", "the member himself"])
def test_nobody_joins_by_an_external_commit(name):
    """Mallory hands out the GroupInfo and seals the Commit; its leaf is anybody's."""
    world = team(1302, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people
    keys = fresh_keys(world)
    address = {
        "a stranger": "ghost@acme.example",
        "a colleague": bob.address,
        "the member himself": mallory.address,
    }[name]
    credential = replace(identity_of(mallory), address=address, device=name_of(keys)).credential()

    def join(group, unit):
        _, commit = Group.join_externally(
            group.group_info(),
            credential,
            *keys,
            random=world.chance.randbytes,
            now=int(world.now),
            validate=believe,
        )
        return commit

    before = states(alice, bob)
    inject(world, [sealed_by(world, mallory, "team", join)], alice, bob)
    assert states(alice, bob) == before
    assert alice.set_aside() and bob.set_aside()
    goes_on(world, alice, bob)
    conclude(world)


@attack(17)
@pytest.mark.parametrize("what", ["to be added", "as external sender", "a member's own"])
def test_no_proposal_is_taken_neither_from_outside_nor_from_a_member(what):
    world = team(1303, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people
    ghost = world.ghost(bob)
    package, private = key_package(world, bob.address, ghost.keys.device, keys_of(ghost))

    def propose(group, unit):
        if what == "to be added":
            return propose_to_be_added(group.group_id, group.epoch, private, ghost.keys.identity)
        add = Add(private.package)
        if what == "a member's own":
            return group.propose_add(verified(package, world), random=world.chance.randbytes)
        return propose_as_external_sender(
            group.suite, group.group_id, group.epoch, 0, add, ghost.keys.identity
        )

    inject(world, [sealed_by(world, mallory, "team", propose)], alice, bob)
    assert alice.set_aside() and bob.set_aside()
    yves = world.bystanders[0]
    alice.change_group("team", [yves], [])
    world.settle()
    goes_on(world, alice, bob, yves)
    assert not ghost.conversations()
    conclude(world)


@attack(17)
def test_a_group_that_names_an_external_sender_takes_nothing_from_him_either():
    world = EvilServer(1304, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people
    world.look(mallory, alice, bob)
    keys = fresh_keys(world)
    named = replace(identity_of(mallory), device=name_of(keys)).credential()
    sender = opaque(keys[1]) + named.encode()
    extension = Extension(EXTERNAL_SENDERS, opaque(sender))
    group = Group.create(
        suites.suite(suites.DEFAULT_SUITE),
        world.chance.randbytes(32),
        identity_of(mallory).credential(),
        *keys_of(mallory),
        random=world.chance.randbytes,
        now=int(world.now),
        extensions=[GroupMetadata(GROUP, "trap", 5).extension(), extension],
    )
    made = group.commit(
        add=[verified(taken(world, each), world) for each in (alice, bob)],
        random=world.chance.randbytes,
        now=int(world.now),
        validate=believe,
    )
    group.merge_pending()
    inject(world, [envelope.seal_welcome(made.welcome)], alice, bob)
    proposal = propose_as_external_sender(
        group.suite, group.group_id, group.epoch, 0, Remove(1), keys[0]
    )
    key = group.export(envelope.EXPORT_LABEL, b"", envelope.KEY_BYTES)
    sealed = envelope.EnvelopeKey((group.group_id, group.epoch), Secret(key)).seal(
        proposal, world.chance.randbytes
    )
    before = states(alice, bob)
    inject(world, [sealed], alice, bob)
    assert states(alice, bob) == before and alice.set_aside() and bob.set_aside()
    conclude(world)


# --- 18, 19: false leaves -----------------------------------------------------------------

FALSE = ["his device, another key", "another device", "a person who does not exist"]


def false_package(world, victim, how):
    """A key package of the attacker's in somebody's name, and its private half."""
    keys = fresh_keys(world)
    match how:
        case "his device, another key":
            return key_package(world, victim.address, victim.keys.device, keys)
        case "another device":
            return key_package(world, victim.address, name_of(keys), keys)
    return key_package(world, "ghost@acme.example", name_of(keys), keys)


@attack(18)
@pytest.mark.parametrize("how", FALSE)
def test_a_member_adds_no_false_colleague(how):
    world = team(1305, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people
    package, _ = false_package(world, world.bystanders[0], how)
    welcomes = []

    def add(group, unit):
        made = group.commit(
            add=[verified(package, world)],
            random=unit.random,
            now=int(world.now),
            validate=believe,
        )
        welcomes.append(made.welcome)
        return made.commit

    before = states(alice, bob)
    inject(world, [sealed_by(world, mallory, "team", add)], alice, bob)
    if how == FALSE[0]:
        assert states(alice, bob) == before
        for person in (alice, bob):
            void = [line for line in person.events() if "that nobody may make" in line]
            assert void == [f"{mallory.address} {VOID}"], person.name
    assert not alice.set_aside() and not bob.set_aside()
    assert welcomes[0], "the false colleague could have joined"
    goes_on(world, alice, bob)
    false = identify(verified(package, world).credential)
    for person in (alice, bob):
        with person.unit() as unit:
            (record,) = unit.records.conversations.all()
            assert false not in identities(unit.open(record.id).group.members)
    conclude(world)


@attack(19)
@pytest.mark.parametrize("kind", [DIRECT, GROUP])
@pytest.mark.parametrize("how", FALSE)
def test_a_welcome_with_a_false_leaf_is_not_joined(how, kind):
    """Mallory's group looks like Alice's and Bob's, or has one false colleague in it."""
    world = EvilServer(1306, "alice", "bob")
    alice, bob, *_ = world.people
    keys = fresh_keys(world)
    device = {"his device, another key": alice.keys.device}.get(how, name_of(keys))
    address = alice.address if how != FALSE[2] else "ghost@acme.example"
    group = Group.create(
        suites.suite(suites.DEFAULT_SUITE),
        world.chance.randbytes(32),
        replace(identity_of(alice), address=address, device=device).credential(),
        *keys,
        random=world.chance.randbytes,
        now=int(world.now),
        extensions=[GroupMetadata(kind, "" if kind == DIRECT else "board", 5).extension()],
    )
    made = group.commit(
        add=[verified(taken(world, bob), world)],
        random=world.chance.randbytes,
        now=int(world.now),
        validate=believe,
    )
    inject(world, [envelope.seal_welcome(made.welcome)], bob)
    assert not bob.conversations() and bob.set_aside()
    alice.write(bob, "it is me")
    world.settle()
    bob.write(alice, world.secret("for alice alone"))
    world.settle()
    assert alice.received() and bob.received() == ["it is me"]
    conclude(world)


@attack(19)
def test_a_welcome_that_was_touched_is_not_joined_and_the_true_one_is():
    world = EvilServer(1307, "alice", "bob")
    alice, bob, *_ = world.people
    world.leave(bob)
    alice.create_group("team", bob)
    alice.write_group("team", world.secret())
    world.settle()
    welcome = next(each for each in parcels_of(world) if each[:1] == b"\x02")
    touched = []
    for _ in range(30):
        place = world.chance.randrange(1, len(welcome))
        bit = 1 << world.chance.randrange(8)
        touched.append(welcome[:place] + bytes([welcome[place] ^ bit]) + welcome[place + 1 :])
    for sealed in touched:
        world.put_parcel(bob, sealed)
    world.settle()
    world.come(bob)
    assert len(bob.received()) == 1 and len(bob.conversations()) == 1
    assert len(bob.set_aside()) == len(touched)
    assert "alice@acme.example added you" in bob.events()[0]
    told = bob.alarms()  # since the key package in the touched ones was used
    assert set(told) == {"key-package-reuse"}
    conclude(world, {bob: told})


# --- 20: key packages ---------------------------------------------------------------------


@attack(20)
@pytest.mark.parametrize("how", ["another user's", *FALSE])
def test_another_key_package_than_the_one_asked_for_is_refused(how):
    world = EvilServer(1308, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people
    package, _ = (
        key_package(world, mallory.address, mallory.keys.device, keys_of(mallory))
        if how == "another user's"
        else false_package(world, bob, how)
    )
    hand_out(world, bob, package)
    number = alice.write(bob, world.secret())
    world.settle()
    assert alice.outcomes[number].error and not alice.conversations()
    assert not mallory.history() and not bob.history()
    conclude(world, {alice: ["key-package-reuse"]})  # asked again, the server gave it again


@attack(20, alarm="key-package-reuse", checks=1)
def test_a_key_package_that_is_handed_out_twice_shows_to_its_owner_and_who_got_it_twice():
    world = EvilServer(1309, "alice", "bob", "carol")
    alice, bob, carol, *_ = world.people
    hand_out(world, bob, taken(world, bob))
    alice.write(bob, world.secret("from alice"))
    world.settle()
    carol.write(bob, world.secret("from carol"))
    world.settle()
    assert len(bob.received()) == 1
    alice.create_group("team", bob)
    world.settle()
    told = bob.alarms()
    assert set(told) == {"key-package-reuse"}
    conclude(world, {bob: told, alice: ["key-package-reuse"]})


# --- 25: a fork ---------------------------------------------------------------------------


@attack(25)
def test_the_halves_of_a_forked_group_share_no_key_and_each_sees_it():
    """The server takes two Commits of one epoch, and shows each half another one."""
    world = team(1310, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave, *_ = world.people
    commits = []

    def take_both(frame):
        if not isinstance(frame, f.Send):
            return frame
        for posting in frame.postings:
            sealed = posting.parcels[0].sealed
            if posting.order is not None and sealed not in commits:
                commits.append(sealed)
        postings = [f.Posting(each.id, each.parcels, None) for each in frame.postings]
        return f.Send(postings)

    def without(number):
        def withhold(frame):
            if not isinstance(frame, f.Deliver):
                return frame
            hidden = commits[number : number + 1]
            kept = [each for each in frame.parcels if each.sealed not in hidden]
            return changed(frame, parcels=kept) if kept else None

        return withhold

    world.mishear([alice, bob], take_both)
    world.lie([alice, carol], without(1))
    world.lie([bob, dave], without(0))
    yves, zoe = world.bystanders
    for person in (alice, bob):
        world.look(person, yves, zoe)
    alice.change_group("team", [yves], [])
    bob.change_group("team", [zoe], [])
    world.settle()
    assert len(commits) == 2
    alice.write_group("team", world.secret("in one half"))
    bob.write_group("team", world.secret("in the other"))
    world.settle()
    assert len(carol.received()) == 2 and len(dave.received()) == 2
    assert carol.received()[-1] != dave.received()[-1]
    for person in (alice, bob, carol, dave):
        assert person.set_aside(), f"{person.name} sees that something does not open"
    world.honest()
    alice.write(bob, world.secret("do you read me?"))
    world.settle()
    assert "do you read me?" in bob.received()[-1]
    alice.create_group("team again", bob, carol, dave)
    alice.write_group("team again", world.secret("all of us"))
    world.settle()
    assert all("all of us" in each.received()[-1] for each in (bob, carol, dave))
    for person in (yves, zoe):  # they were in halves of it: what is not theirs is theirs to see
        _forget_set_aside(person)
    conclude(world)


def _forget_set_aside(person):
    with person.vault.transaction() as records:
        records.parcels.forget_undecryptable_before(2**60)


# --- 26: who was removed ------------------------------------------------------------------


@attack(26)
def test_a_removed_member_reads_nothing_of_what_comes_after():
    """He has his old state, and the server gives him every parcel."""
    world = team(1311, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people
    world.ghosts.append(mallory)
    world.canaries.clear()
    old = states(mallory)
    before = mallory.conversations()
    for change in ("removed", "again"):
        if change == "removed":
            alice.change_group("team", [], [mallory])
        else:
            bob.change_group("team", [world.bystanders[0]], [])
        world.settle()
        alice.write_group("team", world.secret(change))
        world.settle()
        go_back_to(mallory, before)
        with mallory.vault.transaction() as records:
            records.parcels.forget_seen_before(2**60)
        mallory.restart()
        mallory.connect()
        later = [each for each in parcels_of(world)[2:] if each[:1] == b"\x01"]
        inject(world, later, mallory)
    assert old and not any("removed" in each or "again" in each for each in mallory.received())
    assert len(bob.received()) == 3
    conclude(world)


# --- 27, 28: suites -----------------------------------------------------------------------


@attack(27)
def test_a_key_package_of_a_weaker_suite_is_refused():
    world = EvilServer(1312, "alice", "bob")
    alice, bob, *_ = world.people
    weak = suites.suite(suites.SUITE_1)
    package, _ = key_package(world, bob.address, bob.keys.device, keys_of(bob), weak)
    hand_out(world, bob, package)
    number = alice.write(bob, world.secret())
    world.settle()
    assert "weaker suite" in alice.outcomes[number].error and not alice.conversations()
    conclude(world, {alice: ["key-package-reuse"]})  # asked again, the server gave it again


@attack(27)
def test_a_group_is_not_reinitialised_into_a_weaker_suite():
    world = team(1313, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people

    def weaken(group, unit):
        reinit = ReInit(unit.random(32), 1, suites.SUITE_1, ())
        return group.commit(
            reinit=reinit, random=unit.random, now=int(world.now), validate=believe
        ).commit

    before = states(alice, bob)
    inject(world, [sealed_by(world, mallory, "team", weaken)], alice, bob)
    assert states(alice, bob) == before
    for person in (alice, bob):
        assert f"{mallory.address} {VOID}" in person.events(), person.name
    goes_on(world, alice, bob)
    conclude(world)


@attack(27)
def test_a_welcome_into_a_group_of_a_weaker_suite_is_not_for_any_key_package():
    world = EvilServer(1314, "bob", "mallory")
    bob, mallory, *_ = world.people
    weak = suites.suite(suites.SUITE_1)
    package, _ = key_package(world, bob.address, bob.keys.device, keys_of(bob), weak)
    inject(world, [_welcome(world, mallory, weak, package)], bob)
    assert not bob.conversations() and bob.set_aside()
    conclude(world)


def _welcome(world, inviter, suite, package):
    group = Group.create(
        suite,
        world.chance.randbytes(32),
        identity_of(inviter).credential(),
        *keys_of(inviter),
        random=world.chance.randbytes,
        now=int(world.now),
        extensions=[GroupMetadata(GROUP, "board", 5).extension()],
    )
    made = group.commit(
        add=[verified(package, world)],
        random=world.chance.randbytes,
        now=int(world.now),
        validate=believe,
    )
    return envelope.seal_welcome(made.welcome)


@attack(28)
def test_a_number_with_other_parameters_opens_nothing(monkeypatch):
    """Mallory's program means AES-128 and SHA-256 by the number that is AES-256 and SHA-384."""
    world = EvilServer(1315, "alice", "bob", "mallory")
    alice, bob, mallory, *_ = world.people
    other = replace(suites.suite(suites.SUITE_XWING_AES128), number=suites.DEFAULT_SUITE)
    package = taken(world, bob)
    with monkeypatch.context() as patch:
        patch.setitem(suites._SUITES, suites.DEFAULT_SUITE, other)
        parcel = _welcome(world, mallory, other, package)
    inject(world, [parcel], bob)
    assert not bob.conversations() and bob.set_aside()
    alice.write(bob, world.secret())
    world.settle()
    state = alice.conversations()[0].state
    with monkeypatch.context() as patch:
        patch.setitem(suites._SUITES, suites.DEFAULT_SUITE, other)
        with pytest.raises(Exception, match="another suite by the same number"):
            Group.deserialise(state)
    assert bob.received()
    conclude(world)
