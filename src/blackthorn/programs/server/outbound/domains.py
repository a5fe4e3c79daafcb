"""What is known in memory of the domains that mail goes to."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence

from blackthorn.ports.outbound.queue import Delivery
from blackthorn.programs.server.outbound import limits
from blackthorn.server.outbound.settling import Attempt


class Domain:
    """One domain: its workers, the deliveries that they work on, and those that they will."""

    def __init__(self, name: str, unstored: Mapping[int, Attempt]) -> None:
        self.name = name
        self._unstored = unstored
        self.workers = 0
        self.idle = 0
        """Workers that wait for mail, with their connections."""
        self.woken = asyncio.Event()
        self.waiting: deque[Delivery] = deque()
        self.taken: set[int] = set()
        self.loading = asyncio.Lock()
        self._settled: set[int] = set()
        """Deliveries that a worker gave back while due ones were looked up."""
        self._failures = 0
        self._held_until = 0.0
        self.connected = 0
        """Connections there are."""
        self._most = 0
        """Connections that the domain takes; 0: unknown."""

    @property
    def most_workers(self) -> int:
        """Workers that the domain may have: one finds out whether it can be reached."""
        if not self.connected:
            return 1
        return self._most or limits.MAX_WORKERS_PER_DOMAIN

    def refuse_more(self) -> None:
        """The domain takes no connection beside those there are, as long as it has workers."""
        self._most = self.connected

    def end_worker(self) -> None:
        self.workers -= 1
        if not self.workers:
            self._most = 0

    def begin_load(self) -> None:
        """Due deliveries are being looked up, one look-up at a time."""
        self._settled.clear()

    def add(self, found: Sequence[Delivery]) -> None:
        """Deliveries that were due. Those in work, known, or settled meanwhile are left out: what
        the look-up saw of them is old."""
        known = self.taken | self._settled | {delivery.number for delivery in self.waiting}
        known |= self._unstored.keys()
        self.waiting.extend(delivery for delivery in found if delivery.number not in known)

    def take(self) -> Delivery:
        delivery = self.waiting.popleft()
        self.taken.add(delivery.number)
        return delivery

    def give_back(self, delivery: Delivery) -> None:
        """What came of an attempt is stored, or the attempt failed."""
        self.taken.discard(delivery.number)
        self._settled.add(delivery.number)

    def hold(self, now: float) -> None:
        """Leave the domain alone for a while: it could not be reached."""
        if self.held(now):
            return
        pause = limits.FIRST_HOLD_SECONDS << min(10, self._failures)
        self._held_until = now + min(limits.LAST_HOLD_SECONDS, pause)
        self._failures += 1

    def release(self) -> None:
        self._failures, self._held_until = 0, 0.0

    def held(self, now: float) -> bool:
        return now < self._held_until


class Domains:
    """The domains in use, and at most MAX_HELD_DOMAINS others."""

    def __init__(self) -> None:
        self._known: OrderedDict[str, Domain] = OrderedDict()
        self.workers = 0
        """Of all domains but the own one."""
        self.unstored: dict[int, Attempt] = {}
        """Attempts by delivery that were made and could not be stored: they are not made again."""

    def get(self, name: str) -> Domain:
        if name not in self._known:
            self._known[name] = Domain(name, self.unstored)
        self._known.move_to_end(name)
        return self._known[name]

    def forget_idle(self) -> None:
        """Forget the oldest that nothing is in work for, beyond the bound."""
        excess = len(self._known) - limits.MAX_HELD_DOMAINS
        idle = [name for name, domain in self._known.items() if not domain.workers]
        for name in idle[: max(0, excess)]:
            del self._known[name]
