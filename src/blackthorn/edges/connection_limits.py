"""Limits of one SMTP server: connections, and memory for plain mail."""

import ipaddress
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from blackthorn.edges import limits
from blackthorn.mail.errors import MailRefusedError


def client_key(host: str) -> str:
    """One client: an IPv4 address, or the /64 of an IPv6 address."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is None:
        return str(ipaddress.ip_network((address, 64), strict=False))
    return str(address)


class ConnectionLimit:
    """Open connections, in all and by client."""

    def __init__(self) -> None:
        self._open: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return self._open.total()

    def enter(self, client: str) -> bool:
        """Count a connection of `client`; False, uncounted, at a bound."""
        if (
            self.total >= limits.MAX_SMTP_CONNECTIONS
            or self._open[client] >= limits.MAX_SMTP_CONNECTIONS_PER_CLIENT
        ):
            return False
        self._open[client] += 1
        return True

    def leave(self, client: str) -> None:
        self._open[client] -= 1
        if self._open[client] <= 0:
            del self._open[client]


class Share:
    """The memory of one mail."""

    def __init__(self, budget: "MailMemory", client: str) -> None:
        self._budget = budget
        self._client = client
        self.size = 0

    def grow(self, size: int) -> None:
        """Take `size` bytes more. Raises MailRefusedError 452 4.3.1 at a bound."""
        self._budget.take(self._client, size)
        self.size += size

    def release(self) -> None:
        self._budget.give_back(self._client, self.size)
        self.size = 0


class MailMemory:
    """Bytes of plain mail in memory, in all and by client."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self._total = 0

    @property
    def total(self) -> int:
        return self._total

    @contextmanager
    def share(self, client: str) -> Iterator[Share]:
        """Memory for one mail of `client`, released at the end."""
        share = Share(self, client)
        try:
            yield share
        finally:
            share.release()

    def take(self, client: str, size: int) -> None:
        if (
            self._total + size > limits.MAX_MAIL_BYTES_IN_MEMORY
            or self._held[client] + size > limits.MAX_MAIL_BYTES_IN_MEMORY_PER_CLIENT
        ):
            raise MailRefusedError(452, "4.3.1", "too much mail at once; try again later")
        self._total += size
        self._held[client] += size

    def give_back(self, client: str, size: int) -> None:
        self._total -= size
        self._held[client] -= size
        if self._held[client] <= 0:
            del self._held[client]
