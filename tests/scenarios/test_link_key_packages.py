"""Key packages (docs/specs/link.md, 6): once each, durably, the last-resort one for ever."""

import pytest

from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.server.messaging import limits as messaging_limits
from blackthorn.wire import limits as wire_limits
from tests.support.link_world import Device, World, of


@pytest.fixture
def world() -> World:
    return World(seed=7, devices=4)


def claim(world: World, device: Device, *addresses: str) -> f.KeyPackages:
    device.wire.say(f.ClaimKeyPackages(1, list(addresses)))
    world.settle()
    answer = of(device, f.KeyPackages)[-1]
    assert isinstance(answer, f.KeyPackages)
    return answer


def test_a_key_package_is_handed_out_once_and_the_last_resort_one_for_ever(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "RESERVED_KEY_PACKAGES", 0)
    owner, directory_client = world.devices[:2]
    owner.connect()
    directory_client.connect()
    owner.wire.say(f.PublishKeyPackages([b"one", b"two"], b"last"))
    world.settle()
    assert of(owner, f.KeyPackageStock) == [f.KeyPackageStock(2)]
    given = [claim(world, directory_client, owner.address).claimed[0].package for _ in range(4)]
    assert given == [b"one", b"two", b"last", b"last"]
    owner.wire.say(f.PublishKeyPackages([], b"newer"))
    world.settle()
    assert claim(world, directory_client, owner.address).claimed[0].package == b"newer"
    assert owner.connect() and of(owner, f.Ready)[-1].key_packages == 0


def test_a_claim_whose_answer_was_lost_has_used_the_key_package(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "RESERVED_KEY_PACKAGES", 0)
    owner, directory_client = world.devices[:2]
    owner.connect()
    directory_client.connect()
    owner.wire.say(f.PublishKeyPackages([b"one", b"two"], None))
    world.settle()
    directory_client.wire.say(f.ClaimKeyPackages(1, [owner.address]))
    world.run_wire(directory_client.wire)
    assert not of(directory_client, f.KeyPackages), "not before the deletion is durable"
    world.crash(committed=True)
    directory_client.connect()
    assert claim(world, directory_client, owner.address).claimed[0].package == b"two"


def test_a_claim_tells_who_is_unknown_and_who_has_none(world: World) -> None:
    owner, directory_client = world.devices[:2]
    directory_client.connect()
    answer = claim(
        world, directory_client, owner.address, "nobody@acme.example", directory_client.address
    )
    assert answer == f.KeyPackages(
        1, [], ["nobody@acme.example"], [owner.address, directory_client.address]
    )


def test_more_key_packages_than_the_bound_are_dropped(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_limits, "MAX_KEY_PACKAGES_PER_DEVICE", 3)
    owner = world.devices[0]
    owner.connect()
    for _ in range(2):
        owner.wire.say(f.PublishKeyPackages([b"a", b"b"], None))
    world.settle()
    assert of(owner, f.KeyPackageStock) == [f.KeyPackageStock(2), f.KeyPackageStock(3)]


def test_an_answer_that_would_not_fit_leaves_users_for_the_next_claim(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "RESERVED_KEY_PACKAGES", 0)
    monkeypatch.setattr(messaging_limits, "MAX_CLAIM_BYTES", 2 * wire_limits.MAX_KEY_PACKAGE_BYTES)
    directory_client = world.devices[3]
    for owner in world.devices[:3]:
        owner.connect()
        owner.wire.say(f.PublishKeyPackages([bytes(wire_limits.MAX_KEY_PACKAGE_BYTES)], None))
    directory_client.connect()
    world.settle()
    addresses = [owner.address for owner in world.devices[:3]]
    assert [
        each.address for each in claim(world, directory_client, *addresses).claimed
    ] == addresses[:2]
    assert [
        each.address for each in claim(world, directory_client, addresses[2]).claimed
    ] == addresses[2:]


def test_a_user_gets_five_of_one_device_a_day_and_then_the_last_resort_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "RESERVED_KEY_PACKAGES", 0)
    owner, greedy, other = world.devices[:3]
    for device in (owner, greedy, other):
        device.connect()
    owner.wire.say(f.PublishKeyPackages([b"%d" % number for number in range(9)], b"last"))
    world.settle()

    def given(device: Device) -> bytes:
        return claim(world, device, owner.address).claimed[0].package

    assert [given(greedy) for _ in range(7)] == [b"0", b"1", b"2", b"3", b"4", b"last", b"last"]
    assert given(other) == b"5"
    world.dispatcher.start_day(world.dispatcher._key_packages.today + 1)
    assert [given(greedy), given(other)] == [b"6", b"7"]


def test_what_did_not_fit_an_answer_is_not_counted(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "RESERVED_KEY_PACKAGES", 0)
    monkeypatch.setattr(messaging_limits, "MAX_CLAIM_BYTES", wire_limits.MAX_KEY_PACKAGE_BYTES)
    first, second, asking = world.devices[:3]
    for device in (first, second, asking):
        device.connect()
        device.wire.say(f.PublishKeyPackages([b"%d" % number for number in range(9)], b"last"))
    world.settle()
    for _ in range(6):
        claim(world, asking, first.address, second.address)
    assert claim(world, asking, first.address).claimed[0].package == b"last"
    assert claim(world, asking, second.address).claimed[0].package == b"0"


# --- Who claims too much ---------------------------------------------------------------------


def stocked(world: World, owner: Device, count: int) -> None:
    owner.connect()
    owner.wire.say(f.PublishKeyPackages([b"%d" % number for number in range(count)], b"last"))
    world.settle()


def test_the_last_ones_are_for_the_user_and_strangers_get_the_last_resort(world: World) -> None:
    owner, *others = world.devices
    stocked(world, owner, 22)
    given = []
    for other in others[:2]:
        other.connect()
        given += [claim(world, other, owner.address).claimed[0].package for _ in range(4)]
    assert given == [b"0", b"1", b"2", b"last"] + [b"last"] * 4
    own = others[2]
    own.address = owner.address
    execute = world.database.writing.execute
    execute("UPDATE devices SET user = ? WHERE number = ?", (owner.number, own.number))
    world.crash(committed=False)
    own.connect()
    assert claim(world, own, owner.address).claimed[0].package == b"3"


def test_who_tries_all_names_must_wait(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messaging_limits, "CLAIMS_BURST", 300)
    world.crash(committed=False)  # the server reads its bounds when it starts
    owner, prober, honest = world.devices[:3]
    stocked(world, owner, 100)
    prober.connect()
    honest.connect()
    names = [f"name{number}@acme.example" for number in range(100)]
    answers = [claim(world, prober, *names) for _ in range(5)]
    assert [len(answer.unknown) for answer in answers] == [100, 100, 100, 100, 0]
    assert [answer.retry_ms for answer in answers] == [0, 0, 0, 0, 10_000]
    assert claim(world, honest, owner.address).claimed[0].package == b"0"
    world.now += 11
    assert len(claim(world, prober, *names).unknown) == 100


def test_a_device_on_line_is_told_that_few_are_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(messaging_limits, "MAX_DAILY_CLAIMS", 1_000)
    owner, other = world.devices[:2]
    stocked(world, owner, 100)
    owner.heard.clear()
    other.connect()
    for _ in range(49):
        claim(world, other, owner.address)
    assert not of(owner, f.KeyPackageStock)
    for _ in range(11):
        claim(world, other, owner.address)
    assert of(owner, f.KeyPackageStock) == [f.KeyPackageStock(40)]
