"""Fair queues: a user who has used up their slice of the loop's turn waits for the next one.

A turn is one iteration of the event loop. A frame of a user with some of the slice left is served
at once; others are queued, and reading from their connections pauses. Users are served in turn, and
so are the connections of one user. A frame that takes longer than a slice is paid in the following
turns, which come at once while nobody else wants the time.
"""

from collections import deque
from collections.abc import Callable, Hashable
from typing import Protocol

from blackthorn.server.budgets import limits


class Pace(Protocol):
    """The loop: its finest clock, and a call in its next iteration."""

    def seconds(self) -> float: ...
    def soon(self, call: Callable[[], None]) -> object: ...


class Waiter(Protocol):
    """A connection of a user; before hello, of the address that it comes from."""

    @property
    def user(self) -> Hashable: ...
    def wait_turn(self, queued: bool) -> None:
        """Whether it must wait; if not, it serves its queue, or queues itself again."""


class NoPace:
    """No time passes while a frame is served: for scenarios."""

    def seconds(self) -> float:
        return 0.0

    def soon(self, call: Callable[[], None]) -> None:
        """Never: nobody is queued."""


class Turns:
    """Slices of all users."""

    def __init__(self, pace: Pace) -> None:
        self._pace = pace
        self._slice = limits.MAX_SLICE_SECONDS
        self._used: dict[Hashable, float] = {}
        self._queues: dict[Hashable, deque[Waiter]] = {}
        self._planned = False

    def may_serve(self, session: Waiter, *, urgent: bool = False) -> bool:
        """Whether the session's user has some of this turn left."""
        used = self._used.get(session.user)
        if used is None:
            return True
        return used < self._slice + (limits.URGENT_SECONDS if urgent else 0.0)

    def begin(self) -> float:
        """The time at which a frame begins to be served, for `used`."""
        return self._pace.seconds()

    def used(self, session: Waiter, begun: float) -> None:
        """A frame of the session was served since `begun`."""
        user = session.user
        self._used[user] = self._used.get(user, 0.0) + self._pace.seconds() - begun
        self._plan()

    def queue(self, session: Waiter) -> None:
        """The session has frames to be served in a later turn."""
        self._queues.setdefault(session.user, deque()).append(session)
        session.wait_turn(True)
        self._plan()

    def _plan(self) -> None:
        if not self._planned:
            self._planned = True
            self._pace.soon(self._turn)

    def _turn(self) -> None:
        """Begin a turn: serve who waits, as far as their slices go."""
        self._planned = False
        queues, self._queues = self._queues, {}
        share = limits.MAX_TURN_SECONDS / max(1, len(queues))
        self._slice = min(limits.MAX_SLICE_SECONDS, max(limits.MIN_SLICE_SECONDS, share))
        over = ((user, used - self._slice) for user, used in self._used.items())
        self._used = {user: used for user, used in over if used > 0.0}
        for user, sessions in queues.items():
            while sessions and self._used.get(user, 0.0) < self._slice:
                sessions.popleft().wait_turn(False)
            if sessions:
                sessions.extend(self._queues.get(user, ()))
                self._queues[user] = sessions
        if self._queues or self._used:
            self._plan()
