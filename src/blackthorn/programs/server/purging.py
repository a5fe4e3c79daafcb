"""Periodic deletion: of expired activation codes, of parcels of removed devices, of pieces of mails
that the server did not finish, of old tokens of submissions, of the log's past.

Each command is small, so that the writer is soon free. The write-ahead log holds what was deleted,
acknowledged parcels above all, until it is truncated.
"""

import asyncio
from functools import partial
from typing import Final

from blackthorn.ports.clock import Clock
from blackthorn.ports.enrolment import PurgeCodes, PurgeOrphans
from blackthorn.ports.store import Writer
from blackthorn.ports.waiting import outcome
from blackthorn.server.accounts import limits
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.outbound.queue import purge_command
from blackthorn.storage.sqlite.writer import ThreadWriter

PURGE_SECONDS: Final = 600
"""Period of the purge."""

TRUNCATE_SECONDS: Final = 20
"""Period of truncating the write-ahead log, so that nothing deleted is in it a minute later."""

RETRY_SECONDS: Final = 1
"""Time until the next try when a reader kept the log from being truncated."""


async def purge(writer: Writer, pieces: PieceWriter, now_ms: int) -> None:
    """Delete all there are now. Raises StorageError."""
    await outcome(pieces.remove)
    count = limits.PURGED_CODES
    while count == limits.PURGED_CODES:
        command = PurgeCodes(now_ms, limits.PURGED_CODES)
        count = await outcome(partial(writer.submit, command))
    tokens = purge_command(now_ms)
    count = tokens.limit
    while count == tokens.limit:
        count = await outcome(partial(writer.submit, tokens))
    after: int | None = 0
    while after is not None:
        step = PurgeOrphans(after, limits.PURGED_MAILBOXES, limits.PURGED_PARCELS)
        after = (await outcome(partial(writer.submit, step))).after


async def purge_and_rest(writer: Writer, pieces: PieceWriter, clock: Clock) -> None:
    """Purge, and wait. Raises StorageError."""
    await purge(writer, pieces, clock.wall_ms())
    await asyncio.sleep(PURGE_SECONDS)


async def truncate_and_rest(writer: ThreadWriter) -> None:
    """Truncate the write-ahead log, and wait. Raises StorageError."""
    truncated = await outcome(writer.truncate_log)
    await asyncio.sleep(TRUNCATE_SECONDS if truncated else RETRY_SECONDS)
