"""Reads the data of one mail into one bounded buffer: memory, size, speed and time are limited."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Final

from blackthorn.edges.smtp import limits
from blackthorn.edges.smtp.memory import Share
from blackthorn.mail import limits as mail_limits
from blackthorn.mail.errors import MailRefusedError

END: Final = b"\r\n.\r\n"
_MOST: Final = 1 << 30


class TooSlowError(Exception):
    """The peer sends too slowly, without end, or has gone: the connection is to be closed."""


class Receiver:
    """Reads from `reader` at the speed that `share` asks for; `alive` is called at each piece."""

    def __init__(
        self, reader: asyncio.StreamReader, share: Share, alive: Callable[[], None]
    ) -> None:
        self._reader = reader
        self._share = share
        self._alive = alive
        self._loop = asyncio.get_running_loop()
        self._received = 0

    async def data(self) -> bytearray:
        """The data up to CRLF.CRLF, its dots still doubled (RFC 5321, 4.5.2).

        A mail that is too large, or finds no memory, is read to its end and dropped; then
        MailRefusedError. Raises TooSlowError.
        """
        data = bytearray(b"\r\n")  # so that a dot on the first line is found too
        refused: MailRefusedError | None = None
        searched = 0
        while True:
            chunk = await self._read(_MOST)
            refused = refused or self._refused(len(chunk))
            data += chunk
            end = data.find(END, searched)
            if end >= 0:
                self._reader.feed_data(bytes(data[end + len(END) :]))
                break
            searched = max(0, len(data) - len(END) + 1)
            if refused is not None:
                del data[:searched]
                searched = 0
        if refused is not None:
            raise refused
        del data[end + 2 :]
        del data[:2]
        return data

    async def chunk(self, size: int, data: bytearray, *, keep: bool) -> None:
        """Add exactly `size` octets (RFC 3030, 2) to `data`, or drop them.

        What is too large, or finds no memory, is read to its end and dropped; then
        MailRefusedError. Raises TooSlowError.
        """
        refused: MailRefusedError | None = None
        while size:
            piece = await self._read(min(size, _MOST))
            size -= len(piece)
            if not keep or refused is not None:
                continue
            refused = self._refused(len(piece))
            data += piece
        if refused is not None:
            raise refused

    async def _read(self, most: int) -> bytes:
        chunk = await self._reader.read(most)
        self._alive()
        now = self._loop.time()
        self._received += len(chunk)
        self._share.count(len(chunk), now)
        endless = self._received > 4 * mail_limits.MAX_MAIL_BYTES
        if not chunk or endless or self._share.too_slow(now):
            raise TooSlowError
        return chunk

    def _refused(self, size: int) -> MailRefusedError | None:
        """Take memory for `size` bytes more, or none at all and why."""
        try:
            self._share.grow(size, self._loop.time())
            if self._received > mail_limits.MAX_MAIL_BYTES + len(END):
                raise MailRefusedError(552, "5.3.4", "the mail is too large")
        except MailRefusedError as error:
            self._share.release()
            return error
        return None


class Chunks:
    """One mail that comes by BDAT, in memory shared as `memory` says; `close` gives it back."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        memory: AbstractContextManager[Share],
        alive: Callable[[], None],
    ) -> None:
        self._memory = memory
        self.share = memory.__enter__()
        self._receiver = Receiver(reader, self.share, alive)
        self._count = 0
        self.data = bytearray()
        self.refused: MailRefusedError | None = None
        """Why this mail is not taken: said again for each chunk, whose octets are dropped."""

    async def add(self, size: int) -> None:
        """Read a chunk. Raises MailRefusedError, TooSlowError."""
        self._count += 1
        if self._count > limits.MAX_SMTP_CHUNKS:
            self.refused = MailRefusedError(554, "5.5.0", "the mail comes in too many chunks")
        try:
            await self._receiver.chunk(size, self.data, keep=self.refused is None)
        except MailRefusedError as error:
            self.refused = error
        if self.refused is not None:
            self.data.clear()
            raise self.refused

    def close(self) -> None:
        self._memory.__exit__(None, None, None)
