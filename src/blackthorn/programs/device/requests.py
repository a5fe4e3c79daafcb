"""Requests to the server: send one frame, wait for the answer of its type."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from blackthorn.link import frames as f
from blackthorn.programs.device.program import DeviceProgram, server_timeout

ANSWER_SECONDS: Final = 30.0
"""Timeout of one answer."""

T = TypeVar("T", bound=f.AnyFrame)
Request = Callable[[f.AnyFrame, type[Any]], Awaitable[Any]]


@asynccontextmanager
async def connect(device: DeviceProgram) -> AsyncIterator[Request]:
    """A connection as a function that sends a frame and returns the answer of the given type.

    Raises UnavailableError when the server is unreachable or does not answer in time.
    """
    async with device.link(receive=False) as connection:

        async def request(frame: f.AnyFrame, kind: type[T]) -> T:
            async with server_timeout(ANSWER_SECONDS):
                connection.send(frame)
                while True:
                    answer = await device.step(connection)
                    if isinstance(answer, kind):
                        return answer

        yield request
