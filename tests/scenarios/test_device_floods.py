"""A server, or an insider, that sends a device what it cannot open, without end."""

from collections import Counter

import pytest

from blackthorn.device.conversations import inbox, limits
from blackthorn.device.core import envelope
from blackthorn.link import frames as f
from blackthorn.simulation.device import Person
from tests.support.device_world import World
from tests.support.stranding import sealed


def team() -> tuple[World, Person, Person]:
    world = World(7411, "alice", "bob")
    alice, bob = world.people
    alice.create_group("team", bob)
    world.settle()
    return world, alice, bob


def junk(world: World, count: int) -> list[bytes]:
    return [world.chance.randbytes(100) for _ in range(count)]


def copies(world: World, alice: Person, bob: Person, count: int) -> list[bytes]:
    """Parcels that name Alice as their author, of a text that Bob has read already."""
    whole = sealed(world, alice, "team", "first")
    world.put_parcel(bob, whole)
    world.settle()
    with bob.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        key = unit.envelope_key(unit.open(record.id))
        return [key.seal(key.open(whole), world.chance.randbytes) for _ in range(count)]


def deliver(bob: Person, parcels: list[bytes]) -> None:
    made = [f.Delivery(1_000 + number, parcel) for number, parcel in enumerate(parcels)]
    for first in range(0, len(made), 8):
        bob.device.receive(f.Deliver(made[first : first + 8]), bob.now_ms)


def holders(bob: Person) -> Counter[bytes]:
    return Counter(record.holder for record in bob.set_aside())


def test_junk_without_end_fills_no_database_and_pushes_out_no_known_senders(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(limits, "MAX_UNDECRYPTABLE", 16)
    world, alice, bob = team()
    deliver(bob, copies(world, alice, bob, 2))
    deliver(bob, junk(world, 200))
    remembered = holders(bob)
    assert remembered.total() <= 16 and remembered[alice.keys.device] == 2
    with bob.unit() as unit:
        assert inbox.dropped(unit.records) == 202 - remembered.total()


def test_one_insider_pushes_out_nothing_but_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UNDECRYPTABLE", 16)
    monkeypatch.setattr(limits, "MAX_HELD_PARCELS", 8)
    world, alice, bob = team()
    early = junk(world, 3)
    deliver(bob, early)
    deliver(bob, copies(world, alice, bob, 100))
    remembered = holders(bob)
    assert remembered[b""] == 3 and 0 < remembered[alice.keys.device] <= 13
    held = bob.device._receiver._held
    assert len(held) == 8 and {envelope.digest(parcel) for parcel in early} <= set(held)
