"""Sealed mail: store it durably, tell the owner's devices, hand it to them and to nobody else.

It meets only sealed bytes. What is said over SMTP is `server.mail.recipient_policy`'s.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from blackthorn.errors import StorageError
from blackthorn.ids import Address
from blackthorn.link import limits
from blackthorn.link.frames import (
    AnyFrame,
    FetchMail,
    ListMail,
    MailArrived,
    MailChunk,
    MailEntry,
    MailListing,
)
from blackthorn.ports.clock import Clock
from blackthorn.ports.enterprise import DeviceRecord, Enterprise, UserRecord
from blackthorn.ports.mail import MailStore, SealedMail
from blackthorn.ports.writer import Job, Writer
from blackthorn.server.counters import Counters


class MailSession(Protocol):
    """What the mailroom needs of a link session."""

    @property
    def device(self) -> DeviceRecord | None:
        """The device behind the session, once its hello was accepted."""
        ...

    def transmit(self, *frames: AnyFrame) -> None:
        """Send frames to the device."""
        ...


@dataclass(frozen=True, slots=True)
class MailFor:
    """One sealed mail and its owner."""

    user: UserRecord
    sealed: bytes | bytearray


class MailService:
    """The mail side of the server, between SMTP, the store and the link.

    `notify` sends a frame to all resumed devices of a user (`Dispatcher.notify_user`).
    """

    def __init__(
        self,
        enterprise: Enterprise,
        store: MailStore,
        writer: Writer,
        clock: Clock,
        counters: Counters,
        notify: Callable[[Address, AnyFrame], None],
    ) -> None:
        self._enterprise = enterprise
        self._store = store
        self._writer = writer
        self._clock = clock
        self._counters = counters
        self._notify = notify
        self.disk_short = False
        """While too little disk is free no mail is stored."""

    def deliver(
        self,
        mails: Sequence[MailFor],
        done: Callable[[StorageError | None], None],
        also: Job[None] | None = None,
    ) -> None:
        """Store all of `mails` in one transaction; `done(None)` once that is durable.

        `also` is written in the same transaction. `done` gets the StorageError when nothing was
        stored. The devices hear of it first.
        """
        if self.disk_short:
            done(StorageError("the disk is nearly full"))
            return

        def stored(result: list[int] | StorageError) -> None:
            if isinstance(result, StorageError):
                self._counters.storage_failures += 1
                done(result)
                return
            self._counters.mail_accepted += len(mails)
            for mail, uid in zip(mails, result, strict=True):
                self._notify(mail.user.address, MailArrived(uid))
            done(None)

        rows = [SealedMail(mail.user.number, mail.sealed) for mail in mails]
        put = self._store.put(rows, self._clock.wall_ms())

        def job(transaction: Any) -> list[int]:
            if also is not None:
                also(transaction)
            return put(transaction)

        self._writer.submit(job, stored)

    def handle(self, session: MailSession, frame: AnyFrame, now: float) -> None:
        """Answer ListMail and FetchMail of a device, from its own user's mailbox only."""
        user = self._enterprise.user(session.device.address) if session.device else None
        if user is None:
            return
        match frame:
            case ListMail():
                session.transmit(self._listing(user, frame))
            case FetchMail():
                session.transmit(self._chunk(user, frame))

    def _listing(self, user: UserRecord, frame: ListMail) -> MailListing:
        heads = self._store.list(user.number, frame.after, limits.MAX_MAIL_LISTING + 1)
        entries = [
            MailEntry(head.uid, head.size, head.received_ms)
            for head in heads[: limits.MAX_MAIL_LISTING]
        ]
        return MailListing(frame.request, entries, len(heads) > len(entries))

    def _chunk(self, user: UserRecord, frame: FetchMail) -> MailChunk:
        found = self._store.read(user.number, frame.uid, frame.offset, limits.MAX_MAIL_CHUNK_BYTES)
        total, data = found if found is not None else (0, b"")
        self._counters.mail_chunks_sent += 1
        return MailChunk(frame.request, frame.uid, frame.offset, total, data)
