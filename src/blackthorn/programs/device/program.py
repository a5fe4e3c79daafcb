"""The device's program: one `Device` over one vault, with clock, link and waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Final

from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.engine import Device
from blackthorn.device.operations import outbox
from blackthorn.device.operations.operation import Outcome, outcome_of
from blackthorn.edges.link.client import LinkClosedError, LinkConnection, connect
from blackthorn.errors import OverrunError, ProtocolError, UnavailableError, UserError
from blackthorn.link import codes
from blackthorn.link import frames as f
from blackthorn.ports.randomness import Randomness
from blackthorn.programs.device.home import Home, Opened, ReceiverLock, random, wall_ms

TICK_SECONDS: Final = 0.5
"""Interval of checks for changes by other processes."""

FIRST_RETRY_SECONDS: Final = 1.0
LAST_RETRY_SECONDS: Final = 30.0
"""The longest pause before a follower connects again: doubled each time, up to the last. After a
link that has lasted so long it begins with the first one again."""

NO_ANSWER: Final = "the server did not answer in time"

FINISH_SECONDS: Final = 30.0
"""Wait of a command for the server; the rest then stays in the outbox."""


class Backoff:
    """Pauses before reconnecting: exponential backoff with full jitter.

    After a server's restart its devices therefore do not all come back in one moment.
    """

    def __init__(self, random: Randomness) -> None:
        self._random = random
        self.reset()

    def reset(self) -> None:
        """A connection has lasted: begin with the shortest pause again."""
        self._longest = FIRST_RETRY_SECONDS

    def pause(self) -> float:
        """Seconds until the next attempt, drawn evenly from 0 to a bound that doubles."""
        longest = self._longest
        self._longest = min(2 * longest, LAST_RETRY_SECONDS)
        return longest * int.from_bytes(self._random(4)) / 2**32


@asynccontextmanager
async def server_timeout(
    seconds: float, text: str = NO_ANSWER
) -> AsyncIterator[Callable[[], None]]:
    """Bound the wait for the server; what it yields begins the wait anew.

    Raises UnavailableError with `text`.
    """
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds) as bound:
            yield lambda: bound.reschedule(loop.time() + seconds)
    except TimeoutError:
        raise UnavailableError(text) from None


class DeviceRefusedError(UserError):
    """The server does not know this device: it sends nothing for it."""


class DeviceProgram:
    """One process's access to a device."""

    def __init__(self, home: Home, opened: Opened) -> None:
        self.opened = opened
        self.device = Device(opened.vault, opened.keys, random=random)
        self.lock: ReceiverLock = home.receiver()
        self.connection: LinkConnection | None = None
        self.fetches_elsewhere = False
        """Whether `try_fetch` has left receiving to another process of this device."""

    def enqueue(self, make: Callable[[UnitOfWork], int]) -> int:
        """Store an operation in the outbox; its number."""
        return self.device.enqueue(wall_ms(), make)

    def enqueue_all(self, makes: Sequence[Callable[[UnitOfWork], int]]) -> list[int]:
        """Store several operations, or none; their numbers."""
        return self.device.enqueue_all(wall_ms(), makes)

    @asynccontextmanager
    async def link(self, *, receive: bool) -> AsyncIterator[LinkConnection]:
        """A link after the hello. `receive`: take deliveries unless another process does.

        Raises UnavailableError, SecurityError (another key), UserError (unknown device).
        """
        server = self.opened.server
        connection = await connect(server.host, server.port, server.pin)
        try:
            connection.send(self.device.hello(connection.binding, wall_ms()))
            ready = await self._next(connection)
            if not isinstance(ready, f.Ready):
                raise ProtocolError("the server did not answer the hello as it should")
            receives = receive and self.lock.take()
            connection.send(*self.device.connected(ready, wall_ms(), receives=receives))
            self.connection = connection
            yield connection
        except OverrunError as error:
            self.device.overrun(error, wall_ms())
            raise
        finally:
            self.connection = None
            self.device.disconnected()
            await connection.close()

    async def _next(self, connection: LinkConnection) -> f.AnyFrame:
        try:
            return await connection.receive()
        except LinkClosedError as error:
            if error.code in (codes.Code.HELLO_REFUSED, codes.Code.REMOVED):
                raise DeviceRefusedError(
                    "the server does not know this device (any more): if it was revoked, or its "
                    "reset was cancelled, use another one of yours, or ask the administrator"
                ) from None
            raise

    async def step(self, connection: LinkConnection) -> f.AnyFrame | None:
        """Serve the next frame, or due work when none comes within TICK_SECONDS."""
        try:
            # Python 3.11's wait_for can swallow the cancellation that Ctrl-C is.
            async with asyncio.timeout(TICK_SECONDS):
                frame = await self._next(connection)
        except TimeoutError:
            connection.send(*self.device.tick(wall_ms()))
            return None
        connection.send(*self.device.receive(frame, wall_ms()))
        await connection.drain()
        return frame

    async def see_to(
        self, numbers: list[int], progress: Callable[[int, int], None] | None = None
    ) -> dict[int, Outcome]:
        """Connect and finish these operations; their outcomes. What waits stays in the outbox.

        `progress` gets the bytes of a mail that the server has, and all of them.
        Never raises UnavailableError: an operation that could not be sent has that as its reason.
        They are given up when the server does not know this device.
        """
        reason, remaining = "", set(numbers)
        try:
            async with (
                server_timeout(FINISH_SECONDS) as wait_on,
                self.link(receive=True) as connection,
            ):
                connection.send(*self.device.tick(wall_ms()))
                while remaining := self._unfinished(remaining):
                    before = self.device.upload
                    await self.step(connection)
                    if self.device.upload != before:
                        wait_on()
                        if progress is not None:
                            progress(*self.device.upload)
        except UnavailableError as error:
            reason = str(error)
        except DeviceRefusedError as error:
            self._give_up(numbers, str(error))
        return {
            outcome.number: outcome
            if outcome.final
            else replace(outcome, error=outcome.error or reason or "it waits")
            for outcome in self._outcomes(numbers)
        }

    def _give_up(self, numbers: Iterable[int], reason: str) -> None:
        with self.device.unit(wall_ms()) as unit:
            rows = [unit.records.outbox.get(number) for number in numbers]
            for row in rows:
                if row is not None:
                    outbox.fail(unit, row, reason)

    def _outcomes(self, numbers: Iterable[int]) -> list[Outcome]:
        """What became of operations, whichever process has sent them."""
        with self.opened.vault.transaction() as records:
            return [outcome_of(records, number) for number in numbers]

    def _unfinished(self, numbers: Iterable[int]) -> set[int]:
        """Those that another frame may still finish."""
        waiting = {outcome.number for outcome in self._outcomes(numbers) if not outcome.final}
        return waiting - self.device.blocked

    async def fetch(self) -> bool:
        """Receive and send all; False: another process does. Raises UnavailableError."""
        async with server_timeout(FINISH_SECONDS), self.link(receive=True) as connection:
            if not self.lock.take():
                return False
            while not self.device.superseded:
                if self.device.drained and not self.device.busy(wall_ms()):
                    break
                await self.step(connection)
            return True

    async def try_fetch(self) -> str:
        """Fetch; the error, or "". For commands that also show stored data offline.

        `fetches_elsewhere` is set when another process of this device receives.
        """
        try:
            self.fetches_elsewhere = not await self.fetch()
        except UnavailableError as error:
            return str(error)
        return ""

    async def follow(self, changed: Callable[[], None], lost: Callable[[str], None]) -> None:
        """Receive for ever: `changed` after each frame, `lost` when the server is lost.

        Raises UserError when another process or another copy of this device receives.
        """
        await self._take_lock()
        backoff, reported = Backoff(random), False
        loop = asyncio.get_running_loop()
        while True:
            try:
                async with self.link(receive=True) as connection:
                    reported, since = False, loop.time()
                    while True:
                        await self.step(connection)
                        if loop.time() - since >= LAST_RETRY_SECONDS:
                            backoff.reset()
                        changed()
                        if self.device.superseded:
                            raise UserError(
                                "another connection of this device receives now: is its "
                                "folder in use on another machine?"
                            )
            except UnavailableError as error:
                if not reported:
                    lost(str(error))
                    reported = True
            await asyncio.sleep(backoff.pause())

    async def _take_lock(self) -> None:
        for _ in range(30):
            if self.lock.take():
                return
            await asyncio.sleep(TICK_SECONDS)
        raise UserError("another blackthorn process is following this device's inbox already")
