"""Outcomes told in the event loop: in order, each callback isolated, one short slice at a time."""

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from blackthorn.errors import DefectError
from blackthorn.storage.sqlite.group_commit import Outcome

Wake = Callable[..., object]
"""`loop.call_soon_threadsafe`, or its like."""

SLICE_SECONDS: Final = 0.002
"""Callbacks are called for so long; then the loop serves others before the rest is told."""


class Outcomes:
    """What the loop is still to be told. `on_defect` is called there for each programming error.

    A callback that raises is left to the loop's handler of exceptions, once.
    """

    def __init__(self, wake: Wake, on_defect: Callable[[DefectError], None]) -> None:
        self._wake = wake
        self._on_defect = on_defect
        self._waiting: deque[Outcome] = deque()
        self._continuing = False

    def post(self, outcomes: Sequence[Outcome]) -> None:
        """Tell these, from any thread; after the loop's end they wait for `tell`."""
        self._waiting.extend(outcomes)
        with suppress(RuntimeError):  # the loop has closed
            self._wake(self._begin)

    def _begin(self) -> None:
        if not self._continuing:
            self._continue()

    def _continue(self) -> None:
        self._continuing = False
        self.tell(time.perf_counter() + SLICE_SECONDS)

    def tell(self, until: float = float("inf")) -> None:
        """Tell what waits, in the loop's thread, until that time of `time.perf_counter`."""
        while self._waiting:
            done, result = self._waiting.popleft()
            if isinstance(result, DefectError):
                self._on_defect(result)
            try:
                done(result)
            except Exception as error:
                self._wake(_raise, error)
            if self._waiting and time.perf_counter() >= until:
                self._continuing = True
                self._wake(self._continue)
                return


def _raise(error: Exception) -> None:
    raise error
