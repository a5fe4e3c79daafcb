"""Copies of a device's folder: restored backups, thieves, processes that share one (H26 to H28)."""

import pytest

from blackthorn.device.transparency import alarms, copies
from blackthorn.errors import StorageError
from blackthorn.link import frames as f
from blackthorn.simulation.device import Person
from blackthorn.simulation.memory import MemoryVault, memory_vault
from tests.support.device_world import World
from tests.support.link_world import hello_without_number

DAY = 86_400.0


def copy_of(person):
    """The bytes of the vault, as a backup has them."""
    return person.vault._connection.serialize("main")


def restore(person, data) -> None:
    """The device goes on from a backup."""
    person.vault = vault_of(data)
    person.restart()


def vault_of(data) -> MemoryVault:
    vault = memory_vault()
    vault.connection.deserialize("main", data)
    return vault


def twin(person, data) -> Person:
    """A second copy of the device, on another machine."""
    return Person(person.world, person.name, vault_of(data), person.keys)


def reconnect(world, person, times: int = 1) -> None:
    for _ in range(times):
        person.connect()
        world.settle()


def accept_all(person) -> None:
    with person.vault.transaction() as records:
        for alarm in alarms.open_alarms(records):
            alarms.accept(records, alarm.number)


def packages_at(world, person) -> set[bytes]:
    query = "SELECT package FROM key_package WHERE device = ?"
    rows = world.database.writing.execute(query, (person.number,))
    return {bytes(package) for (package,) in rows}


def test_a_device_that_connects_in_any_way_sees_no_copy() -> None:
    """Command line, app and bridge over one folder, crashes, lost answers."""
    world = World(51, "alice", "bob")
    alice, bob = world.people
    app = Person(world, "alice", alice.vault, alice.keys)
    for number in range(12):
        reconnect(world, app if number % 3 else alice)
        alice.connect()  # its hello is on the wire
        if number % 4 == 0:
            world.cut(alice.wire)
            alice.restart()
        reconnect(world, app)
        world.settle()
    for _ in range(300):
        alice.connect()
        world.step_wire(alice.wire, to_server=True)
        world.cut(alice.wire)
        alice.restart()
    reconnect(world, app)
    reconnect(world, alice, 3)
    assert not alice.alarms()
    alice.write(bob, "hello")
    world.settle()
    assert bob.received() == ["hello"]


def test_a_restored_folder_is_noticed_reads_first_and_loses_nothing() -> None:
    """What it sent after a restore was "ok" and unreadable for all."""
    world = World(52, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "one")
    world.settle()
    backup = copy_of(alice)
    reconnect(world, alice, 3)
    alice.write(bob, "two")
    world.settle()
    before = packages_at(world, alice)
    restore(alice, backup)
    world.later(60)
    alice.connect()
    world.settle()
    assert alice.alarms() == ["copy"]
    (alarm,) = alice.open_alarms()
    assert len(bytes.fromhex(alarm.fact.split()[0])) == f.HELLO_BYTES
    assert not before & packages_at(world, alice), "the copy has their private halves"
    sent = [alice.write(bob, f"after the restore, {number}") for number in range(3)]
    world.settle()
    assert not any(alice.outcomes[number].error for number in sent)
    assert bob.received() == ["one", "two", *(f"after the restore, {n}" for n in range(3))]
    bob.write(alice, "all is read")
    world.settle()
    assert "all is read" in alice.received() and not bob.set_aside()
    reconnect(world, alice, 3)
    assert alice.alarms() == ["copy"], "once"
    accept_all(alice)
    reconnect(world, alice, 3)
    assert not alice.alarms()


def test_two_live_copies_stop_until_the_person_chooses() -> None:
    world = World(53, "alice", "bob")
    alice, bob = world.people
    thief = twin(alice, copy_of(alice))
    for _ in range(3):
        reconnect(world, thief)
        reconnect(world, alice)
        world.later(3600)
    assert {"copy", "clone"} <= set(alice.alarms())
    number = alice.write(bob, "is anybody there?")
    world.settle()
    assert not bob.received() and "copy" in alice.outcomes[number].error
    thief.restart()
    accept_all(alice)
    reconnect(world, alice, 2)
    world.later(60)
    reconnect(world, bob)
    assert bob.received() == ["is anybody there?"] and not alice.alarms()
    reconnect(world, alice, 3)
    assert not alice.alarms()


def test_two_backups_in_a_month_need_one_choice_and_a_year_apart_none() -> None:
    for days, code in ((10, "clone"), (365, "copy")):
        world = World(54, "alice", "bob")
        alice, bob = world.people
        for _ in range(2):
            backup = copy_of(alice)
            reconnect(world, alice, 2)
            restore(alice, backup)
            reconnect(world, alice, 2)
            found = alice.alarms()
            accept_all(alice)
            world.wake(days * DAY)
        assert found == [code], days
        alice.write(bob, "here I am")
        world.settle()
        assert bob.received() == ["here I am"]


def test_a_server_that_was_set_back_is_a_notice_and_no_alarm() -> None:
    world = World(55, "alice", "bob")
    alice, bob = world.people
    reconnect(world, alice, 2)
    query = "SELECT number, hello FROM device_hello WHERE device = ?"
    (row,) = world.database.writing.execute(query, (alice.number,)).fetchall()
    reconnect(world, alice, 3)
    for number, hello in (row, (0, b"")):
        world.database.writing.execute(
            "UPDATE device_hello SET number = ?, hello = ? WHERE device = ?",
            (number, hello, alice.number),
        )
        reconnect(world, alice, 2)
        assert alice.alarms() == ["set-back"]
        assert alarms.KINDS["set-back"].effect is alarms.Effect.NOTICE
        accept_all(alice)
    alice.write(bob, "hello")
    world.settle()
    assert bob.received() == ["hello"] and not alice.alarms()


@pytest.mark.parametrize("change", ["number", "signature", "cut"])
def test_a_hello_that_this_device_has_not_signed_is_an_alarm(change: str) -> None:
    world = World(56, "alice")
    (alice,) = world.people
    query = "SELECT hello FROM device_hello WHERE device = ?"
    hello = bytearray(world.database.writing.execute(query, (alice.number,)).get)
    if change == "cut":
        del hello[50:]
    else:
        hello[39 if change == "number" else 100] ^= 64
    world.database.writing.execute(
        "UPDATE device_hello SET hello = ? WHERE device = ?", (bytes(hello), alice.number)
    )
    reconnect(world, alice)
    assert alice.alarms() == ["false-hello"]


def test_a_device_of_the_version_before_is_served_as_ever() -> None:
    world = World(57, "alice", "bob")
    alice, bob = world.people
    reconnect(world, alice, 2)
    query = "SELECT hello FROM device_hello WHERE device = ?"
    before = world.database.writing.execute(query, (alice.number,)).get
    wire = alice.connect()
    wire.to_server.clear()
    wire.link = type(wire.link)(wire.link.role, world.now)
    wire.say(hello_without_number(alice.keys.identity, wire.binding))
    world.settle()
    assert world.database.writing.execute(query, (alice.number,)).get == before
    alice.write(bob, "an old one")
    world.settle()
    assert bob.received() == ["an old one"]


def test_a_crash_between_the_stored_number_and_the_hello_is_no_copy() -> None:
    world = World(58, "alice")
    (alice,) = world.people
    with alice.unit() as unit:
        for _ in range(5):
            copies.sign(unit, b"never sent")
    reconnect(world, alice, 2)
    assert not alice.alarms()


def test_a_server_with_a_full_disk_lets_devices_in_and_none_sees_a_copy() -> None:
    world = World(59, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    world.writer.fail(StorageError("the disk is full"))
    reconnect(world, bob, 3)
    assert bob.wire is not None and bob.wire.link.opened
    world.writer.fail(None)
    reconnect(world, bob, 2)
    assert not bob.alarms() and bob.received() == ["hello"]
