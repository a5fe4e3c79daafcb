"""When no device is left: the printed words, and a reset, cancelled or not."""

from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import alarms, local_chain
from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.ports.device_store import AlarmRecord
from blackthorn.simulation.device import Person
from blackthorn.simulation.ledger import DELAY_MS
from blackthorn.simulation.linking import add_device, bring_up, revoke
from blackthorn.simulation.recovery import Recoverer, reset, state_recovery
from tests.scenarios.test_device_life import chain_of, members
from tests.support.device_world import World


def test_the_words_bring_a_device_back_and_everybody_is_told() -> None:
    world = World(1, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "before")
    world.settle()
    words, check = state_recovery(alice)
    alice.restart()
    world.people.remove(alice)  # she has lost it
    lost = alice.keys.info(alice.name)
    found = Recoverer(world, "new phone")
    found.recover(words.upper(), alice.address, check)
    world.settle()
    assert found.refusal == "" and found.failure is None
    world.publish()
    phone = found.person()
    bring_up(world)
    chain = chain_of(phone)
    assert {each.name for each in chain.devices} == {"alice", "new phone"}
    assert phone.keys.device in chain.recovered
    with phone.vault.transaction() as records:
        assert mail_keys.has(records, chain.openpgp.fingerprint), "it states a key of its own"
    phone.enqueue(lambda unit: change_chain.enqueue_revocation(unit, lost, "lost"))
    bring_up(world)
    assert [each.name for each in chain_of(phone).devices] == ["new phone"]
    phone.write(bob, "I am back")
    world.settle()
    assert bob.received() == ["before", "I am back"]
    assert any("with the recovery key" in each for each in bob.events())
    bob.write(alice, "good")
    world.settle()
    assert phone.received() == ["good"]


def test_who_connects_before_the_ledger_shows_the_recovery_is_not_alarmed() -> None:
    world = World(7, "alice", "bob", epoch_ms=10_000)
    alice, bob = world.people
    words, check = state_recovery(alice)
    found = Recoverer(world, "new phone")
    found.recover(words, alice.address, check)
    world.settle()
    assert found.refusal == ""
    phone = found.person()
    world.settle()
    assert chain_of(phone).device(phone.keys.device) is None, "the ledger shows it already"
    bring_up(world)
    assert chain_of(phone).device(phone.keys.device) is not None
    assert not phone.alarms()
    phone.write(bob, "I am back")
    bring_up(world)
    assert bob.received() == ["I am back"]


def test_without_the_words_the_server_says_nothing() -> None:
    world = World(2, "alice", "bob")
    alice, bob = world.people
    words, check = state_recovery(alice)
    other, _ = state_recovery(bob)
    for typed, address in ((other, alice.address), (words, bob.address), (words, "x@acme.example")):
        found = Recoverer(world, "thief")
        found.recover(typed, address, check)
        world.settle()
        assert found.bye is not None and found.bye.code == Code.RECOVERY_REFUSED
        assert found.refusal is None
    assert chain_of(alice).seq == 2


def test_another_server_than_that_of_the_paper_gets_no_statement() -> None:
    world = World(3, "alice", "bob")
    alice, _ = world.people
    words, check = state_recovery(alice)
    found = Recoverer(world, "new phone")
    found.recover(words, alice.address, check, fingerprint=b"\x66" * 32)
    world.settle()
    assert found.failure is not None and "nothing was signed" in str(found.failure)
    assert found.refusal is None and chain_of(alice).seq == 2


def test_a_recovery_whose_answer_was_lost_is_done_once() -> None:
    world = World(4, "alice", "bob")
    alice, _ = world.people
    words, check = state_recovery(alice)
    found = Recoverer(world, "new phone")
    for _ in range(2):
        found.recover(words, alice.address, check)
        while found.wire.to_server or found.wire.to_device:
            world.step_wire(found.wire, to_server=True) or world.step_wire(
                found.wire, to_server=False
            )
        world.writer.commit()
        world.cut(found.wire)
    found.recover(words, alice.address, check)
    world.settle()
    assert found.refusal == ""
    bring_up(world)
    assert [each.name for each in chain_of(alice).devices] == ["alice", "new phone"]


def test_words_that_were_replaced_are_worth_nothing() -> None:
    world = World(5, "alice", "bob")
    alice, _ = world.people
    old, check = state_recovery(alice)
    new, _ = state_recovery(alice)
    found = Recoverer(world, "thief")
    found.recover(old, alice.address, check)
    world.settle()
    assert found.bye is not None and found.bye.code == Code.RECOVERY_REFUSED
    found = Recoverer(world, "new phone")
    found.recover(new, alice.address, check)
    world.settle()
    assert found.refusal == ""


# --- Reset --------------------------------------------------------------------------------


def wait_for_delay(world: World) -> None:
    """The ledger's delay passes; devices look again."""
    for _ in range(5):
        world.later(DELAY_MS / 1000 / 4)
        world.publish()
        for person in world.people:
            person.connect()
        world.settle()
    bring_up(world)


def all_alarms(person: Person) -> list[AlarmRecord]:
    """Those that have ended too."""
    with person.vault.transaction() as records:
        return records.directory.alarms()


def test_a_reset_is_cancelled_by_a_device_that_was_left() -> None:
    world = World(6, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "before")
    world.settle()
    thief = reset(world, "alice", "thief")
    bring_up(world)
    assert "own-reset" in alice.alarms()
    assert chain_of(alice).pending.device.name == "thief"
    number = alice.enqueue(change_chain.enqueue_cancel)
    bring_up(world)
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    for person in (alice, bob):
        (ended,) = all_alarms(person)
        assert ended.code in ("own-reset", "reset-pending") and ended.ended_ms, person.name
        assert person.alarms() == [], "nothing of the cancelled reset is open"
    wait_for_delay(world)
    assert len(all_alarms(alice)) == len(all_alarms(bob)) == 1
    assert [each.name for each in chain_of(alice).devices] == ["alice"]
    assert chain_of(alice).pending is None
    thief.connect()
    world.settle()
    assert thief.wire is None, "the device of a cancelled reset has no place"
    bob.write(alice, "still you?")
    world.settle()
    assert alice.received() == ["still you?"]


def test_a_reset_that_nobody_cancels_takes_effect_after_the_delay() -> None:
    world = World(7, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "before")
    bob.write(alice, "an answer")
    world.settle()
    world.cut(alice.wire)
    world.people.remove(alice)
    phone = reset(world, "alice")
    bring_up(world)
    assert chain_of(phone).pending is not None
    assert phone.received() == []
    wait_for_delay(world)
    chain = chain_of(phone)
    assert [each.name for each in chain.devices] == ["new phone"] and chain.pending is None
    with phone.vault.transaction() as records:
        assert chain.openpgp is not None and mail_keys.has(records, chain.openpgp.fingerprint)
    bob.write(alice, "who are you?")
    world.settle()
    bring_up(world)
    assert phone.received() == ["who are you?"]
    assert members(bob, "direct")[-1] == {bob.keys.device, phone.keys.device}
    assert any("was reset" in each for each in bob.events())
    phone.write(bob, "it is me, with nothing left")
    world.settle()
    assert bob.received()[-1] == "it is me, with nothing left"


def test_who_has_verified_her_sends_nothing_after_a_reset_until_he_accepts() -> None:
    from blackthorn.device.transparency import verified

    world = World(8, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "before")
    world.settle()
    with bob.unit() as unit:
        verified.mark(unit, alice.address)
    world.cut(alice.wire)
    world.people.remove(alice)
    phone = reset(world, "alice")
    wait_for_delay(world)
    assert "verified-reset" in bob.alarms()
    number = bob.write(alice, "secret")
    world.settle()
    bring_up(world)
    assert phone.received() == []
    assert "stops it" in bob.outcomes[number].error and not bob.outcomes[number].final
    with bob.unit() as unit:
        for each in alarms.open_alarms(unit.records):
            alarms.accept(unit.records, each.number)
        assert not verified.is_verified(unit, alice.address), "a mark is for one identity"
    bring_up(world)
    assert phone.received() == ["secret"]


def test_a_mark_reaches_the_users_other_devices() -> None:
    from blackthorn.device.transparency import verified

    world = World(9, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "before")
    world.settle()
    tablet = add_device(bob, "tablet")
    with bob.unit() as unit:
        verified.mark(unit, alice.address)
    bring_up(world)
    with tablet.unit() as unit:
        assert verified.is_verified(unit, alice.address)


def test_a_mark_that_came_before_its_chain_counts_once_the_chain_is_known() -> None:
    from blackthorn.device.transparency import verified
    from blackthorn.identity.fingerprint import half

    world = World(11, "alice", "bob")
    alice, bob = world.people
    with bob.unit() as unit:
        identity = half(local_chain.own(unit)).hash
        known = unit.records.directory.chain(bob.address)
    with alice.unit() as unit:
        assert unit.records.directory.chain(bob.address) is None
        verified.put(unit, bob.address, identity, 7)
    for _ in range(8):  # until it trusts that nothing is due
        world.later(60)
        bring_up(world)
    with alice.unit() as unit:  # as another process of the device that has looked him up
        unit.records.directory.put_chain(known)
    for _ in range(3):  # on the same link: a new one looks at once
        world.settle()
        world.later(20)
    with alice.unit() as unit:
        assert unit.records.directory.chain(bob.address).verified_ms == 7


def test_a_device_that_was_revoked_does_not_reset_what_follows() -> None:
    """A revocation right before a reset: the reset's device is alone in the end."""
    world = World(10, "alice", "bob")
    alice, bob = world.people
    tablet = add_device(alice)
    revoke(alice, tablet)
    bring_up(world)
    phone = reset(world, "alice")
    bring_up(world)
    wait_for_delay(world)
    assert [each.name for each in chain_of(phone).devices] == ["new phone"]
    bob.write(alice, "hello")
    world.settle()
    bring_up(world)
    assert phone.received() == ["hello"]
    assert alice.received() == tablet.received() == []


def team_with_a_lost_device(seed: int):
    """A group in which Carol has a revoked device only, of which the server tells nobody."""
    world = World(seed, "alice", "bob", "carol", "dave")
    world.dispatcher.push = lambda frame: None
    world.dispatcher._handlers[f.FetchEpochs] = lambda session, frame, now: session.transmit(
        f.EpochPushed(frame.since, world.desk.size(), [])
    )
    alice, bob, carol, dave = world.people
    alice.create_group("team", bob, carol)
    world.settle()
    words, check = state_recovery(carol)
    lost = carol.keys.info(carol.name)
    world.cut(carol.wire)
    world.people.remove(carol)
    found = Recoverer(world, "new phone")
    found.recover(words, carol.address, check)
    world.settle()
    world.publish()
    phone = found.person()
    bring_up(world)
    phone.enqueue(lambda unit: change_chain.enqueue_revocation(unit, lost, "lost"))
    bring_up(world)
    assert carol.keys.device in members(bob, "group")[0]
    return world, alice, bob, carol, dave


def test_who_adds_to_a_group_looks_its_members_up_and_takes_out_what_is_gone() -> None:
    world, alice, bob, _, dave = team_with_a_lost_device(11)
    world.later(3601)
    alice.connect()
    world.settle()
    alice.change_group("team", [dave], [])
    bring_up(world)
    bob.write_group("team", "hello")
    bring_up(world)
    assert dave.received() == ["hello"], [each.reason for each in dave.set_aside()]
    phone = world.people[-1]
    assert members(dave, "group") == [{p.keys.device for p in (alice, bob, dave, phone)}]


def test_a_device_joins_a_group_with_one_that_is_gone_and_seals_nothing_for_it() -> None:
    """Alice looked less than an hour ago, before the device was lost; Dave looks now."""
    world, alice, bob, carol, dave = team_with_a_lost_device(12)
    dave.device.directory.want([carol.address])
    world.settle()
    alice.change_group("team", [dave], [])
    world.settle()
    assert carol.keys.device in members(dave, "group")[0], [e.reason for e in dave.set_aside()]
    dave.write_group("team", "hello")
    bring_up(world)
    assert bob.received() == alice.received() == ["hello"]
    phone = world.people[-1]
    assert members(bob, "group") == [{p.keys.device for p in (alice, bob, dave, phone)}]
