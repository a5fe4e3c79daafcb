"""Large mail is written in pieces, one piece in the writer at a time, so that other commands are
committed between them.

Mails take turns. Their rows come last: a mail whose pieces were not all written does not exist.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from blackthorn.errors import BlackthornError
from blackthorn.ports.mail import MailPiece, PiecedMail, RemovePieces, SealedMail, StorePieces
from blackthorn.ports.randomness import Randomness
from blackthorn.ports.store import Command, Done, Result, Writer, call_each, ignore, unless_failed
from blackthorn.server.mail import limits

Rows = tuple[SealedMail | PiecedMail, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    pieces: Iterator[tuple[MailPiece, ...]]
    done: Done[None]


@dataclass(kw_only=True, slots=True)
class PieceWriter:
    """Stores mails; `unfinished` are the numbers of those whose row is not stored yet."""

    writer: Writer
    random: Randomness
    unfinished: set[int] = field(default_factory=set)
    _waiting: deque[_Work] = field(default_factory=deque)
    _writing: bool = False

    def store(
        self,
        mails: Sequence[SealedMail],
        command: Callable[[Rows], Command[Result]],
        done: Done[Result],
    ) -> None:
        """Execute the command for the mails' rows, after the pieces of those that are large."""

        def written(rows: Rows) -> None:
            self.commit(rows, command, done)

        self.write(mails, unless_failed(done, written))

    def write(self, mails: Sequence[SealedMail], done: Done[Rows]) -> None:
        """Write the pieces of the large ones. `commit` or `give_up` of the rows is to follow."""
        rows, large = self._split(mails)
        self.unfinished |= _numbers(rows)

        def written(result: BlackthornError | None) -> None:
            if isinstance(result, BlackthornError):
                self.give_up(rows)
                done(result)
            else:
                done(rows)

        if not large:
            done(rows)
            return
        self._waiting.append(_Work(_cut(large), written))
        if not self._writing:
            self._go_on()

    def commit(
        self, rows: Rows, command: Callable[[Rows], Command[Result]], done: Done[Result]
    ) -> None:
        """Execute the command for rows of which all pieces are written."""

        def finished(result: Result | BlackthornError) -> None:
            if isinstance(result, BlackthornError):
                self.give_up(rows)
            else:
                self.unfinished -= _numbers(rows)
            done(result)

        self.writer.submit(command(rows), finished)

    def give_up(self, rows: Rows) -> None:
        """Delete the pieces of rows that are not stored."""
        numbers = _numbers(rows)
        self.unfinished -= numbers
        if numbers:
            self.remove()

    def remove(self, done: Done[None] = ignore) -> None:
        """Delete the pieces of mails that were given up, in short commands."""

        def removed(count: int) -> None:
            if count == limits.REMOVED_PIECES:
                self.remove(done)
            else:
                done(None)

        command = RemovePieces(frozenset(self.unfinished), limits.REMOVED_PIECES)
        self.writer.submit(command, unless_failed(done, removed))

    def _split(self, mails: Sequence[SealedMail]) -> tuple[Rows, list[MailPiece]]:
        """The rows, and the mails that do not fit one transaction."""
        rows, large = list[SealedMail | PiecedMail](), list[MailPiece]()
        room = limits.MAIL_AT_ONCE_BYTES
        for mail in mails:
            if len(mail.sealed) <= room:
                room -= len(mail.sealed)
                rows.append(mail)
            else:
                number = int.from_bytes(self.random(8)) >> 1
                rows.append(PiecedMail(mail.user, number, len(mail.sealed), mail.compatible))
                large.append(MailPiece(mail.user, number, 0, mail.sealed))
        return tuple(rows), large

    def _go_on(self) -> None:
        self._writing = True
        while self._waiting:
            work = self._waiting.popleft()
            pieces = next(work.pieces, None)
            if pieces is not None:
                self.writer.submit(StorePieces(pieces), partial(self._written, work))
                return
            work.done(None)
        self._writing = False

    def _written(self, work: _Work, result: BlackthornError | None) -> None:
        if isinstance(result, BlackthornError):
            call_each([partial(work.done, result), self._go_on])
        else:
            self._waiting.append(work)
            self._go_on()


def _numbers(rows: Rows) -> set[int]:
    return {row.mail for row in rows if isinstance(row, PiecedMail)}


def _cut(mails: Sequence[MailPiece]) -> Iterator[tuple[MailPiece, ...]]:
    """Their pieces, of MAIL_PIECE_BYTES at a time."""
    pieces, room = list[MailPiece](), limits.MAIL_PIECE_BYTES
    for mail in mails:
        sealed, start = memoryview(mail.sealed), 0
        while start < len(sealed):
            part = sealed[start : start + room]
            pieces.append(MailPiece(mail.user, mail.mail, start, part))
            start, room = start + len(part), room - len(part)
            if not room:
                yield tuple(pieces)
                pieces, room = [], limits.MAIL_PIECE_BYTES
    if pieces:
        yield tuple(pieces)
