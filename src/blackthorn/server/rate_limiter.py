"""Per-device token-bucket rate limiter.

A bucket fills at a steady rate up to its bound. One request may overdraw it, so that none is split;
the device's connections then wait until the debt is paid.
"""

from typing import Generic, TypeVar

from blackthorn.ids import DeviceId

Waiter = TypeVar("Waiter")


class RateLimiter(Generic[Waiter]):
    """Buckets of `most` units, refilled by `per_second`; a `Waiter` is a connection."""

    def __init__(self, most: int, per_second: int) -> None:
        self._most = most
        self._per_second = per_second
        self._spent: dict[DeviceId, tuple[float, float]] = {}
        self._held: dict[DeviceId, list[Waiter]] = {}
        self._sweep_at = 0.0

    def spend(self, device: DeviceId, units: int, now: float) -> bool:
        """Spend units; False when the device must wait."""
        spent = self._debt(device, now) + units
        self._spent[device] = (spent, now)
        return spent <= self._most

    def _debt(self, device: DeviceId, now: float) -> float:
        spent, since = self._spent.get(device, (0.0, now))
        return max(0.0, spent - (now - since) * self._per_second)

    def hold(self, device: DeviceId, waiter: Waiter) -> None:
        self._held.setdefault(device, []).append(waiter)

    def release(self, now: float) -> list[Waiter]:
        """The connections that need not wait any more."""
        free = [device for device in self._held if self._debt(device, now) <= self._most]
        released = [waiter for device in free for waiter in self._held.pop(device)]
        if now >= self._sweep_at:
            self._sweep_at = now + self._most / self._per_second
            for device in [known for known in self._spent if self._debt(known, now) == 0.0]:
                del self._spent[device]
        return released

    def forget(self, device: DeviceId, waiter: Waiter) -> None:
        """The connection has ended; the device's debt stays."""
        held = self._held.get(device, [])
        if waiter in held:
            held.remove(waiter)
