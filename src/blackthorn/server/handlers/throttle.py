"""Devices that have overdrawn a budget: read later, told to wait, or their link ended.

A debt that is paid within MAX_PAUSE_SECONDS only pauses reading. Beyond it each Send is answered by
SlowDown, and the tenth of them ends the link. A device of an older link version, which does not
know SlowDown, is refused as if the disk were full, and tries again.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from blackthorn.ids import DeviceId
from blackthorn.link import frames as f
from blackthorn.link.codes import Code, LinkError
from blackthorn.server.budgets import limits
from blackthorn.server.budgets.budgets import Budget, Budgets, Charge, Debt
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.session import Session


@dataclass(slots=True)
class _Told:
    """A device that was told to wait: when last, and how often it has not waited since."""

    at: float
    times: int = 0

    def is_over(self, now: float) -> bool:
        return now - self.at > limits.FORGIVEN_SECONDS


@dataclass(eq=False)
class Throttle:
    """`on_throttled` is called with a device and its budget when it is first told to wait."""

    budgets: Budgets
    counters: Counters
    on_throttled: Callable[[DeviceId, Budget], None] = lambda device, budget: None
    _told: dict[DeviceId, _Told] = field(default_factory=dict)
    _refused_until: dict[DeviceId, float] = field(default_factory=dict)
    _paused: list[tuple[float, Session]] = field(default_factory=list)

    def admit(self, session: Session, send: f.Send, now: float) -> bool:
        """Whether the frame may be served; else it was answered. Raises LinkError."""
        device = session.device
        if device is None:
            return False
        debt = self.budgets.debt(device.id, device.address, now)
        if debt is None:
            return True
        self._tell(session, device.id, send, debt, now)
        return False

    def charge(self, session: Session, charge: Charge, now: float) -> None:
        """Charge what a frame has stored; pause reading for a short debt."""
        device = session.device
        if device is None or not (charge.rows or charge.orders):
            return
        self.budgets.spend(device.id, device.address, charge, now)
        debt = self.budgets.debt(device.id, device.address, now)
        if debt is not None and debt.seconds <= limits.MAX_PAUSE_SECONDS:
            self._paused.append((now + debt.seconds, session))
            session.throttle(True)

    def _tell(
        self, session: Session, device: DeviceId, send: f.Send, debt: Debt, now: float
    ) -> None:
        told = self._told.get(device)
        if told is None or told.is_over(now):
            told = self._told[device] = _Told(now)
            self.on_throttled(device, debt.budget)
        told.at, told.times = now, told.times + 1
        self.counters.throttled(debt.budget)
        if told.times > limits.MAX_IGNORED:
            self._refused_until[device] = now + limits.MAX_SHUT_SECONDS
            raise LinkError(Code.SLOW_DOWN, Code.SLOW_DOWN.meaning)
        ids = [posting.id for posting in send.postings]
        if session.version >= f.SLOW_DOWN_VERSION:
            session.transmit(f.SlowDown(debt.budget, int(debt.seconds * 1000) + 1, ids))
        else:
            text = "this device has sent too much; it tries again later"
            session.transmit(*(f.Refused(posting, Code.STORAGE, text) for posting in ids))

    def check_hello(self, device: DeviceId, now: float) -> None:
        """Raises LinkError for a device whose link was ended and who must still wait."""
        if now < self._refused_until.get(device, 0.0):
            raise LinkError(Code.SLOW_DOWN, Code.SLOW_DOWN.meaning)

    def tick(self, now: float) -> None:
        """Read again from those who have paid, and forget who has waited."""
        paused, self._paused = self._paused, []
        for until, session in paused:
            if now < until and not session.closed:
                self._paused.append((until, session))
            else:
                session.throttle(False)
        for device in [known for known, told in self._told.items() if told.is_over(now)]:
            del self._told[device]
        for device in [known for known, until in self._refused_until.items() if now >= until]:
            del self._refused_until[device]
