"""Fetch the user's sealed mail over the link and open it."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePath
from typing import Final, TypeVar

from blackthorn import errors
from blackthorn.device.mail import keys
from blackthorn.device.mail.fetching import Listing, Pieces
from blackthorn.device.mail.header_keys import learn_from
from blackthorn.device.mail.signatures import Signature, VerifiedMail, author_of, names
from blackthorn.edges.link.client import LinkConnection
from blackthorn.link import frames as f
from blackthorn.mail.render.names import file_name
from blackthorn.mail.render.render import Attachment, RenderedMail, render, render_head
from blackthorn.mail.render.text import safe_line
from blackthorn.ports.device_store import MailRecord
from blackthorn.programs.device.chain_lookup import look_up
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.opening.opener import opener
from blackthorn.programs.device.opening.stored import open_stored, signature_of
from blackthorn.programs.device.program import FINISH_SECONDS, DeviceProgram, server_timeout
from blackthorn.wire.address import domain_of

MAX_SAME_NAMES: Final = 1_000
"""Attempts to find an unused file name."""

NOT_KEPT: Final = "a mail is fetched each time, since this device keeps only the list"


_Answer = TypeVar("_Answer", f.MailListing, f.MailChunk, f.MailDeleted)

_ABSENT: Final = "there is no mail {uid}: see `blackthorn mail list`"


@dataclass(frozen=True, slots=True)
class ReadMail:
    """An opened mail, safe to print; `readable`: others could read it before it was sealed.

    `received_ms` is 0 when unknown.
    """

    rendered: RenderedMail
    readable: bool
    received_ms: int = 0
    junk: bool = False
    """By the server's verdict, inside the seal."""
    signature: Signature | None = None
    names_reader: bool | None = False
    """Whether its To or Cc names the user of this device, None when they are too long to say."""

    @property
    def may_be_passed_on(self) -> bool:
        """Whether it is signed by another, and not, as far as it says, to the user."""
        by_another = self.signature in (Signature.LEDGER, Signature.PINNED)
        return by_another and self.names_reader is False

    @property
    def attached(self) -> list[tuple[Attachment, bytes]]:
        """The attachments with their bytes."""
        return list(zip(self.rendered.attachments, self.rendered.files, strict=True))


class MailFetcher:
    """Fetches mail over one link; other frames go to the device."""

    def __init__(self, program: DeviceProgram, connection: LinkConnection) -> None:
        self._program = program
        self._connection = connection
        self._requests = count(1)
        self.used = self.quota = 0
        """Bytes of the user's mail on the server and of their quota, 0 while there is room."""
        self.count = 0
        """Mails of the user on the server; 0 also when an older server does not say."""

    async def _answer(self, kind: type[_Answer], request: int) -> _Answer:
        async with server_timeout(FINISH_SECONDS):
            while True:
                frame = await self._program.step(self._connection)
                if isinstance(frame, kind) and frame.request == request:
                    return frame

    async def listing(self, after: int) -> list[f.MailEntry]:
        """The server's mail with a uid above `after`. Raises OverrunError."""
        listing = Listing(after)
        while listing.add(await self._page(listing.last)):
            pass
        return listing.entries

    async def delete(self, uid: int) -> bool:
        """Delete a mail on the server; whether there was one."""
        request = next(self._requests)
        self._connection.send(f.DeleteMail(request, uid))
        return (await self._answer(f.MailDeleted, request)).found

    async def _page(self, after: int) -> f.MailListing:
        request = next(self._requests)
        self._connection.send(f.ListMail(request, after))
        answer = await self._answer(f.MailListing, request)
        self.used, self.quota, self.count = answer.used, answer.quota, answer.count
        return answer

    async def find(self, uid: int) -> f.MailEntry:
        """One mail as the server lists it. Raises UserError for an unknown uid, OverrunError."""
        listing = Listing(uid - 1)
        listing.add(await self._page(uid - 1))
        if not listing.entries or listing.entries[0].uid != uid:
            raise errors.UserError(_ABSENT.format(uid=uid))
        return listing.entries[0]

    async def sealed(self, entry: f.MailEntry) -> bytes:
        """The sealed bytes of one mail. Raises UserError if it is gone, OverrunError."""
        pieces = Pieces(entry)
        while True:
            request = next(self._requests)
            self._connection.send(f.FetchMail(request, entry.uid, pieces.offset))
            chunk = await self._answer(f.MailChunk, request)
            if not chunk.total:
                raise errors.UserError(_ABSENT.format(uid=entry.uid))
            sealed = pieces.add(chunk)
            if sealed is not None:
                return sealed


@asynccontextmanager
async def mail_link(program: DeviceProgram) -> AsyncIterator[MailFetcher]:
    """A link for mail. The server has FINISH_SECONDS to take it, and for each answer.

    Raises UnavailableError.
    """
    async with AsyncExitStack() as stack:
        async with server_timeout(FINISH_SECONDS):
            connection = await stack.enter_async_context(program.link(receive=False))
        yield MailFetcher(program, connection)


async def shown_mail(
    program: DeviceProgram,
    verified: VerifiedMail,
    *,
    prefer_html: bool = False,
    show: Callable[..., RenderedMail] = render,
) -> ReadMail:
    """Render an opened mail, and learn its sender's certificate."""
    opened, own = verified.mail, program.opened.keys.address
    with program.opened.vault.transaction() as records:
        secrets = keys.secrets(records)
        if not (opened.junk or opened.own):
            learn_from(records, opened.content, own, wall_ms())
    shown = await asyncio.to_thread(
        show,
        opened.content,
        opener(secrets),
        prefer_html=prefer_html,
        own_header=opened.by_sender or opened.own,
    )
    if not shown.sender and opened.envelope_sender:
        sender = f"{safe_line(opened.envelope_sender)} (by its envelope)"
        shown = replace(shown, sender=sender)
    return ReadMail(
        shown,
        verified.readable,
        junk=opened.junk,
        signature=verified.signature if opened.by_sender else None,
        names_reader=names(opened, own),
    )


async def refresh(
    program: DeviceProgram, progress: Callable[[int, int], None] = lambda done, total: None
) -> tuple[int, int]:
    """Update the index of mail; used bytes and quota, 0 while there is room.

    Each mail is opened once, when it is new here; one that no key opened again once there are more
    keys, and one that could not be tried at each call. `progress` gets how many are done, and all
    of them. Raises UnavailableError.
    """
    with program.opened.vault.transaction() as records:
        indexed, count_keys = records.mail.all(), len(records.mail_keys.all())
    known = {record.uid for record in indexed}
    again = [
        f.MailEntry(record.uid, record.size, record.received_ms)
        for record in indexed
        if 0 < record.tried <= count_keys
    ]
    async with mail_link(program) as fetcher:
        entries = [*again, *await fetcher.listing(max(known, default=0))]
        for place, entry in enumerate(entries):
            progress(place, len(entries))
            try:
                sealed = await fetcher.sealed(entry)
            except errors.UserError:
                continue  # deleted meanwhile
            record = await _index(program, entry, sealed, count_keys)
            with program.opened.vault.transaction() as records:
                records.mail.put(record)
            known.add(entry.uid)
        if fetcher.count < len(known):
            await _forget_deleted(program, fetcher)
    return fetcher.used, fetcher.quota


async def _forget_deleted(program: DeviceProgram, fetcher: MailFetcher) -> None:
    """Another device of the user has deleted mail: forget what the server no longer lists."""
    listed = {entry.uid for entry in await fetcher.listing(0)}
    with program.opened.vault.transaction() as records:
        for record in records.mail.all():
            if record.uid not in listed:
                records.mail.remove(record.uid)


async def _index(
    program: DeviceProgram, entry: f.MailEntry, sealed: bytes, count_keys: int
) -> MailRecord:
    try:
        verified = await open_stored(program, sealed)
        mail = await shown_mail(program, verified, show=render_head)
    except (errors.InputError, errors.SecurityError) as error:
        return _closed(entry, error, count_keys)
    except errors.UnavailableError as error:
        return _closed(entry, error, 0)
    shown = mail.rendered
    return MailRecord(
        uid=entry.uid,
        size=entry.size,
        received_ms=entry.received_ms,
        sender=shown.sender,
        subject=shown.subject,
        date=shown.date,
        readable=mail.readable,
        junk=mail.junk,
    )


def _closed(entry: f.MailEntry, error: errors.BlackthornError, count_keys: int) -> MailRecord:
    """The record of a mail that none of so many keys opened."""
    return MailRecord(
        uid=entry.uid,
        size=entry.size,
        received_ms=entry.received_ms,
        sender="",
        subject=f"[cannot be opened: {error}]",
        date="",
        readable=True,
        tried=count_keys + 1,
    )


async def fetch_sealed(program: DeviceProgram, uid: int) -> tuple[f.MailEntry, bytes]:
    """One mail, as the server lists it and has it. Raises UserError, UnavailableError."""
    try:
        async with mail_link(program) as fetcher:
            entry = await fetcher.find(uid)
            return entry, await fetcher.sealed(entry)
    except errors.UnavailableError as error:
        raise errors.UnavailableError(f"{str(error).rstrip('.')}; {NOT_KEPT}") from None


async def read(program: DeviceProgram, uid: int, *, prefer_html: bool = False) -> ReadMail:
    """Fetch and open a mail. Raises UserError, UnavailableError, SecurityError: altered."""
    entry, sealed = await fetch_sealed(program, uid)
    verified = await open_stored(program, sealed)
    author, own = author_of(verified.mail), domain_of(program.opened.keys.address)
    doubtful = verified.signature in (Signature.UNKNOWN, Signature.WRONG)
    if doubtful and author is not None and domain_of(author) == own:
        await look_up(program, author)  # a colleague's key may be new to this device
        signature = await signature_of(program, sealed, verified.mail)
        verified = replace(verified, signature=signature)
    mail = await shown_mail(program, verified, prefer_html=prefer_html)
    return replace(mail, received_ms=entry.received_ms)


def save(attached: Iterable[tuple[Attachment, bytes]], folder: Path) -> Iterator[Path]:
    """Write attachments as new files of mode 0600 into an existing folder.

    Yields each file when it is written. Raises DiskError.
    """
    for attachment, data in attached:
        path, file = _new_file(folder, attachment.name)
        try:
            with os.fdopen(file, "wb") as opened:
                opened.write(data)
        except OSError as error:
            path.unlink(missing_ok=True)
            raise errors.DiskError(f"{path} cannot be written: {error.strerror}") from None
        yield path


def _new_file(folder: Path, name: str) -> tuple[Path, int]:
    """Create and open a file of this name; a number is added if the name is taken."""
    plain = PurePath(file_name(name)).name
    stem, suffix = PurePath(plain).stem or "unnamed", PurePath(plain).suffix
    for number in range(1, MAX_SAME_NAMES):
        path = folder / (f"{stem}{suffix}" if number == 1 else f"{stem}-{number}{suffix}")
        try:
            return path, os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise errors.DiskError(f"{path} cannot be made: {error.strerror}") from None
    raise errors.ConflictError(f"{folder} holds too many files of the name {plain}")
