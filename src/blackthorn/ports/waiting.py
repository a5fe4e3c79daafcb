"""Coroutines that wait for operations with callbacks."""

import asyncio
from collections.abc import Callable

from blackthorn.errors import BlackthornError
from blackthorn.ports.store import Done, Result


async def outcome(begin: Callable[[Done[Result]], None]) -> Result:
    """Result of the callback of `begin`, such as `partial(reader.ask, query)`. Raises its error."""
    told: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def done(result: Result | BlackthornError) -> None:
        if told.done():  # the coroutine was cancelled
            return
        if isinstance(result, BlackthornError):
            told.set_exception(result)
        else:
            told.set_result(result)

    begin(done)
    return await told
