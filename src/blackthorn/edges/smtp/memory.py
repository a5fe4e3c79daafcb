"""Memory for plain mail of one SMTP server, and how fast each mail comes.

When all is taken, the mail that came slowest in the last 30 seconds gives way, so that connections
which hold much and send little do not stop the mail of others.
"""

import ipaddress
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from blackthorn.edges import limits
from blackthorn.edges.smtp import limits as smtp_limits
from blackthorn.mail.errors import MailRefusedError


def network_of(client: str) -> str:
    """The network that shares one part of the memory: the /24 of an IPv4 address, else the client.

    A client is what `edges.gate.client_key` returns: of IPv6 it is a network already.
    """
    try:
        return str(ipaddress.ip_network((ipaddress.IPv4Address(client), 24), strict=False))
    except ValueError:
        return client


class Share:
    """The memory of one mail. `drop` ends its connection."""

    def __init__(
        self, memory: "MailMemory", client: str, drop: Callable[[], None], now: float
    ) -> None:
        self._memory = memory
        self._network = network_of(client)
        self._drop = drop
        self._begun = now
        self._came: deque[tuple[float, int]] = deque()
        self._recent = 0
        self.size = 0
        self.receiving = True
        """Until the mail is complete; then it waits for us."""

    def grow(self, size: int, now: float) -> None:
        """Take `size` bytes more. Raises MailRefusedError 452 4.3.1 at a bound."""
        self._memory.take(self._network, size, now)
        self.size += size

    def release(self) -> None:
        self._memory.give_back(self._network, self.size)
        self.size = 0

    def count(self, size: int, now: float) -> None:
        """Bytes came, whether they are kept or not."""
        self._came.append((now, size))
        self._recent += size
        self._age(now)

    def _age(self, now: float) -> None:
        while self._came and self._came[0][0] <= now - smtp_limits.SPEED_SECONDS:
            self._recent -= self._came.popleft()[1]

    def speed(self, now: float) -> float | None:
        """Bytes a second over the last 30 seconds; None before it has had its grace."""
        age = now - self._begun
        if age < smtp_limits.SPEED_GRACE_SECONDS:
            return None
        self._age(now)
        return self._recent / min(age, smtp_limits.SPEED_SECONDS)

    def too_slow(self, now: float) -> bool:
        """Whether it comes too slowly, or has taken too long in all."""
        age = now - self._begun
        if age > smtp_limits.MAX_DATA_SECONDS:
            return True
        speed = self.speed(now) if age >= smtp_limits.SPEED_SECONDS else None
        return speed is not None and speed < smtp_limits.MIN_SMTP_BYTES_PER_SECOND

    def give_way(self) -> None:
        self.release()
        self._drop()


class MailMemory:
    """Bytes of plain mail in memory, in all and by client network."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._shares: set[Share] = set()
        self.total = 0

    @contextmanager
    def share(self, client: str, drop: Callable[[], None], now: float) -> Iterator[Share]:
        """Memory for one mail of `client`, released at the end."""
        share = Share(self, client, drop, now)
        self._shares.add(share)
        try:
            yield share
        finally:
            self._shares.discard(share)
            share.release()

    def take(self, network: str, size: int, now: float) -> None:
        refused = MailRefusedError(452, "4.3.1", "too much mail at once; try again later")
        if self._held[network] + size > limits.MAX_MAIL_BYTES_IN_MEMORY_PER_CLIENT:
            raise refused
        while self.total + size > limits.MAX_MAIL_BYTES_IN_MEMORY:
            slowest = self._slowest(now)
            if slowest is None:
                raise refused
            self._shares.discard(slowest)
            slowest.give_way()
        self.total += size
        self._held[network] += size

    def _slowest(self, now: float) -> Share | None:
        speeds = [
            (speed, share)
            for share in self._shares
            if share.receiving and share.size and (speed := share.speed(now)) is not None
        ]
        return min(speeds, key=lambda item: item[0], default=(0.0, None))[1]

    def give_back(self, network: str, size: int) -> None:
        self.total -= size
        self._held[network] -= size
        if self._held[network] <= 0:
            del self._held[network]
