"""Requests to the server from a device's program: one frame out, the answer of its kind back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any, Final, TypeVar

from blackthorn.link import frames as f
from blackthorn.programs.device.program import DeviceProgram, server_timeout

ANSWER_SECONDS: Final = 30.0
"""How long the server may take for one answer."""

T = TypeVar("T", bound=f.AnyFrame)
Request = Callable[[f.AnyFrame, type[Any]], Awaitable[Any]]


@asynccontextmanager
async def connect(device: DeviceProgram) -> AsyncIterator[Request]:
    """Connected: a function that sends a frame and returns the answer of the wanted kind.

    Raises UnavailableError when the server cannot be reached or does not answer in time.
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
