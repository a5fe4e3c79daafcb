"""A device fetches its user's receipt by itself while their market's closure is prepared."""

from dataclasses import replace

from blackthorn.device.account import exit_notices
from blackthorn.device.account.limits import RECEIPT_AGAIN_SECONDS
from blackthorn.governance.closure.receipt import place_in, tree_of
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.simulation.device import Person
from tests.support.closures import closed
from tests.support.device_world import World


def notice(state: str, case: str = "X-PK-1") -> f.MarketNotice:
    return f.MarketNotice(case, state, 1, 2, 3, 4, "The service ends.", False)


def receipt_of(address: Address) -> bytes:
    own = replace(closed().placed[1].receipt, address=address)
    return place_in(own, 0, tree_of([own.leaf])).encode()


def asked(person: Person) -> list[f.AnyFrame]:
    """What the device asks for now: its receipt, or nothing."""
    frames = person.device.tick(person.now_ms)
    return [frame for frame in frames if isinstance(frame, f.FetchReceipt)]


def tell(person: Person, *frames: f.AnyFrame) -> None:
    for frame in frames:
        person.device.receive(frame, person.now_ms)


def kept(person: Person) -> bytes:
    with person.vault.transaction() as records:
        return exit_notices.receipt(records.settings)


def world_of_alice(seed: int) -> tuple[World, Person]:
    world = World(seed, "alice", "bob")
    alice, bob = world.people
    alice.write(bob, "hello")
    world.settle()
    assert alice.device.drained and not alice.device.busy(alice.now_ms)
    return world, alice


def test_it_asks_until_there_is_one_and_keeps_it() -> None:
    world, alice = world_of_alice(41)
    tell(alice, notice("retrieval"))
    assert not asked(alice)
    tell(alice, notice("preparing"))
    assert asked(alice) == [f.FetchReceipt(1)]
    assert alice.device.busy(alice.now_ms) and not asked(alice)
    tell(alice, f.ReceiptPart(1, b"", "you have no receipt yet"))
    assert not alice.device.busy(alice.now_ms) and not asked(alice)
    world.later(RECEIPT_AGAIN_SECONDS)
    assert asked(alice)
    tell(alice, f.ReceiptPart(1, receipt_of(alice.address)))
    assert kept(alice) == receipt_of(alice.address)
    world.later(RECEIPT_AGAIN_SECONDS)
    assert not asked(alice)


def test_the_next_link_asks_again_since_a_closure_may_be_prepared_anew() -> None:
    world, alice = world_of_alice(42)
    tell(alice, notice("preparing"), f.ReceiptPart(1, receipt_of(alice.address)))
    alice.restart()
    alice.connect()
    asks: list[f.AnyFrame] = []
    transmit = alice.device.tick

    def tick(now_ms: int) -> list[f.AnyFrame]:
        frames = transmit(now_ms)
        asks.extend(frame for frame in frames if isinstance(frame, f.FetchReceipt))
        return [frame for frame in frames if not isinstance(frame, f.FetchReceipt)]

    alice.device.tick = tick  # type: ignore[method-assign]
    world.settle()
    assert asks == [f.FetchReceipt(1)]


def test_a_receipt_of_somebody_else_and_garbage_are_not_kept() -> None:
    _, alice = world_of_alice(43)
    tell(alice, notice("preparing"))
    for wrong in (receipt_of(Address("bob@acme.example")), b"receipt"):
        tell(alice, f.ReceiptPart(1, wrong))
        assert kept(alice) == b""


def test_what_was_put_off_or_cancelled_has_no_receipt() -> None:
    _, alice = world_of_alice(44)
    for ended in ("retrieval", "rescinded"):
        tell(alice, notice("preparing"), f.ReceiptPart(1, receipt_of(alice.address)))
        tell(alice, notice("produced", "D-000001"))
        assert kept(alice)
        tell(alice, notice(ended))
        assert kept(alice) == b"" and not asked(alice)
