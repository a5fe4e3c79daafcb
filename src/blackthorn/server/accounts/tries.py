"""Tries of strangers at activation codes, recovery keys and pairings: bounded by client.

Those at activation codes are bounded in all too.

No try burns a code, since strangers could burn all of them. In all, 20 tries a second for 30 days
at 64 bits find one code with a probability of 2^-38. In memory: a restart gains a guesser ten
tries.
"""

from collections import OrderedDict, deque
from collections.abc import Callable
from typing import Final

from blackthorn.errors import UnavailableError
from blackthorn.server import limits as server_limits
from blackthorn.server.accounts import limits

TOO_MANY: Final = "too many tries from this address: try again in ten minutes"
BUSY: Final = "too many devices are being activated: try again in a minute"


class ClientTries:
    """The unproven tries of each client in the last ten minutes."""

    def __init__(self) -> None:
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()

    def count(self, client: str, now: float) -> None:
        """Count a try. Raises UnavailableError at the bound."""
        tries = self._tries.setdefault(client, deque())
        self._tries.move_to_end(client)
        while tries and tries[0] <= now - limits.TRIES_SECONDS:
            tries.popleft()
        if len(tries) >= limits.MAX_CLIENT_TRIES:
            raise UnavailableError(TOO_MANY)
        tries.append(now)
        while len(self._tries) > server_limits.MAX_CONNECTIONS:
            self._tries.popitem(last=False)

    def prove(self, client: str) -> None:
        """The client's newest try was proven, and is not counted."""
        if tries := self._tries.get(client):
            tries.pop()


class TryQueue:
    """Tries of all clients, a bounded number a second; those of different lanes take turns."""

    def __init__(self) -> None:
        self._lanes: OrderedDict[str, deque[Callable[[], None]]] = OrderedDict()
        self._free_at = 0.0

    def submit(self, lane: str, job: Callable[[], None], now: float) -> None:
        """Run the job now or at a later tick. Raises UnavailableError when too many wait."""
        if not self._lanes and now >= self._free_at:
            self._run(job, now)
            return
        waiting = self._lanes.setdefault(lane, deque())
        if len(waiting) >= limits.MAX_WAITING_TRIES:
            raise UnavailableError(BUSY)
        waiting.append(job)

    def tick(self, now: float) -> None:
        """Run the jobs that are due, one of each lane in turn."""
        while self._lanes and now >= self._free_at:
            lane, waiting = self._lanes.popitem(last=False)
            job = waiting.popleft()
            if waiting:
                self._lanes[lane] = waiting
            self._run(job, now)

    def _run(self, job: Callable[[], None], now: float) -> None:
        burst = (limits.TRIES_AT_ONCE - 1) / limits.TRIES_PER_SECOND
        self._free_at = max(self._free_at, now - burst) + 1 / limits.TRIES_PER_SECOND
        job()
