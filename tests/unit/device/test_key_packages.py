"""Key packages that are handed out twice: seen by who claims them, and by their owner."""

import pytest

from blackthorn.device.conversations import key_packages, limits
from blackthorn.device.conversations.key_packages import ReusedError
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.link import frames as f
from blackthorn.server.accounts import limits as accounts_limits
from tests.support.chain_ledger import ChainLedger, Teller, look

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
        key_packages.forget_expired(unit)
    claim(me, bob, packages[0], request=2)
    assert me.alarms() == []


DAY_MS = 24 * 3_600_000


def published(me, stock: int):
    with me.unit() as unit:
        return key_packages.replenish(unit, stock) if key_packages.are_due(unit, stock) else None


def test_a_new_set_is_due_after_a_week_and_a_few_more_when_the_stock_is_low(world):
    me, _, _, _ = world
    first = published(me, 0)
    assert (len(first.packages), first.replace) == (100, True)
    assert first.last_resort is not None
    assert published(me, 60) is None
    more = published(me, 49)
    assert (len(more.packages), more.replace, more.last_resort) == (51, False, None)
    me.ledger.later(7 * DAY_MS)
    weekly = published(me, 100)
    assert (len(weekly.packages), weekly.replace, weekly.last_resort) == (100, True, None)
    assert weekly.not_after == first.not_after + 7
    me.ledger.later(21 * DAY_MS)
    assert published(me, 100).last_resort is not None


def test_a_set_that_is_dated_ahead_is_replaced_once_the_clock_is_right(world):
    me, _, _, _ = world
    me.ledger.later(300 * DAY_MS)
    assert published(me, 100) is not None
    me.ledger.later(-300 * DAY_MS)
    again = published(me, 100)
    assert again is not None
    assert again.replace
    assert again.last_resort is not None


def test_a_clock_that_is_behind_dates_no_set_that_has_expired_already(world):
    """Else the server would have none at every connection, and get a hundred each time."""
    me, _, _, _ = world
    me.ledger.publish()
    look(me, DirectoryClient(), ME)
    me.behind_ms = 40 * DAY_MS
    first = published(me, 0)
    assert first is not None
    assert first.not_after == me.ledger.now_ms // DAY_MS + 27
    assert published(me, 100) is None


def test_the_server_hands_out_the_first_ones_on_whole_days_of_their_lifetime():
    """Activation tells it no date: it knows the lifetimes."""
    first, last = limits.KEY_PACKAGE_LIFETIME_SECONDS, limits.LAST_RESORT_LIFETIME_SECONDS
    days = accounts_limits.ENROLMENT_PACKAGE_DAYS, accounts_limits.ENROLMENT_LAST_RESORT_DAYS
    assert [(each + 2) * DAY_MS for each in days] == [first * 1000, last * 1000]


def test_private_keys_outlive_their_key_packages(world):
    me, _, _, _ = world
    with me.unit() as unit:
        before = unit.records.key_packages.count()
    published(me, 0)
    me.ledger.later(57 * DAY_MS)
    with me.unit() as unit:
        key_packages.forget_expired(unit)
        assert unit.records.key_packages.count() == before + 101
    me.ledger.later(2 * DAY_MS)
    with me.unit() as unit:
        key_packages.forget_expired(unit)
        assert unit.records.key_packages.count() == before + 1, "the last resort"
