"""Memory for the unfinished frames of peers whose device is not known."""

from collections import Counter

from blackthorn.edges.link import limits


class OpeningMemory:
    """Bytes of unfinished frames of links before their hello, in all and by client."""

    def __init__(self) -> None:
        self._held: Counter[str] = Counter()
        self.total = 0

    def take(self, client: str, size: int) -> bool:
        """Hold so many bytes more; False, unheld, at a bound."""
        if (
            self.total + size > limits.MAX_OPENING_BYTES
            or self._held[client] + size > limits.MAX_OPENING_BYTES_PER_CLIENT
        ):
            return False
        self.total += size
        self._held[client] += size
        return True

    def give_back(self, client: str, size: int) -> None:
        self.total -= size
        self._held[client] -= size
        if self._held[client] <= 0:
            del self._held[client]
