"""Mail service: store sealed mail durably, announce it, list and read it."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final

from blackthorn.errors import BlackthornError, DiskError, StorageError, UnavailableError
from blackthorn.ids import Address
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.mail import (
    CountMail,
    DeleteMail,
    ListMail,
    MailHead,
    MailPart,
    ReadMail,
    SealedMail,
    StoreMail,
)
from blackthorn.ports.store import Command, Done, Reader, Then, call_each, unless_failed
from blackthorn.server.counters import Counters
from blackthorn.server.mail import limits
from blackthorn.server.mail.pieces import PieceWriter, Rows
from blackthorn.server.mail.quota import MailQuota, Taken

_DISK_BYTES: Final = 2
"""Of one byte: in the database, and in its write-ahead log until that is folded in."""


@dataclass(slots=True)
class DiskRoom:
    """Bytes that mail may still use on the disk: as measured once, less what was taken since.

    Each measuring makes a new one. What a mail gives back to an older one counts no more, since
    the measuring saw how much of it was on the disk.
    """

    free: float = math.inf


@dataclass(frozen=True, slots=True)
class MailFor:
    """A sealed mail; `compatible`: the copy for other programs, which devices are not told of."""

    user: UserRecord
    sealed: bytes | bytearray
    compatible: bool = False


@dataclass(frozen=True, slots=True)
class MailPage:
    """Mails of a user, oldest first; `more` when others follow.

    `used` and `quota` are bytes of all their mail, both 0 while there is enough room. `count` is
    how many mails they have, on the last page.
    """

    heads: list[MailHead]
    more: bool
    used: int
    quota: int
    count: int = 0


class Storing:
    """Mails that are stored together, all or none, so that who sends them again sends no copies.

    `add` some as often as needed, then `commit`; `close` gives up what was not committed.
    """

    def __init__(self, service: "MailService", own: bool) -> None:
        self._service = service
        self._own = own
        self._added: list[tuple[Address, bool]] = []
        self._rows: Rows = ()
        self._taken: Taken = []
        self._rooms: list[tuple[DiskRoom, int]] = []
        """Room that mails took whose pieces are written, bytes of each."""
        self._over = False

    def add(self, mails: Sequence[MailFor], done: Done[None]) -> None:
        """Write what is large of these mails ahead.

        `done` gets DiskError, MailboxFullError or MailboxBusyError, or StorageError.
        """
        service = self._service
        size = _DISK_BYTES * sum(len(mail.sealed) for mail in mails)
        if not service.has_room(size):
            done(DiskError("the disk is nearly full"))
            return
        sizes = [(mail.user.number, len(mail.sealed)) for mail in mails]
        try:
            self._taken += service.quota.take(sizes, own=self._own)
        except UnavailableError as error:
            done(error)
            return
        room = service.room
        room.free -= size
        self._added += [(mail.user.address, mail.compatible) for mail in mails]

        def written(rows: Rows) -> None:
            if self._over:
                service.pieces.give_up(rows)
                room.free += size
            else:
                self._rows += rows
                self._rooms.append((room, size))
                done(None)

        def failed(error: BlackthornError) -> None:
            room.free += size
            service.counters.storage_failures += isinstance(error, StorageError)
            done(error)

        sealed = [SealedMail(mail.user.number, mail.sealed, mail.compatible) for mail in mails]
        service.pieces.write(sealed, unless_failed(failed, written))

    def commit(self, done: Done[list[int]], also: Command[None] | None = None) -> None:
        """Store all that were added, and execute `also`, in one transaction, and announce them.

        `done` gets the uids once durable, or the error when nothing was stored.
        """
        service = self._service
        received_ms = service.clock.wall_ms()
        self._over = True

        def stored(result: list[int] | BlackthornError) -> None:
            told = [partial(done, result)]
            service.quota.settle(self._taken, stored=not isinstance(result, BlackthornError))
            if isinstance(result, BlackthornError):
                self._give_room_back()
                service.counters.storage_failures += isinstance(result, StorageError)
            else:
                for (address, compatible), uid in zip(self._added, result, strict=True):
                    if not compatible:
                        service.counters.mail_accepted += 1
                        told.append(partial(service.arrived, address, uid))
            call_each(told)

        def put(rows: Rows) -> Command[list[int]]:
            command = StoreMail(rows, received_ms)
            return command if also is None else Then(also, command)

        service.pieces.commit(self._rows, put, stored)

    def close(self) -> None:
        """Give up what was added, unless it was committed. May be called again."""
        if not self._over:
            self._over = True
            self._service.quota.settle(self._taken, stored=False)
            self._service.pieces.give_up(self._rows)
            self._give_room_back()

    def _give_room_back(self) -> None:
        for room, size in self._rooms:
            room.free += size


@dataclass(kw_only=True, slots=True)
class MailService:
    """The mailboxes of all users. `arrived` gets owner and uid of each stored mail.

    Each mail takes its part of `room`, and gives it back if it is not stored.
    """

    pieces: PieceWriter
    reader: Reader
    clock: Clock
    counters: Counters
    arrived: Callable[[Address, int], None]
    quota: MailQuota
    room: DiskRoom = field(default_factory=DiskRoom)

    def has_room(self, size: int) -> bool:
        """Whether the disk has room for mail of so many bytes."""
        return size < self.room.free

    def begin(self, *, own: bool = False) -> Storing:
        """Store mails to many users in several steps; `own`: the server wrote them."""
        return Storing(self, own)

    def store(
        self,
        mails: Sequence[MailFor],
        done: Done[list[int]],
        also: Command[None] | None = None,
        own: bool = False,
    ) -> None:
        """Store all of `mails`, and execute `also`, in one transaction, after the mails' pieces.

        `done` gets the uids once durable, or the error when nothing was stored. `own`: the server
        wrote them, and a full mailbox does not refuse them.
        """
        storing = self.begin(own=own)

        def added(result: BlackthornError | None) -> None:
            if isinstance(result, BlackthornError):
                storing.close()
                done(result)
            else:
                storing.commit(done, also)

        storing.add(mails, added)

    def page(self, user: UserRecord, after: int, limit: int, done: Done[MailPage]) -> None:
        """At most `limit` of the user's mails with a uid above `after`."""

        def found(heads: list[MailHead]) -> None:
            def counted(used: int) -> None:
                quota = self.quota.bytes
                told = (used, quota) if used > quota * limits.TELL_USED else (0, 0)
                page = MailPage(heads[:limit], len(heads) > limit, *told)
                if page.more:
                    done(page)
                    return

                def last(count: int) -> None:
                    done(replace(page, count=count))

                self.reader.ask(CountMail(user.number), unless_failed(done, last))

            self.quota.used(user.number, unless_failed(done, counted))

        query = ListMail(user.number, after, limit + 1)
        self.reader.ask(query, unless_failed(done, found))

    def delete(self, user: UserRecord, uid: int, done: Done[bool]) -> None:
        """Delete one of the user's mails; whether there was one."""

        def deleted(freed: int | None) -> None:
            if freed is not None:
                self.quota.freed(user.number, freed)
                self.pieces.remove()
            done(freed is not None)

        self.pieces.writer.submit(DeleteMail(user.number, uid), unless_failed(done, deleted))

    def read(
        self, user: UserRecord, uid: int, offset: int, length: int, done: Done[MailPart | None]
    ) -> None:
        """At most `length` bytes of one of the user's mails, or None."""
        self.reader.ask(ReadMail(user.number, uid, offset, length), done)
