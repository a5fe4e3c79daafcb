"""Token buckets of devices and users (server/budgets)."""

import pytest

from blackthorn.server.budgets import limits
from blackthorn.server.budgets.budgets import Budget, Budgets, Charge, Debt, Rate, Rates

PLENTY = Rate(1e9, 1e9)
RATES = Rates(rows=Rate(100, 10), bytes=Rate(1_000, 100), copied=PLENTY, orders=PLENTY)


def test_a_burst_is_free_and_what_is_beyond_it_waits_for_its_refill() -> None:
    budgets = Budgets(RATES)
    budgets.spend(b"a", "u", Charge(100, 0, 0, 0), 0.0)
    assert budgets.debt(b"a", "u", 0.0) is None
    budgets.spend(b"a", "u", Charge(50, 0, 0, 0), 0.0)
    assert budgets.debt(b"a", "u", 0.0) == Debt(Budget.ROWS, 5.0)
    assert budgets.debt(b"a", "u", 4.0) == Debt(Budget.ROWS, 1.0)
    assert budgets.debt(b"a", "u", 5.0) is None


def test_the_budget_that_takes_longest_is_named() -> None:
    budgets = Budgets(RATES)
    budgets.spend(b"a", "u", Charge(110, 1_900, 0, 0), 0.0)
    assert budgets.debt(b"a", "u", 0.0) == Debt(Budget.BYTES, 9.0)


def test_a_full_bucket_does_not_grow() -> None:
    budgets = Budgets(RATES)
    budgets.spend(b"a", "u", Charge(1, 0, 0, 0), 0.0)
    budgets.spend(b"a", "u", Charge(110, 0, 0, 0), 1_000.0)
    assert budgets.debt(b"a", "u", 1_000.0) == Debt(Budget.ROWS, 1.0)


def test_a_user_has_twice_a_devices_space_and_a_new_device_brings_no_burst() -> None:
    budgets = Budgets(RATES)
    for device in (b"a", b"b"):
        budgets.spend(device, "u", Charge(100, 0, 0, 0), 0.0)
        assert budgets.debt(device, "u", 0.0) is None
    budgets.spend(b"c", "u", Charge(20, 0, 0, 0), 0.0)
    assert budgets.debt(b"c", "u", 0.0) == Debt(Budget.ROWS, 1.0)
    assert budgets.debt(b"d", "other", 0.0) is None


def test_an_honest_device_sends_its_burst_and_its_hour() -> None:
    """1,000 postings a second for ten seconds, and 20 a second for an hour, of 512 bytes."""
    budgets = Budgets()
    for second in range(10):
        budgets.spend(b"a", "u", Charge(1_000, 512_000, 512_000, 0), float(second))
        assert budgets.debt(b"a", "u", float(second)) is None
    budgets = Budgets()
    for second in range(3_600):
        budgets.spend(b"a", "u", Charge(20, 20 * 512, 20 * 512, 0), float(second))
        assert budgets.debt(b"a", "u", float(second)) is None, second


def test_a_device_stores_less_than_64_mib_an_hour_with_its_rows() -> None:
    row_bytes, hour = 24, 3_600
    rates = Rates()
    rows = rates.rows.burst + hour * rates.rows.per_second
    stored = rates.bytes.burst + hour * rates.bytes.per_second
    assert rows * row_bytes + stored < 64 * 2**20


def test_a_stopped_device_waits_whatever_it_has_spent() -> None:
    budgets = Budgets(RATES, shut=frozenset({b"a"}))
    found = budgets.debt(b"a", "u", 0.0)
    assert found is not None and found.budget is Budget.SHUT
    assert budgets.debt(b"b", "u", 0.0) is None


@pytest.mark.parametrize("paid", [True, False])
def test_no_more_holders_are_remembered_than_fit(
    paid: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_HOLDERS", 8)
    budgets = Budgets(RATES)
    now = 0.0
    for number in range(50):
        now += 100.0 if paid else 0.0
        budgets.spend(bytes([number]), f"user{number}", Charge(150, 0, 0, 0), now)
        assert len(budgets._holders) <= 9
    assert budgets.debt(bytes([49]), "user49", now) == Debt(Budget.ROWS, 5.0)
