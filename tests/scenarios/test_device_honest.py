"""Honest people and an honest server raise no alarm, whatever the schedule: or nobody heeds one.

Epochs come between answers and chains, links break in the middle of a lookup, the server dies
before and after it publishes, witnesses are silent for hours, clocks are wrong, two devices of
one user change the same chain, and two processes of one device ask at once.
"""

import random

import pytest

from blackthorn.device.engine import Device
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import own_chain
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import SetRecovery
from blackthorn.link import frames as f
from blackthorn.simulation.linking import add_device
from tests.support.device_world import World

HOUR = 3600
HOUR_MS = HOUR * 1000
YEAR_MS = 365 * 24 * HOUR * 1000


def change_own_chain(person):
    """A change of the person's own chain that takes nobody in or out."""
    keys = SigningKeys.generate(person.world.chance.randbytes).public
    what = "the recovery key"
    return person.enqueue(lambda unit: change_chain.enqueue(unit, what, SetRecovery(keys)))


def no_alarms(world):
    found = {person.name: person.alarms() for person in world.people if person.alarms()}
    assert not found, found


def stir(world, chance, steps):
    """Some messages move, here and there, and sometimes the ledger."""
    for _ in range(steps):
        if world.wires and chance.random() < 0.8:
            world.step_wire(chance.choice(world.wires), to_server=chance.random() < 0.5)
        elif chance.random() < 0.5:
            world.writer.commit()
        else:
            world._ledger_step()


@pytest.mark.parametrize("seed", range(8))
def test_no_honest_schedule_raises_an_alarm(seed):
    chance = random.Random(seed)
    world = World(800 + seed, "alice", "bob", "carol", epoch_ms=chance.choice([0, 0, 5_000]))
    alice, bob, carol = world.people
    tablet = add_device(alice)
    world.settle()
    bob.ahead_ms = chance.choice([0, -HOUR_MS, 30 * 60_000])
    alice.create_group("team", bob)
    world.settle()
    everyone = [alice, bob, carol, tablet]
    sent = []
    for number in range(50):
        person, action = chance.choice(everyone), chance.random()
        if action < 0.3:
            other = chance.choice(world.people[:3])
            if other.address != person.address:
                person.write(other, f"text {number}")
                sent.append((other.address, f"text {number}"))
        elif action < 0.5:
            change_own_chain(person)
        elif action < 0.6:
            person.look_up(*everyone)
        elif action < 0.7:
            person.connect()
        elif action < 0.78 and person.wire is not None:
            world.cut(person.wire)
        elif action < 0.85:
            person.restart()
        elif action < 0.9:
            world.crash(committed=chance.random() < 0.5)
        elif action < 0.95:
            world.cosigning = not world.cosigning
        else:
            world.later(chance.choice([30, 700, 2 * HOUR]))
        stir(world, chance, chance.randrange(40))
        world.later(chance.random() * 3)
    world.cosigning = True
    for _ in range(4):
        world.reconnect_all()
        world.wake(60)
    no_alarms(world)
    for address, text in sent:
        for person in everyone:
            if person.address == address:
                assert text in person.received() or _is_own(person, text), (person.name, text)
    assert all(person.waiting() == 0 for person in everyone)
    with alice.unit() as unit:
        assert own_chain.waiting(unit) is None


def _is_own(person, text):
    return any(line.text == text for line in person.history())


def test_a_link_that_breaks_at_any_moment_of_a_lookup_raises_no_alarm():
    for steps in range(14):
        world = World(820 + steps, "alice", "bob")
        alice, bob = world.people
        change_own_chain(bob)
        world.settle()
        alice.look_up(bob)
        for number in range(steps):
            world.step_wire(alice.wire, to_server=number % 2 == 0)
        change_own_chain(bob)
        world.settle() if steps % 3 else world.cut(alice.wire)
        alice.restart()
        world.reconnect_all()
        alice.write(bob, "hello")
        world.settle()
        world.check_received(bob, ["hello"])
        no_alarms(world)


@pytest.mark.parametrize("committed", [True, False])
def test_a_server_that_dies_round_an_epoch_raises_no_alarm(committed):
    for moment in range(6):
        world = World(840 + moment, "alice", "bob")
        alice, bob = world.people
        world.cosigning = False
        change_own_chain(bob)
        world.settle()
        world.cosigning = moment % 2 == 0
        for _ in range(moment // 2):
            world.writer.commit()
            world.ledger.cosign()
        world.crash(committed=committed)
        world.cosigning = True
        world.reconnect_all()
        alice.write(bob, "hello")
        world.settle()
        world.check_received(bob, ["hello"])
        no_alarms(world)


def test_epochs_between_an_answer_and_its_chain_raise_no_alarm():
    """Each time that Alice asks for the chain, it has grown; with a reset that needs receipts."""
    world = World(850, "alice", "bob")
    alice, bob = world.people
    fetch = world.dispatcher._handlers[f.FetchChain]
    grown = []

    def busy(session, frame, now):
        if len(grown) < 2 and frame.address == bob.address:
            grown.append(change_own_chain(bob))
            while world.step_wire(bob.wire, to_server=True):
                pass
            for _ in range(6):
                world._ledger_step()
        fetch(session, frame, now)

    world.dispatcher._handlers[f.FetchChain] = busy
    alice.write(bob, "hello")
    world.settle()
    world.check_received(bob, ["hello"])
    assert len(grown) == 2
    no_alarms(world)


def test_two_processes_of_one_device_ask_at_once_and_raise_no_alarm():
    """One asks, the other accepts a newer ledger and a newer chain, then the answers come."""
    world = World(851, "alice", "bob")
    alice, bob = world.people
    other = Device(alice.vault, alice.keys, random=world.chance.randbytes)
    for answered in range(4):
        change_own_chain(bob)
        world.settle()
        first = alice.device.directory
        first.want([bob.address])
        alice.tick()
        for _ in range(answered):
            world.step_wire(alice.wire, to_server=True)
            world.step_wire(alice.wire, to_server=False)
        if answered % 2 == 0:
            change_own_chain(bob)
            for _ in range(6):
                while world.step_wire(bob.wire, to_server=True):
                    pass
                world._ledger_step()
        wire, alice.device, kept = alice.wire, other, alice.device
        alice.wire = None
        alice.connect(receives=False)
        other.directory.want([bob.address])
        for _ in range(40):
            for each in list(world.wires):
                if each.device is alice and each is not wire:
                    world.step_wire(each, to_server=True)
                    world.step_wire(each, to_server=False)
        alice.tick()
        second, alice.wire, alice.device = alice.wire, wire, kept
        if second in world.wires:
            world.wires.remove(second)
            world.dispatcher.disconnect(second.session)
        other.disconnected()
        world.settle()
        no_alarms(world)
    assert alice.chain_of(bob).seq == world.ledger.stored(bob.address).seq


# --- Clocks -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ahead_ms", [-YEAR_MS, -HOUR * 1000, HOUR * 1000, 2 * HOUR * 1000, YEAR_MS]
)
@pytest.mark.parametrize("witnesses", [2, 0])
def test_a_wrong_clock_makes_nothing_valid_and_loses_nothing(ahead_ms, witnesses):
    world = World(860, "alice", "bob", "carol", witnesses=witnesses)
    alice, bob, carol = world.people
    alice.write(bob, "hello")
    world.settle()
    with alice.vault.transaction() as records:
        before = records.directory.newest()
    alice.ahead_ms = ahead_ms
    alice.restart()
    world.wake(700)
    number = alice.write(carol, "we have not met")
    world.settle()
    if abs(ahead_ms) > HOUR_MS:
        assert "clock" in alice.outcomes[number].error and not carol.received()
    with alice.vault.transaction() as records:
        assert records.directory.newest().size >= before.size
        assert records.directory.chain(bob.address).present
    no_alarms(world)
    alice.ahead_ms = 0
    world.wake(700)
    world.later(60)
    world.settle()
    world.check_received(carol, ["we have not met"])
    alice.write(bob, "all is well")
    bob.write(alice, "yes")
    world.settle()
    assert bob.received() == ["hello", "all is well"] and alice.received() == ["yes"]
    no_alarms(world)


def test_a_clock_set_back_in_a_running_process_stops_no_check():
    world = World(861, "alice", "bob")
    alice, bob = world.people
    alice.ahead_ms = YEAR_MS
    alice.restart()
    world.wake(60)
    alice.ahead_ms = 0
    asked = []
    serve = world.dispatcher._handlers[f.LookUp]
    world.dispatcher._handlers[f.LookUp] = lambda *args: asked.append(args[1]) or serve(*args)
    alice.tick()
    world.settle()
    assert any(alice.address in each.addresses for each in asked), "the own check is due"
    alice.write(bob, "hello")
    world.settle()
    world.check_received(bob, ["hello"])
