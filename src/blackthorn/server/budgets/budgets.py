"""Token buckets of devices and users. One frame may overdraw them; the next one waits."""

from collections.abc import Hashable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, NamedTuple

from blackthorn.server.budgets import limits

HOUR: Final = 3_600


class Budget(StrEnum):
    """What is charged; the value is told to devices and names the counter."""

    ROWS = "rows"
    BYTES = "bytes"
    COPIED = "copied"
    ORDERS = "orders"
    SHUT = "shut"
    """Not charged: the administrator has stopped the device until the server's restart."""


@dataclass(slots=True)
class Charge:
    """What one frame stores."""

    rows: int = 0
    bytes: int = 0
    copied: int = 0
    orders: int = 0


class Rate(NamedTuple):
    """A bucket: its size, and how much of it comes back each second."""

    burst: float
    per_second: float


class Debt(NamedTuple):
    """The budget that is overdrawn for the longest, and the seconds until it is paid."""

    budget: Budget
    seconds: float


CHARGED: Final = (Budget.ROWS, Budget.BYTES, Budget.COPIED, Budget.ORDERS)


class Rates(NamedTuple):
    """The buckets of one device; a user has `USER_DEVICES` times as much."""

    rows: Rate = Rate(limits.ROWS_BURST, limits.ROWS_PER_SECOND)
    bytes: Rate = Rate(limits.BYTES_BURST, limits.BYTES_PER_SECOND)
    copied: Rate = Rate(limits.COPIED_BURST, limits.COPIED_PER_SECOND)
    orders: Rate = Rate(limits.ORDERS_BURST, limits.ORDERS_PER_HOUR / HOUR)

    def of_user(self) -> tuple[Rate, ...]:
        return tuple(
            Rate(rate.burst * limits.USER_DEVICES, rate.per_second * limits.USER_DEVICES)
            for rate in self
        )


class _Buckets:
    """What one device or user has spent and not got back, by budget, at the time `since`."""

    __slots__ = ("rates", "since", "spent")

    def __init__(self, rates: tuple[Rate, ...], now: float) -> None:
        self.rates = rates
        self.spent = [0.0] * len(rates)
        self.since = now

    def spend(self, charge: Charge, now: float) -> None:
        passed, self.since = now - self.since, now
        units = (charge.rows, charge.bytes, charge.copied, charge.orders)
        self.spent = [
            max(0.0, spent - passed * rate.per_second) + more
            for spent, rate, more in zip(self.spent, self.rates, units, strict=True)
        ]

    def debt(self, now: float) -> Debt | None:
        passed = now - self.since
        worst: Debt | None = None
        for budget, spent, rate in zip(CHARGED, self.spent, self.rates, strict=True):
            over = spent - passed * rate.per_second - rate.burst
            if over > 0 and (worst is None or over / rate.per_second > worst.seconds):
                worst = Debt(budget, over / rate.per_second)
        return worst

    def is_clear(self, now: float) -> bool:
        """Whether all buckets are full again."""
        passed = now - self.since
        return all(
            spent <= passed * rate.per_second
            for spent, rate in zip(self.spent, self.rates, strict=True)
        )


@dataclass(eq=False)
class Budgets:
    """Spending of all devices and users, in memory."""

    rates: Rates = field(default_factory=Rates)
    shut: frozenset[bytes | str] = frozenset()
    """Devices, and users by address, that the administrator has stopped."""
    _holders: dict[Hashable, _Buckets] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._device_rates = tuple(self.rates)
        self._user_rates = self.rates.of_user()

    def spend(self, device: bytes, user: str, charge: Charge, now: float) -> None:
        """Charge the device and its user; both may be overdrawn."""
        self._buckets(device, self._device_rates, now).spend(charge, now)
        self._buckets(user, self._user_rates, now).spend(charge, now)

    def debt(self, device: bytes, user: str, now: float) -> Debt | None:
        """Why the device must wait, and for how long; None: it need not."""
        if self.shut and (device in self.shut or user in self.shut):
            return Debt(Budget.SHUT, HOUR)
        worst: Debt | None = None
        for holder in (device, user):
            buckets = self._holders.get(holder)
            debt = None if buckets is None else buckets.debt(now)
            if debt is not None and (worst is None or debt.seconds > worst.seconds):
                worst = debt
        return worst

    def _buckets(self, holder: Hashable, rates: tuple[Rate, ...], now: float) -> _Buckets:
        found = self._holders.get(holder)
        if found is None:
            if len(self._holders) >= limits.MAX_HOLDERS:
                self._forget(now)
            found = self._holders[holder] = _Buckets(rates, now)
        return found

    def _forget(self, now: float) -> None:
        """Forget those without debt, or half of all when everybody has some."""
        clear = [holder for holder, held in self._holders.items() if held.is_clear(now)]
        for holder in clear or list(self._holders)[: limits.MAX_HOLDERS // 2]:
            del self._holders[holder]
