"""Links of users whose market is being left: read-only, ended, and others who send to them."""

import pytest

from blackthorn.errors import DiskError
from blackthorn.governance.cases import Cases
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.hello import sign_hello
from blackthorn.server.markets.exit_rules import ExitRules
from blackthorn.storage.sqlite.stores.markets import market_of
from tests.support.link_world import Device, Wire, World, byes, of
from tests.unit.server.test_exit_rules import exit_case


class ExitWorld(World):
    """A world whose first device's user is of PK; `come_to` takes the exit to a state."""

    def start(self) -> None:
        self.cases = Cases()
        self.database.writing.execute("UPDATE users SET market = 'PK' WHERE number = 1")
        super().start()
        reading = self.database.reading
        self.rules = ExitRules(lambda: self.cases, lambda each: market_of(reading, each))
        self.dispatcher = self.make_dispatcher(exits=self.rules)
        self.dispatcher.start_day(20_000)

    def come_to(self, state: str) -> None:
        self.cases.by_id["X-PK-1"] = exit_case(state)
        self.rules.renew()
        self.dispatcher.exit_changed()
        self.settle()


@pytest.fixture
def world() -> ExitWorld:
    return ExitWorld(seed=11, devices=3)


def hello(world: ExitWorld, device: Device) -> list[str]:
    """The code of the Bye that a device's hello is answered with, if so."""
    wire = Wire(world, device)
    world.wires.append(wire)
    device.wire, device.heard = wire, []
    wire.say(sign_hello(device.identity, wire.binding))
    world.settle()
    return byes(device)


@pytest.mark.parametrize("state", ["stopped", "destroying", "closed"])
def test_an_ended_service_ends_links_and_answers_hello(world: ExitWorld, state: str) -> None:
    here, there = world.devices[:2]
    here.connect()
    there.connect()
    world.settle()
    world.come_to(state)
    assert byes(here) == [Code.MARKET_LEFT]
    assert "PK" in of(here, f.Bye)[0].text
    assert there.wire is not None and not byes(there)
    assert hello(world, here) == [Code.MARKET_LEFT]
    world.come_to("retrieval")
    assert not hello(world, here)


def test_a_link_whose_rights_cannot_be_read_ends_and_keeps_no_other_open(world: ExitWorld) -> None:
    here, there = world.devices[:2]
    there.connect()
    here.connect()
    world.settle()
    market_of = world.rules.market_of

    def unreadable(address: Address) -> str | None:
        if address == there.address:
            raise DiskError("the disk failed to read or write the database")
        return market_of(address)

    world.rules.market_of = unreadable
    world.come_to("stopped")
    assert (byes(there), byes(here)) == ([Code.STORAGE], [Code.MARKET_LEFT])


@pytest.mark.parametrize("state", ["read-only", "retrieval", "preparing"])
def test_a_read_only_market_sends_nothing_and_fetches_what_waits(
    world: ExitWorld, state: str
) -> None:
    here, there = world.devices[:2]
    there.connect()
    there.post([here], b"before")
    world.settle()
    world.come_to(state)
    wire = here.connect()
    here.post([there], b"after")
    wire.say(f.PublishKeyPackages([b"package"]))
    world.settle()
    assert [each.code for each in here.refusals] == [Code.MARKET_LEFT]
    assert "read-only" in here.refusals[0].text
    assert here.shown == [b"before"]
    assert not there.shown
    assert of(here, f.KeyPackageStock) == [f.KeyPackageStock(0)]
    assert not byes(here)


@pytest.mark.parametrize("state", ["stopped", "retrieval", "closed"])
def test_who_is_of_a_left_market_is_sent_nothing(world: ExitWorld, state: str) -> None:
    here, there, third = world.devices
    for each in world.devices:
        each.connect()
    there.post([here], b"before")
    world.settle()
    world.come_to(state)
    there.post([here], b"to one")
    there.post([here, third], b"to both")
    there.wire.say(f.ClaimKeyPackages(7, [here.address], []))
    world.settle()
    assert here.shown == [b"before"]
    assert third.shown == [b"to both"]
    assert world.stored(here) == []
    assert [(each.code, "PK" in each.text) for each in there.refusals] == [(Code.MARKET_LEFT, True)]
    assert of(there, f.KeyPackages) == [f.KeyPackages(7, [], [], [here.address])]


def test_a_rescinded_exit_leaves_everything_as_before(world: ExitWorld) -> None:
    here, there = world.devices[:2]
    there.connect()
    world.come_to("read-only")
    here.connect()
    world.come_to("rescinded")
    here.post([there], b"again")
    there.post([here], b"hello")
    world.settle()
    assert there.shown == [b"again"]
    assert here.shown == [b"hello"]
    assert not byes(here)


def test_a_market_moved_to_is_not_narrowed(world: ExitWorld) -> None:
    here, there = world.devices[:2]
    there.connect()
    world.come_to("closed")
    world.database.writing.execute("UPDATE users SET market = 'DE' WHERE number = 1")
    assert market_of(world.database.reading, Address(here.address)) == "DE"
    assert not hello(world, here)


def test_who_has_moved_is_reached_at_once_by_groups_that_went_on_without_him(
    world: ExitWorld,
) -> None:
    here, there, third = world.devices
    there.connect()
    third.connect()
    world.come_to("retrieval")
    there.post([here, third], b"without him")
    world.settle()
    world.database.writing.execute("UPDATE users SET market = 'DE' WHERE number = 1")
    here.connect()
    there.post([here, third], b"with him")
    world.settle()
    assert here.shown == [b"with him"]
    assert third.shown == [b"without him", b"with him"]


def test_an_exit_whose_rules_cannot_be_read_ends_the_link_and_keeps_nobody_waiting(
    world: ExitWorld,
) -> None:
    here, there, third = world.devices
    for each in (there, third):
        each.connect()
    world.settle()
    world.come_to("closed")

    def fail(address: Address) -> str:
        raise DiskError("the disk failed to read or write the database")

    world.rules.market_of = fail
    world.reader.hold()
    world.enterprise.forget(Address(here.address))
    world.dispatcher._mailboxes.forget(here.id)
    there.wire.say(fanout_frame([here.id]))
    third.wire.say(f.ClaimKeyPackages(7, [here.address], []))
    world.settle()
    assert byes(there) == byes(third) == [Code.STORAGE]
    assert world.counters.storage_failures == 2
