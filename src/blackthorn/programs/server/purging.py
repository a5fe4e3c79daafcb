"""Periodic deletion of expired activation codes and of parcels of removed devices.

Each command is small, so that the writer is soon free.
"""

import asyncio
from functools import partial
from typing import Final

from blackthorn.ports.clock import Clock
from blackthorn.ports.enrolment import PurgeCodes, PurgeOrphans
from blackthorn.ports.store import Writer
from blackthorn.ports.waiting import outcome
from blackthorn.server.accounts import limits

PURGE_SECONDS: Final = 600
"""Period of the purge."""


async def purge(writer: Writer, now_ms: int) -> None:
    """Delete all there are now. Raises StorageError."""
    count = limits.PURGED_CODES
    while count == limits.PURGED_CODES:
        command = PurgeCodes(now_ms, limits.PURGED_CODES)
        count = await outcome(partial(writer.submit, command))
    after: int | None = 0
    while after is not None:
        step = PurgeOrphans(after, limits.PURGED_MAILBOXES, limits.PURGED_PARCELS)
        after = (await outcome(partial(writer.submit, step))).after


async def purge_and_rest(writer: Writer, clock: Clock) -> None:
    """Purge, and wait. Raises StorageError."""
    await purge(writer, clock.wall_ms())
    await asyncio.sleep(PURGE_SECONDS)
