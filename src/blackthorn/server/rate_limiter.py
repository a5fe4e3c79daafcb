"""Budgets of work: who asks for much is made to wait, and waits alone.

A device's budget fills at a steady rate up to its bound. It may be overdrawn by one request, so
that no request is cut in two; then the device's links wait until it is no more in debt.
"""

from blackthorn.ids import DeviceId
from blackthorn.server.messaging.session import Session


class RateLimiter:
    """Budgets of `most` units that fill by `per_second`."""

    def __init__(self, most: int, per_second: int) -> None:
        self._most = most
        self._per_second = per_second
        self._spent: dict[DeviceId, tuple[float, float]] = {}
        self._held: dict[DeviceId, list[Session]] = {}
        self._sweep_at = 0.0

    def spend(self, device: DeviceId, units: int, now: float) -> bool:
        """Spend so many units; False when the device must wait now."""
        spent = self._left(device, now) + units
        self._spent[device] = (spent, now)
        return spent <= self._most

    def _left(self, device: DeviceId, now: float) -> float:
        """What is spent and not yet filled again."""
        spent, since = self._spent.get(device, (0.0, now))
        return max(0.0, spent - (now - since) * self._per_second)

    def hold(self, device: DeviceId, session: Session) -> None:
        """The session waits for its device's budget."""
        self._held.setdefault(device, []).append(session)

    def release(self, now: float) -> list[Session]:
        """The sessions that need not wait any more."""
        free = [device for device in self._held if self._left(device, now) <= self._most]
        released = [session for device in free for session in self._held.pop(device)]
        if now >= self._sweep_at:
            self._sweep_at = now + self._most / self._per_second
            for device in [each for each in self._spent if self._left(each, now) == 0.0]:
                del self._spent[device]
        return released

    def forget(self, device: DeviceId, session: Session) -> None:
        """The session has ended; what its device has spent is not forgotten."""
        held = self._held.get(device, [])
        if session in held:
            held.remove(session)
