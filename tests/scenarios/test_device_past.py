"""What happened while a member was away: devices linked and revoked, and what they changed.

A Commit is merged whoever made it; what a former device changed is noted, confirmed by others or
undone before anything is sealed (H0 to H6 of the design of healing).
"""

from contextlib import contextmanager

import pytest

from blackthorn.device.conversations import content, conversations, key_packages, naming, noted
from blackthorn.device.core import envelope
from blackthorn.device.core.group_metadata import GroupMetadata
from blackthorn.device.core.members import addresses, identities, indices_of
from blackthorn.link import frames as f
from blackthorn.mls.errors import GenerationConsumed
from blackthorn.mls.framing.key_package import KeyPackagePrivate, parse_key_package
from blackthorn.mls.group.group import Group
from blackthorn.simulation.device import Person
from blackthorn.simulation.linking import add_device, bring_up, on_line, revoke
from tests.scenarios.test_device_hostile import _published
from tests.support.device_world import World


@contextmanager
def away(world: World, *people: Person):
    """These are off line, whatever connects meanwhile; then they come back."""
    for person in people:
        world.cut(person.wire)
        world.people.remove(person)
    yield
    world.people += people
    come(world)


def come(world: World) -> None:
    """Everybody is on line, and all is quiet."""
    on_line(world)
    world.settle()
    world.later(61)
    on_line(world)
    world.settle()


def devices_in(person: Person, name: str) -> set[bytes]:
    """The devices in the person's newest conversation of that name."""
    with person.unit() as unit:
        record = [one for one in unit.records.conversations.all() if one.name == name][-1]
        return {one.device for one in identities(unit.open(record.id).group.members)}


def users_in(person: Person, name: str) -> list[str]:
    with person.unit() as unit:
        record = [one for one in unit.records.conversations.all() if one.name == name][-1]
        return [user.partition("@")[0] for user in addresses(unit.open(record.id).group.members)]


def noted_in(person: Person, name: str) -> bool:
    with person.unit() as unit:
        record = [one for one in unit.records.conversations.all() if one.name == name][-1]
        return noted.in_conversation(unit, record.id)


def marks(person: Person) -> dict[str, str]:
    """Text → its mark, of all texts that have one."""
    return {line.text: line.mark for line in person.history() if line.mark}


def believe(*_: object) -> None:
    """The validator of somebody who keeps to no rule."""


def seal_commit(
    person: Person, name: str, add: tuple[Person, ...] = (), remove: tuple[Person, ...] = ()
) -> tuple[bytes, bytes | None]:
    """A Commit of the person's device past every gate, and its Welcome; it is merged there."""
    world = person.world
    with person.unit() as unit:
        record = [one for one in unit.records.conversations.all() if one.name == name][-1]
        conversation = unit.open(record.id)
        key = unit.envelope_key(conversation)
        packages = [
            parse_key_package(_published(world, one), now=int(world.now), validate=believe)
            for one in add
        ]
        gone = {one.keys.device for one in remove}
        leaving = indices_of(conversation.group, (), gone)
        made = conversation.group.commit(
            add=packages,
            remove=leaving,
            random=unit.random,
            now=int(world.now),
            validate=believe,
        )
        conversation.group.merge_pending()
        unit.moved(conversation)
        welcome = None if made.welcome is None else envelope.seal_welcome(made.welcome)
        return key.seal(made.commit, unit.random), welcome


def seal_text(person: Person, name: str, text: str) -> bytes:
    """A text of the person's device past every gate."""
    with person.unit() as unit:
        record = [one for one in unit.records.conversations.all() if one.name == name][-1]
        conversation = unit.open(record.id)
        body = content.encode(content.TextContent(unit.random(16), text, unit.now_ms, 0))
        sealed = conversation.group.encrypt(body, random=unit.random)
        return unit.envelope_key(conversation).seal(sealed, unit.random)


def tap(world: World) -> list[bytes]:
    """All sealed parcels that are sent from now on."""
    seen: list[bytes] = []
    take = world.dispatcher._submission._take

    def spy(session, posting, lists, left_out):
        seen.extend(parcel.sealed for parcel in posting.parcels)
        return take(session, posting, lists, left_out)

    world.dispatcher._submission._take = spy
    return seen


# --- A device was linked and revoked while a member was off line -------------------


def test_members_who_were_away_while_a_device_was_linked_and_revoked_follow_the_group() -> None:
    world = World(601, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = world.people
    alice.create_group("team", bob, carol, dave)
    world.settle()
    with away(world, carol, dave):
        laptop = add_device(bob, "laptop")
        laptop.write_group("team", "from the laptop")
        world.settle()
        revoke(bob, laptop)
        bring_up(world)
        alice.write_group("team", "after")
        world.settle()
    for person in (carol, dave):
        world.check_received(person, ["from the laptop", "after"])
        assert not person.set_aside() and not person.gaps() and not person.alarms()
        (mark,) = marks(person).values()
        assert mark.startswith("from a device revoked on 20")
    number = carol.write_group("team", "I am back")
    world.settle()
    assert not carol.outcomes[number].error
    for person in (alice, bob, dave):
        assert "I am back" in person.received()
    assert "I am back" not in laptop.received()


def test_an_own_tablet_that_was_away_follows_all_conversations() -> None:
    world = World(602, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.create_group("team", bob, carol)
    bob.write(alice, "hello")
    world.settle()
    tablet = add_device(bob, "tablet")
    with away(world, tablet):
        laptop = add_device(bob, "laptop")
        revoke(bob, laptop)
        bring_up(world)
        alice.write(bob, "to you")
        carol.write_group("team", "to all")
        world.settle()
    assert {"to you", "to all"} <= set(tablet.received()) and not tablet.set_aside()
    tablet.write_group("team", "from the tablet")
    tablet.write(alice, "too")
    world.settle()
    assert {"from the tablet", "too"} <= set(alice.received())
    assert not {"from the tablet", "too"} & set(laptop.received())


def test_after_a_first_contact_by_a_device_that_was_revoked_since_the_live_one_is_read() -> None:
    world = World(603, "bob", "carol")
    bob, carol = world.people
    laptop = add_device(bob, "laptop")
    with away(world, carol):
        laptop.write(carol, "from the laptop")
        world.settle()
        revoke(bob, laptop)
        bring_up(world)
        bob.write(carol, "from the phone")
        world.settle()
    assert set(carol.received()) == {"from the laptop", "from the phone"}
    number = carol.write(bob, "to the phone")
    come(world)
    assert not carol.outcomes[number].error and "to the phone" in bob.received()
    assert "to the phone" not in laptop.received()


def test_a_first_text_of_a_former_device_is_answered_once_the_live_one_was_heard() -> None:
    """The phone's Commit, which removed the laptop, vouches for the conversation."""
    world = World(604, "bob", "carol")
    bob, carol = world.people
    laptop = add_device(bob, "laptop")
    with away(world, carol):
        laptop.write(carol, "from the laptop")
        world.settle()
        revoke(bob, laptop)
        bring_up(world)
    assert carol.received() == ["from the laptop"]
    carol.write(bob, "to the phone")
    come(world)
    assert "to the phone" in bob.received() and "to the phone" not in laptop.received()
    bob.write(carol, "here I am")
    come(world)
    assert "here I am" in carol.received()


# --- A removed person reads on -------------------------------------------------------


def test_a_member_who_was_away_seals_nothing_for_a_person_removed_meanwhile() -> None:
    world = World(605, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = world.people
    alice.create_group("team", bob, carol, dave)
    world.settle()
    with away(world, carol):
        laptop = add_device(bob, "laptop")
        revoke(bob, laptop)
        bring_up(world)
        alice.change_group("team", [], [dave])
        world.settle()
    assert users_in(carol, "team") == ["alice", "bob", "carol"]
    carol.write_group("team", "not for dave")
    world.settle()
    assert "not for dave" in alice.received() and "not for dave" in bob.received()
    assert "not for dave" not in dave.received()


# --- What a former device changed -------------------------------------------------------------


def withhold(world: World, person: Person) -> None:
    """The server loses what waits for the person."""
    world.database.writing.execute("DELETE FROM mailbox WHERE device = ?", (person.number,))


def stolen(world: World) -> Person:
    """Bob's laptop, in the group of all but Mallory and Eve; then Carol goes off line."""
    alice, bob, carol, *others = world.people
    members = [one for one in others if one.name not in ("mallory", "eve")]
    alice.create_group("team", bob, carol, *members)
    world.settle()
    laptop = add_device(bob, "laptop")
    for person in (laptop, carol):
        world.cut(person.wire)
        world.people.remove(person)
    return laptop


def revoked(world: World, laptop: Person, carol: Person, *forged: bytes) -> None:
    """The laptop is revoked; the server withholds the honest Commits and gives Carol these.

    It keeps honest people away from her, whose answers would show her that she is elsewhere.
    """
    bob = next(person for person in world.people if person.name == "bob")
    revoke(bob, laptop)
    bring_up(world)
    for _ in range(3):
        come(world)  # and the others have taken it out
    withhold(world, carol)
    for parcel in forged:
        world.put_parcel(carol, parcel)
    world.settle()
    hide(world, *[one for one in world.people if one.name in ("alice", "bob", "tablet")])
    world.people.append(carol)
    come(world)


def hide(world: World, *people: Person) -> None:
    """Who works for the thief is off line: their devices send nothing by themselves."""
    for person in people:
        if person.wire is not None:
            world.cut(person.wire)
        world.people.remove(person)


def show(world: World, *people: Person) -> None:
    """They are on line, if they were not."""
    world.people += [person for person in people if person not in world.people]
    come(world)


def check_sealed_for_nobody_else(world: World, carol: Person, *others: Person) -> None:
    """What Carol writes now is opened by none of these, though the server gives it to them."""
    sent = tap(world)
    carol.write_group("team", "secret")
    come(world)
    show(world, *others)
    for parcel in sent:
        for person in others:
            world.put_parcel(person, parcel)
    world.settle()
    assert sent and not any("secret" in person.received() for person in others)


def test_what_a_revoked_laptop_and_its_guests_add_gets_no_text() -> None:
    """C1, C2: the laptop adds Mallory, Mallory adds Eve, both talk; the server helps them."""
    world = World(611, "alice", "bob", "carol", "mallory", "eve")
    _, _, carol, mallory, eve = world.people
    laptop = stolen(world)
    first, welcome = seal_commit(laptop, "team", add=(mallory,))
    world.put_parcel(mallory, welcome)
    world.settle()
    second, welcome = seal_commit(mallory, "team", add=(eve,))
    world.put_parcel(eve, welcome)
    world.settle()
    hide(world, mallory, eve)
    talk = seal_text(mallory, "team", "hello"), seal_text(eve, "team", "hi")
    revoked(world, laptop, carol, first, second, *talk)
    assert {"hello", "hi"} <= set(carol.received())
    assert any("nobody has confirmed it yet" in text for text in carol.events())
    check_sealed_for_nobody_else(world, carol, mallory, eve)
    assert users_in(carol, "team") == ["alice", "bob", "carol"]
    assert laptop.keys.device not in devices_in(carol, "team")


def test_what_a_lost_laptop_changed_stays_once_another_member_has_spoken() -> None:
    """H4: the laptop had added Mallory while it was Bob's; Alice writes to all of them."""
    world = World(612, "alice", "bob", "carol", "mallory")
    alice, bob, carol, mallory = world.people
    laptop = stolen(world)
    world.people.append(laptop)
    laptop.connect()
    laptop.change_group("team", [mallory], [])
    come(world)
    world.cut(laptop.wire)
    world.people.remove(laptop)
    revoke(bob, laptop)
    bring_up(world)
    alice.write_group("team", "welcome, Mallory")
    world.settle()
    world.people.append(carol)
    come(world)
    assert not noted_in(carol, "team")
    confirmed = [text for text in carol.events() if "has confirmed" in text]
    assert len(confirmed) == 1 and confirmed[0].startswith(alice.address)
    carol.write_group("team", "from carol")
    world.settle()
    assert "from carol" in mallory.received()


def test_the_phone_that_revoked_the_laptop_stays_and_whom_it_removed_stays_out() -> None:
    """Test 6: Bob's first device links the phone and removes Dave; the phone revokes it."""
    world = World(613, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = world.people
    alice.create_group("team", bob, carol, dave)
    world.settle()
    with away(world, carol):
        phone = add_device(bob, "phone")
        bob.change_group("team", [], [dave])
        world.settle()
        revoke(phone, bob)
        bring_up(world)
    assert not noted_in(carol, "team"), "the phone's own Commit has confirmed it"
    carol.write_group("team", "for bob's phone")
    come(world)
    assert users_in(carol, "team") == ["alice", "bob", "carol"]
    assert "for bob's phone" in phone.received() and "for bob's phone" in alice.received()
    assert "for bob's phone" not in dave.received() + bob.received()


def test_a_member_whom_a_revoked_laptop_removed_one_device_of_comes_back() -> None:
    """H3: live devices come back if their user is in the group still."""
    world = World(614, "alice", "bob", "carol", "mallory")
    alice, _, carol, mallory = world.people
    tablet = add_device(alice, "tablet")
    laptop = stolen(world)
    forged, _ = seal_commit(laptop, "team", add=(mallory,), remove=(tablet,))
    revoked(world, laptop, carol, forged)
    check_sealed_for_nobody_else(world, carol, mallory)
    assert tablet.keys.device in devices_in(carol, "team")
    assert users_in(carol, "team") == ["alice", "bob", "carol"]


def test_a_user_whom_a_revoked_laptop_removed_wholly_is_asked_about_and_not_added_back() -> None:
    world = World(618, "alice", "bob", "carol", "dave")
    dave = world.people[3]
    carol = world.people[2]
    laptop = stolen(world)
    forged, _ = seal_commit(laptop, "team", remove=(dave,))
    revoked(world, laptop, carol, forged)
    (asked,) = [text for text in carol.events() if text.endswith("add them back?")]
    assert asked.startswith(dave.address)
    check_sealed_for_nobody_else(world, carol, dave, laptop)
    assert not noted_in(carol, "team") and users_in(carol, "team") == ["alice", "bob", "carol"]


def test_an_old_lookup_confirms_nothing_and_without_one_the_additions_go_out() -> None:
    """Tests 7: Carol has looked Bob up a moment before, then the server answers no more."""
    world = World(615, "alice", "bob", "carol", "mallory")
    _, bob, carol, mallory = world.people
    world.introduce(carol)
    laptop = stolen(world)
    forged, _ = seal_commit(laptop, "team", add=(mallory,))
    world.people.append(carol)
    come(world)
    world.introduce(carol)
    assert laptop.keys.device in {one.id for one in carol.chain_of(bob).devices}
    world.dispatcher._handlers[f.LookUp] = lambda *_: None
    world.put_parcel(carol, forged)
    world.settle()
    assert noted_in(carol, "team")
    number = carol.write_group("team", "secret")
    world.settle()
    assert not carol.outcomes[number].final, "it is sealed for nobody before a lookup"
    sent = tap(world)
    for _ in range(5):
        world.later(31)
        come(world)
    assert carol.outcomes[number].final and not carol.outcomes[number].error
    assert users_in(carol, "team") == ["alice", "bob", "carol"]
    come(world)
    for parcel in sent:
        world.put_parcel(mallory, parcel)
    world.settle()
    assert sent and "secret" not in mallory.received()


def test_while_witnesses_are_silent_additions_go_out_and_removals_stand() -> None:
    """Test 16: no lookup is younger than what was read; a revocation is signed all the same."""
    world = World(616, "alice", "bob", "carol", "dave", "mallory")
    _, bob, carol, _, mallory = world.people
    laptop = stolen(world)
    dave = next(person for person in world.people if person.name == "dave")
    forged, _ = seal_commit(laptop, "team", add=(mallory,), remove=(dave,))
    world.cosigning = False
    world.later(2 * 3600)
    come(world)
    number = revoke(bob, laptop)
    world.settle()
    assert bob.outcomes[number].final and not bob.outcomes[number].error
    withhold(world, carol)
    world.put_parcel(carol, forged)
    world.people.append(carol)
    come(world)
    sent = tap(world)
    number = carol.write_group("team", "secret")
    for _ in range(6):
        world.later(31)
        come(world)
    assert carol.outcomes[number].final and not carol.outcomes[number].error
    assert users_in(carol, "team") == ["alice", "bob", "carol"]
    for parcel in sent:
        world.put_parcel(mallory, parcel)
        world.put_parcel(dave, parcel)
    world.settle()
    assert sent and "secret" not in mallory.received() + dave.received()


def test_nothing_is_sealed_where_a_revoked_laptop_invited_before_somebody_vouches() -> None:
    """Test 8: the laptop makes a group with Mallory, who talks; this person alone may say yes."""
    world = World(617, "alice", "bob", "carol", "mallory")
    _, bob, carol, mallory = world.people
    laptop = stolen(world)
    with laptop.unit() as unit:
        packages = [
            parse_key_package(_published(world, one), now=int(world.now), validate=believe)
            for one in (carol, mallory)
        ]
        _, welcome = conversations.create(
            unit, GroupMetadata("group", "trap", unit.now_ms), "trap", packages
        )
    world.put_parcel(mallory, envelope.seal_welcome(welcome))
    world.settle()
    hide(world, mallory)
    talk = seal_text(mallory, "trap", "hello")
    revoked(world, laptop, carol, envelope.seal_welcome(welcome), talk)
    assert "hello" in carol.received()
    (told,) = [text for text in carol.events() if "added you; in the group" in text][-1:]
    assert told.startswith(f"a device of {bob.address} revoked on 20")
    carol.write_group("trap", "secret")
    come(world)
    problems = [one.error for one in carol.outcomes.values() if not one.final]
    assert any("blackthorn group confirm trap" in problem for problem in problems)
    show(world, mallory)
    assert carol.waiting() and "secret" not in mallory.received()
    with carol.unit() as unit:
        naming.confirm(unit, "trap")
        (record,) = [one for one in unit.records.conversations.all() if one.name == "trap"]
        assert not noted.by_former_inviter(unit, record.id)


# --- Late texts, removals -----------------------------------------------------------------------


def test_a_text_of_a_revoked_laptop_that_comes_late_is_refused_with_an_alarm() -> None:
    """H5: it is sealed in an epoch that Alice can still read."""
    world = World(621, "alice", "bob", "carol")
    alice, bob, _ = world.people
    laptop = stolen(world)
    early, late = seal_text(laptop, "team", "early"), seal_text(laptop, "team", "late")
    world.put_parcel(alice, early)
    world.settle()
    revoke(bob, laptop)
    bring_up(world)
    assert "early" in alice.received() and not alice.alarms()
    world.put_parcel(alice, late)
    world.settle()
    assert "late" not in alice.received() and alice.alarms() == ["revoked-device-active"]
    with alice.unit() as unit:
        (record,) = [one for one in unit.records.conversations.all() if one.name == "team"]
        conversation = unit.open(record.id)
        (_, epoch), message = envelope.open_group_parcel(late, unit.envelopes())
        conversation.recall(unit.records, epoch)
        with pytest.raises(GenerationConsumed):
            conversation.group.process(message, validate=believe)
    assert "early" not in marks(alice), "it was Bob's device when it was read"


def test_a_text_of_a_person_removed_a_month_ago_is_not_shown() -> None:
    """A hostile server delivers it; it is sealed in an epoch in which they were a member."""
    world = World(622, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    alice.create_group("team", bob, mallory)
    world.settle()
    late = seal_text(mallory, "team", "sealed a month late")
    alice.change_group("team", [], [mallory])
    world.settle()
    world.wake(30 * 86_400)
    for person in (alice, bob):
        world.put_parcel(person, late)
    world.settle()
    assert "sealed a month late" not in alice.received() + bob.received()


def test_whom_a_revoked_laptop_removes_keeps_the_epoch_and_does_not_believe_it() -> None:
    """H6: the conversation is suspected, the members have the word."""
    world = World(622, "alice", "bob", "carol")
    _, bob, carol = world.people
    laptop = stolen(world)
    forged, _ = seal_commit(laptop, "team", remove=(carol,))
    revoked(world, laptop, carol, forged)
    (record,) = [one for one in carol.conversations() if one.name == "team"]
    assert record.standing == "suspect" and carol.keys.device in devices_in(carol, "team")
    (told,) = [text for text in carol.events() if "removed this device" in text]
    assert told.startswith(f"a device of {bob.address} revoked on 20")


def test_an_added_leaf_that_is_not_its_users_is_shown_as_such_and_put_out() -> None:
    """H1: a live member adds a device that no ledger has listed; it talks."""
    world = World(623, "alice", "bob", "mallory")
    alice, bob, mallory = world.people
    mallory.create_group("board", alice, bob)
    world.settle()
    ghost = Person.first(world, 99, "bob")
    with ghost.unit() as unit:
        (package,) = key_packages.make(unit, 1)
    with mallory.unit() as unit:
        verified = parse_key_package(package, now=int(world.now), validate=believe)
        (record,) = unit.records.conversations.all()
        conversation = unit.open(record.id)
        key = unit.envelope_key(conversation)
        made = conversation.group.commit(
            add=[verified], random=unit.random, now=int(world.now), validate=believe
        )
        forged = key.seal(made.commit, unit.random)
    with ghost.unit() as unit:
        private, _ = unit.records.key_packages.find(verified.package.reference)
        group = Group.join(
            made.welcome,
            KeyPackagePrivate.deserialise(private),
            ghost.keys.identity,
            validate=believe,
        )
        unit.adopt(conversations.Conversation(record, group))
    world.put_parcel(alice, forged)
    world.put_parcel(alice, seal_text(ghost, "board", "wire it to me"))
    world.settle()
    assert marks(alice) == {"wire it to me": f"not {bob.address}'s device"}
    assert ghost.keys.device in devices_in(alice, "board")
    alice.write_group("board", "secret")
    come(world)
    assert ghost.keys.device not in devices_in(alice, "board")
    assert bob.keys.device in devices_in(alice, "board")
