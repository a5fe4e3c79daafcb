"""Token buckets of users and devices, and the connections that wait for them.

A bucket fills at a steady rate up to its bound. One request may overdraw it, so that none is split;
its holder then waits until the debt is paid.
"""

from collections import OrderedDict
from typing import Generic, TypeVar

from blackthorn.ids import DeviceId
from blackthorn.server import limits

Holder = TypeVar("Holder")
Waiter = TypeVar("Waiter")


class Buckets(Generic[Holder]):
    """Buckets of `most` units, refilled by `per_second`; the least used beyond `kept` are full."""

    def __init__(self, most: int, per_second: float, kept: int) -> None:
        self._most = most
        self._per_second = per_second
        self._kept = kept
        self._spent: OrderedDict[Holder, tuple[float, float]] = OrderedDict()

    def spend(self, holder: Holder, units: int, now: float) -> None:
        """Spend units; the bucket may be overdrawn."""
        self._spent[holder] = self._missing(holder, now) + units, now
        self._spent.move_to_end(holder)
        while len(self._spent) > self._kept:
            self._spent.popitem(last=False)

    def wait_seconds(self, holder: Holder, now: float) -> float:
        """How long the holder must wait until the debt is paid; 0: not at all."""
        return max(0.0, self._missing(holder, now) - self._most) / self._per_second

    def _missing(self, holder: Holder, now: float) -> float:
        spent, since = self._spent.get(holder, (0.0, now))
        return max(0.0, spent - (now - since) * self._per_second)


class RateLimiter(Generic[Waiter]):
    """Buckets of devices; a `Waiter` is a connection."""

    def __init__(self, most: int, per_second: int) -> None:
        self._buckets: Buckets[DeviceId] = Buckets(most, per_second, limits.MAX_CACHED_DEVICES)
        self._held: dict[DeviceId, list[Waiter]] = {}

    def spend(self, device: DeviceId, units: int, now: float) -> bool:
        """Spend units; False when the device must wait."""
        self._buckets.spend(device, units, now)
        return not self._buckets.wait_seconds(device, now)

    def hold(self, device: DeviceId, waiter: Waiter) -> None:
        self._held.setdefault(device, []).append(waiter)

    def release(self, now: float) -> list[Waiter]:
        """The connections that need not wait any more."""
        free = [device for device in self._held if not self._buckets.wait_seconds(device, now)]
        return [waiter for device in free for waiter in self._held.pop(device)]

    def forget(self, device: DeviceId, waiter: Waiter) -> None:
        """The connection has ended; the device's debt stays."""
        held = self._held.get(device, [])
        if waiter in held:
            held.remove(waiter)
