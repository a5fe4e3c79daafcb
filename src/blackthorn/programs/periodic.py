"""Background work: named tasks that no fault ends.

`run_periodically` repeats a step. A `Supervisor` restarts such work: a disk fault is counted, any
other error goes to the event loop's exception handler, which logs and counts it (`programs.log`).
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any, Final, Self

from blackthorn.errors import BlackthornError, DefectError, StorageError, defect
from blackthorn.ports.store import Done, Result
from blackthorn.server.counters import Counters

Step = Callable[[], float | None]
"""One step of work; returns the seconds until the next, or None for the usual time."""

FIRST_PAUSE_SECONDS: Final = 0.25
LONGEST_PAUSE_SECONDS: Final = 30.0
"""Pauses between failures of the same work double up to this."""


async def run_periodically(step: Step, every: float) -> None:
    """Take `step` now and then every so many seconds, until it raises."""
    while True:
        pause = step()
        await asyncio.sleep(every if pause is None else pause)


class Supervisor:
    """The background tasks of one program; leaving its block, or `close`, ends them."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._tasks: set[asyncio.Task[None]] = set()
        self._drains: list[Callable[[], Awaitable[None]]] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    def every(self, seconds: float, name: str, step: Step) -> asyncio.Task[None]:
        """Take `step` every so many seconds, also after a fault."""
        return self.keep(name, partial(run_periodically, step, seconds), seconds)

    def keep(
        self,
        name: str,
        work: Callable[[], Awaitable[None]],
        first_pause: float = FIRST_PAUSE_SECONDS,
    ) -> asyncio.Task[None]:
        """Repeat `work`, after a pause when it failed."""
        return self.start(name, self._again(name, work, first_pause))

    def start(self, name: str, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Do `work` once; an error is reported."""
        task = asyncio.get_running_loop().create_task(self._reporting(name, work), name=name)
        self._tasks.add(task)

        def ended(task: asyncio.Task[None]) -> None:
            self._tasks.discard(task)
            work.close()  # that of a task which was ended before it began

        task.add_done_callback(ended)
        return task

    def answer(self, name: str, work: Coroutine[Any, Any, Result], done: Done[Result]) -> None:
        """Do `work` once; `done` gets its result or error, and a defect is reported too."""

        async def run() -> None:
            result: Result | BlackthornError
            try:
                result = await work
            except Exception as error:
                result = error if isinstance(error, BlackthornError) else defect(error)
                if isinstance(result, DefectError):
                    self.report(name, result)
            done(result)

        self.start(name, run())

    def before_close(self, drain: Callable[[], Awaitable[None]]) -> None:
        """Wait for `drain` before the tasks are ended: what they are at may come to its end."""
        self._drains.append(drain)

    async def close(self) -> None:
        """Drain, end all tasks and wait; may be called again."""
        while self._drains:
            await self._reporting("drain", self._drains.pop()())
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _again(
        self, name: str, work: Callable[[], Awaitable[None]], first_pause: float
    ) -> None:
        loop = asyncio.get_running_loop()
        pause = first_pause
        while True:
            begun = loop.time()
            try:
                await work()
                pause = first_pause
            except Exception as error:
                self.report(name, error)
                if isinstance(error, StorageError) or loop.time() - begun > pause:
                    pause = first_pause
                await asyncio.sleep(pause)
                pause = min(2 * pause, max(LONGEST_PAUSE_SECONDS, first_pause))

    async def _reporting(self, name: str, work: Awaitable[None]) -> None:
        try:
            await work
        except Exception as error:
            self.report(name, error)

    def report(self, name: str, error: Exception) -> None:
        """Count a disk fault; any other error goes to the event loop's handler."""
        if isinstance(error, StorageError):
            self._counters.storage_failures += 1
        else:
            context = {"message": f"{name} failed", "exception": error, "work": name}
            asyncio.get_running_loop().call_exception_handler(context)
