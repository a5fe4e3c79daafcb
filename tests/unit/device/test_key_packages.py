"""Key packages that are handed out twice: seen by who claims them, and by their owner."""

import pytest

from blackthorn.device.conversations import key_packages
from blackthorn.device.conversations.key_packages import ReusedError
from blackthorn.link import frames as f
from tests.unit.device.chain_ledger import ChainLedger, Teller

ME, BOB = "me@acme.example", "bob@acme.example"


@pytest.fixture
def world():
    ledger = ChainLedger()
    me = Teller(ledger, ME, ledger.begin(ME))
    bob = Teller(ledger, BOB, ledger.begin(BOB))
    with bob.unit() as unit:
        packages, last = key_packages.make(unit, 3), key_packages.make_last_resort(unit)
    return me, bob, packages, last


def claim(me, bob, *packages, request=1):
    claimed = [f.ClaimedKeyPackage(BOB, bob.keys.device, each) for each in packages]
    with me.unit() as unit:
        key_packages.check_claimed(unit, f.KeyPackages(request, claimed, [], []))


def test_different_ones_are_no_news(world):
    me, bob, packages, _ = world
    claim(me, bob, packages[0])
    claim(me, bob, packages[1], packages[2], request=2)
    assert me.alarms() == []


@pytest.mark.parametrize("request_", [1, 2])
def test_one_that_was_claimed_before_is_an_alarm(world, request_):
    me, bob, packages, _ = world
    claim(me, bob, packages[0])
    claim(me, bob, packages[0], request=request_)
    assert me.alarms() == ["key-package-reuse"]
    claim(me, bob, packages[0], request=5)
    assert me.alarms() == ["key-package-reuse"]


def test_one_that_comes_twice_in_one_answer_is_an_alarm(world):
    me, bob, packages, _ = world
    claim(me, bob, packages[0], packages[0])
    assert me.alarms() == ["key-package-reuse"]


def test_the_last_resort_one_may_come_again(world):
    me, bob, _, last = world
    for request in range(3):
        claim(me, bob, last, request=request)
    assert me.alarms() == []


@pytest.mark.parametrize("package", [b"", b"\x00", b"\x00\x01\x00\x05", b"\xff" * 99])
def test_what_is_no_key_package_is_left_to_who_verifies_it(world, package):
    me, bob, _, _ = world
    for request in range(2):
        claim(me, bob, package, request=request)
    assert me.alarms() == []


def test_the_owner_sees_a_second_welcome_for_what_was_used(world):
    _, bob, _, _ = world
    with bob.unit() as unit:
        key_packages.used(unit, b"reference", b"a Welcome")
        key_packages.check_used(unit, [b"reference"], b"a Welcome")
        key_packages.check_used(unit, [b"another's"], b"another Welcome")
        with pytest.raises(ReusedError):
            key_packages.check_used(unit, [b"another's", b"reference"], b"another Welcome")


def test_uses_are_forgotten_with_the_key_packages_that_have_expired(world):
    me, bob, packages, _ = world
    claim(me, bob, packages[0])
    me.ledger.later(2 * 400 * 24 * 3_600_000)
    with me.unit() as unit:
        assert key_packages.replenish(unit, 0) is not None
    claim(me, bob, packages[0], request=2)
    assert me.alarms() == []
