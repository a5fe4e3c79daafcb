"""Work that goes on for as long as the server runs, whatever becomes of one turn of it."""

import asyncio
from collections.abc import Callable

from blackthorn.errors import StorageError
from blackthorn.server.counters import Counters


async def repeat(step: Callable[[], float], counters: Counters, after_fault: float) -> None:
    """Take `step` again and again, after so many seconds as it says. Never returns.

    What the disk refuses is counted, any other fault is told, and the work goes on after
    `after_fault` seconds.
    """
    loop = asyncio.get_running_loop()
    while True:
        wait = after_fault
        try:
            wait = step()
        except StorageError:
            counters.storage_failures += 1
        except Exception as error:  # what waits is still to be done
            loop.call_exception_handler({"message": "a turn failed", "exception": error})
        await asyncio.sleep(wait)
