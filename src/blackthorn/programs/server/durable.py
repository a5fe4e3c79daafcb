"""A write that a coroutine waits for."""

import asyncio

from blackthorn.errors import StorageError
from blackthorn.ports.writer import Job, Result, Writer


async def durable(writer: Writer, job: Job[Result]) -> Result:
    """What `job` gives, once it is durable. Raises StorageError when nothing was kept."""
    written: asyncio.Future[Result] = asyncio.get_running_loop().create_future()

    def done(result: Result | StorageError) -> None:
        if written.done():  # nobody waits any more
            return
        if isinstance(result, StorageError):
            written.set_exception(result)
        else:
            written.set_result(result)

    writer.submit(job, done)
    return await written
