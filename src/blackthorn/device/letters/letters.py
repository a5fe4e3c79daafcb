"""Mail that the person writes, as the vault keeps it: drafts, mail on its way, what became of it.

Text and attachments are in the vault only, encrypted, until the server has accepted the mail; then
they are deleted here, and the copy to the own mailbox stays; without one they are a draft again.
The stored head is an on-disk format.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core.stored import decode
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.letters import limits
from blackthorn.errors import UserError
from blackthorn.mail.compose.answer import Thread
from blackthorn.mail.compose.entity import Entity
from blackthorn.mail.compose.fields import message_id
from blackthorn.mail.compose.letter import Letter, Mailbox, check_recipients, check_subject
from blackthorn.ports.device_letters import CONTENT, DRAFT, SENT, WAITING, LetterRecord
from blackthorn.ports.device_store import Records
from blackthorn.wire.address import domain_of

UNREADABLE: Final = "a stored mail is of another version of this program: update it"


class Copy(Struct, frozen=True, array_like=True):
    """One sealed copy: its `token`, whom it goes to, and the server's number of it, or 0."""

    token: bytes
    recipients: list[str]
    mail: int = 0
    done: bool = False


class Head(Struct, frozen=True, array_like=True):
    """A mail's header and state. `type` and `fields` are those of its MIME entity.

    `refused`: recipients who could not get it, and why in words. `asked`: people outside whose
    domain was asked for their key.
    """

    to: list[tuple[str, str]]
    cc: list[tuple[str, str]]
    bcc: list[tuple[str, str]]
    subject: str
    in_reply_to: str
    references: list[str]
    type: str
    fields: list[tuple[str, str]]
    message_id: str = ""
    date: int = 0
    copies: list[Copy] = []
    refused: dict[str, str] = {}
    asked: list[str] = []

    @property
    def recipients(self) -> list[str]:
        """All, each once, those of Bcc last."""
        found = [address for address, _ in (*self.to, *self.cc, *self.bcc)]
        return list(dict.fromkeys(found))

    @property
    def hidden(self) -> set[str]:
        """Those whom the others do not see."""
        seen = {address for address, _ in (*self.to, *self.cc)}
        return {address for address, _ in self.bcc} - seen


@dataclass(frozen=True, slots=True)
class Written:
    """A mail as the person gives it: recipients, subject and thread, and its body."""

    to: Sequence[Mailbox]
    cc: Sequence[Mailbox]
    bcc: Sequence[Mailbox]
    thread: Thread
    entity: Entity


def head_of(record: LetterRecord) -> Head:
    """Raises DamageError."""
    return decode(msgspec.msgpack.Decoder(Head), record.head, UNREADABLE)


def save(unit: UnitOfWork, written: Written, standing: str) -> int:
    """Store a mail; its number. Raises UserError: too many drafts or recipients, a bad subject."""
    letters = unit.records.letters
    check_subject(written.thread.subject)
    head = Head(
        to=[(person.address, person.name) for person in written.to],
        cc=[(person.address, person.name) for person in written.cc],
        bcc=[(person.address, person.name) for person in written.bcc],
        subject=written.thread.subject,
        in_reply_to=written.thread.in_reply_to,
        references=list(written.thread.references),
        type=written.entity.type,
        fields=list(written.entity.fields),
    )
    if standing == WAITING or head.recipients:
        check_recipients(head.recipients)
    check_room(unit.records)
    if standing == WAITING:
        _check_copies(head, len(written.entity.body))
        head = _sent_now(unit, head)
    number = letters.add(standing, msgspec.msgpack.encode(head), unit.now_ms)
    letters.put(number, CONTENT, written.entity.body, limits.PIECE_BYTES)
    return number


def check_room(records: Records) -> None:
    """Raises UserError when as many drafts and mails on their way are kept as may be."""
    kept = [record for record in records.letters.all() if record.standing != SENT]
    if len(kept) >= limits.MAX_KEPT_LETTERS:
        raise UserError(
            f"{limits.MAX_KEPT_LETTERS} drafts and mails on their way are kept, and no more: send "
            "or delete some, see `blackthorn mail draft list`"
        )


def _check_copies(head: Head, size: int) -> None:
    """Raises UserError when the copies for Bcc recipients are too many bytes together."""
    people = len(head.hidden)
    if people * size > limits.MAX_BLIND_BYTES:
        most = limits.MAX_BLIND_BYTES // size
        raise UserError(
            f"each of {people} Bcc recipients gets a copy of their own, and a mail of this size "
            f"has room for {most}: send it to fewer at a time, or send a link to its files"
        )


def begin_sending(unit: UnitOfWork, number: int, more: Sequence[Mailbox] = ()) -> None:
    """A draft is to be sent, to `more` people too; who is a recipient already stays as they are.

    Raises UserError when it is none, has no recipient or too many.
    """
    record = draft(unit.records, number)
    head = head_of(record)
    known = set(head.recipients)  # those of Bcc too, whom the others must not see now
    new = [(person.address, person.name) for person in more if person.address not in known]
    head = msgspec.structs.replace(head, to=[*head.to, *dict.fromkeys(new)])
    check_recipients(head.recipients)
    _check_copies(head, unit.records.letters.size(number, CONTENT))
    put(unit, replace(record, standing=WAITING, why=""), _sent_now(unit, head))


def draft(records: Records, number: int) -> LetterRecord:
    """Raises UserError when there is no such draft."""
    record = records.letters.get(number)
    if record is None or record.standing != DRAFT:
        raise UserError(f"there is no draft {number}: see `blackthorn mail draft list`")
    return record


def put(unit: UnitOfWork, record: LetterRecord, head: Head) -> None:
    """Store a changed mail."""
    encoded = msgspec.msgpack.encode(head)
    unit.records.letters.update(replace(record, head=encoded, changed_ms=unit.now_ms))


def became_draft(unit: UnitOfWork, number: int, why: str) -> None:
    """The mail, or the own copy, cannot be sent: the person may change that and send it again.

    `why` then says who has got it before.
    """
    record = unit.records.letters.get(number)
    if record is None:
        return
    unit.records.letters.forget_copies(number, content=False)
    head = head_of(record)
    taken = [address for copy in head.copies if copy.mail for address in copy.recipients]
    got = [one for one in taken if one not in head.refused and one != unit.me.address]
    if got:
        why = f"{why}; {', '.join(got)} got it already, and would get the draft as another mail"
    put(unit, replace(record, standing=DRAFT, why=why), msgspec.structs.replace(head, copies=[]))


def was_sent(unit: UnitOfWork, record: LetterRecord, head: Head) -> None:
    """The server has every copy: only who got it is kept."""
    unit.records.letters.forget_copies(record.number, content=True)
    put(unit, replace(record, standing=SENT, why=""), head)
    unit.records.letters.keep(SENT, limits.MAX_SENT_LETTERS)


def letter_of(unit: UnitOfWork, head: Head) -> Letter:
    """The header to write."""
    return Letter(
        sender=Mailbox(unit.me.address),
        to=tuple(Mailbox(*person) for person in head.to),
        cc=tuple(Mailbox(*person) for person in head.cc),
        subject=head.subject,
        date=head.date,
        message_id=head.message_id,
        in_reply_to=head.in_reply_to,
        references=tuple(head.references),
    )


def entity_of(unit: UnitOfWork, number: int, head: Head) -> Entity:
    body = unit.records.letters.read(number, CONTENT)
    return Entity(head.type, tuple(head.fields), body)


def _sent_now(unit: UnitOfWork, head: Head) -> Head:
    """With a date and an id, and as nothing was sent of it yet."""
    return msgspec.structs.replace(
        head,
        message_id=message_id(unit.random(16), domain_of(unit.me.address)),
        date=unit.now_ms // 1000,
        copies=[],
        refused={},
        asked=[],
    )
