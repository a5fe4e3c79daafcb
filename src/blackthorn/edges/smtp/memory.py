"""Memory for plain mail of one SMTP server."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from blackthorn.edges import limits
from blackthorn.mail.errors import MailRefusedError


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
