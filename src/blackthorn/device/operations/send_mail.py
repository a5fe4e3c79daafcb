"""Send a mail: seal it once for all, then hand each sealed copy to the server.

Sealed copies are stored before the first is offered, and sent unchanged: each has a random token,
by which the server knows a copy that it has taken already. A recipient whom the server refuses does
not keep the mail from the others. What cannot be sent at all is a draft again, as is what the
sender's own mailbox refuses: its text would be nowhere.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import msgspec

from blackthorn.device.core import anchors, failures
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.letters import letters, limits, sealing
from blackthorn.device.letters.letters import Copy, Head
from blackthorn.device.mail import outside_keys
from blackthorn.device.operations import operation as base
from blackthorn.device.operations.limits import MAX_FAILURE_TEXT_CHARS
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.errors import DamageError, UserError
from blackthorn.ids import Address
from blackthorn.link.frames import (
    CertificatesFound,
    FindCertificates,
    MailSubmitted,
    RefusedRecipient,
    SubmitMail,
)
from blackthorn.mail.compose.letter import Mailbox
from blackthorn.ports.device_letters import CONTENT, WAITING, LetterRecord
from blackthorn.ports.device_store import OutboxRecord
from blackthorn.ports.outside.keys import Source

TOKEN_BYTES: Final = 16

DAMAGED: Final = (
    "a part of the sealed mail is missing in this device's database: send the draft again, and if "
    "that fails, write it anew"
)


class SendMail(base.Operation, frozen=True, tag="mail"):
    """The sending of the letter of that number; `names` and `subject` tell of a failure."""

    letter: int
    names: str
    subject: str

    @property
    def target(self) -> bytes:
        """Mails do not wait for each other."""
        return base.name_of("mail", str(self.letter))

    @property
    def is_sealed(self) -> bool:
        return False

    @property
    def is_text(self) -> bool:
        return True

    def alarm_scope(self, unit: UnitOfWork) -> base.AlarmScope:
        return base.AlarmScope.of(unit, self._colleagues(unit), in_group=False)

    def hold(self, unit: UnitOfWork) -> str:
        """A wrong clock holds what is not sealed yet."""
        record = self._record(unit)
        sealed = record is None or letters.head_of(record).copies
        return "" if sealed else clock_problem(unit)

    def lookups(self, unit: UnitOfWork) -> list[Address]:
        return self._colleagues(unit)

    def _colleagues(self, unit: UnitOfWork) -> list[Address]:
        record = self._record(unit)
        if record is None:
            return []
        head = letters.head_of(record)
        return [] if head.copies else sealing.colleagues(unit, head.recipients)

    def _record(self, unit: UnitOfWork) -> LetterRecord | None:
        record = unit.records.letters.get(self.letter)
        return record if record is not None and record.standing == WAITING else None

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> base.Step:
        """Seal the mail, or offer the next copy."""
        record = self._record(unit)
        if record is None:
            return base.NothingToDo()
        head = letters.head_of(record)
        if not head.copies:
            if wanted := sealing.to_look_up(unit, head):
                return FindCertificates(row.number, wanted[0])
            head = self._seal(unit, record, head)
        place, copy = current(head)
        size = unit.records.letters.size(self.letter, place)
        if not size:
            raise UserError(DAMAGED)
        me = unit.me.address
        return SubmitMail(row.number, copy.token, me, self._waiting(head, copy), size)

    def _seal(self, unit: UnitOfWork, record: LetterRecord, head: Head) -> Head:
        try:
            entity = letters.entity_of(unit, self.letter, head)
        except DamageError as error:
            raise UserError(str(error)) from None
        copies: list[Copy] = []
        for place, copy in enumerate(sealing.seal(unit, head, entity), CONTENT + 1):
            unit.records.letters.put(self.letter, place, copy.sealed, limits.PIECE_BYTES)
            copies.append(Copy(unit.random(TOKEN_BYTES), copy.recipients))
        head = msgspec.structs.replace(head, copies=copies)
        letters.put(unit, record, head)
        return head

    def _waiting(self, head: Head, copy: Copy) -> list[str]:
        """Recipients of a copy whom the server has not refused."""
        return [address for address in copy.recipients if address not in head.refused]

    def found(self, unit: UnitOfWork, row: OutboxRecord, answer: CertificatesFound) -> int:
        """Take what a domain says of a recipient; when to try again, in ms, 0 for no pause.

        Another process of this device may have asked the same, and got its answer first.
        """
        record = self._record(unit)
        if record is None:
            return 0
        head = letters.head_of(record)
        address, records = Address(answer.address), unit.records
        if address in head.asked:
            return 0
        known = records.outside_keys.of(address)
        waited_ms = unit.now_ms - row.created_ms
        if answer.refusal and (known is None or not known.certificate):
            if waited_ms < limits.LOOKUP_SECONDS * 1000:
                problem = f"the key of {address} cannot be looked up now: {answer.refusal}"
                records.outbox.update(replace(row, problem=problem))
                return limits.LOOKUP_AGAIN_SECONDS * 1000
        elif not answer.refusal:
            outside_keys.learn(records, address, Source.WKD, answer.certificates, unit.now_ms)
        letters.put(unit, record, msgspec.structs.replace(head, asked=[*head.asked, address]))
        return 0

    def refused(self, unit: UnitOfWork, row: OutboxRecord, refused: list[RefusedRecipient]) -> bool:
        """Record whom the server refuses; whether somebody is left for this copy."""
        record = self._record(unit)
        if record is None:
            return False
        head = letters.head_of(record)
        _, copy = current(head)
        told = {one.address: one.reason for one in refused if one.address in copy.recipients}
        if not told:
            return True
        head = msgspec.structs.replace(head, refused=head.refused | told)
        letters.put(unit, record, head)
        if self._waiting(head, copy):
            return True
        self._copy_done(unit, row, record, head, 0)
        return False

    def submitted(self, unit: UnitOfWork, row: OutboxRecord, answer: MailSubmitted) -> int:
        """Process the server's answer to a copy; when to try again, in ms, 0 for no pause."""
        record = self._record(unit)
        if record is None:
            base.finish(unit, row.number)
            return 0
        head = letters.head_of(record)
        _, copy = current(head)
        if answer.refusal and answer.retry_ms:
            unit.records.outbox.update(replace(row, problem=answer.refusal))
            return answer.retry_ms
        if answer.refusal:
            told = dict.fromkeys(self._waiting(head, copy), answer.refusal)
            head = msgspec.structs.replace(head, refused=head.refused | told)
        self._copy_done(unit, row, record, head, 0 if answer.refusal else answer.mail)
        return 0

    def _copy_done(
        self, unit: UnitOfWork, row: OutboxRecord, record: LetterRecord, head: Head, mail: int
    ) -> None:
        """Go on with the next copy, or finish the mail."""
        place, copy = current(head)
        done = msgspec.structs.replace(copy, mail=mail, done=True)
        copies = [*head.copies]
        copies[place - CONTENT - 1] = done
        head = msgspec.structs.replace(head, copies=copies)
        letters.put(unit, record, head)
        if not all(one.done for one in copies):
            return
        lost, own = [one for one in head.recipients if one in head.refused], unit.me.address
        reason = "; ".join(f"{address}: {head.refused[address]}" for address in lost)
        if len(lost) == len(head.recipients):
            base.finish(unit, row.number, error=reason)
            self._tell(unit, row, ", ".join(lost), reason)
            letters.became_draft(unit, self.letter, reason)
            return
        base.finish(unit, row.number)
        if lost:
            self._tell(unit, row, ", ".join(lost), reason)
        if own not in head.refused:
            letters.was_sent(unit, record, head)
            return
        reason = f"{head.refused[own]}; what you wrote is kept as draft {self.letter}"
        self._tell(unit, row, self.names, reason, "your mailbox has no copy of the mail to")
        letters.became_draft(unit, self.letter, f"a copy to your mailbox: {head.refused[own]}")

    def _tell(
        self,
        unit: UnitOfWork,
        row: OutboxRecord,
        names: str,
        reason: str,
        what: str = "mail not sent to",
    ) -> None:
        words = (what, names, self.subject)
        failures.note(unit.records.settings, row.number, words, reason, unit.now_ms)

    def given_up(self, unit: UnitOfWork, reason: str) -> None:
        letters.became_draft(unit, self.letter, reason)

    def failure_text(self) -> base.FailureText:
        return base.FailureText("mail not sent to", self.names, self.subject)


def current(head: Head) -> tuple[int, Copy]:
    """The copy to send now, with its place among the letter's bytes."""
    for place, copy in enumerate(head.copies, CONTENT + 1):
        if not copy.done:
            return place, copy
    raise DamageError("a mail without a copy to send is to be sent")


def clock_problem(unit: UnitOfWork) -> str:
    """Why the clock keeps mail from being signed, in words; "" when it does not.

    Others refuse a signature that is dated later than their clock, and mail of another day.
    """
    heartbeat_ms = anchors.pinned(unit.records.settings).config.heartbeat_ms
    ahead_ms, most_ms = unit.now_ms - clock_ms(unit), limits.CLOCK_APART_SECONDS * 1000
    if -most_ms <= ahead_ms <= most_ms + heartbeat_ms:
        return ""
    side = "ahead of" if ahead_ms > 0 else "behind"
    return (
        f"this device's clock is {side} the ledger's time: set the clock, and if it is right, tell "
        "the administrator; the mail waits"
    )


def enqueue(unit: UnitOfWork, written: letters.Written) -> int:
    """Store a mail and enqueue its sending; the number of its row. Raises UserError."""
    return _enqueue(unit, letters.save(unit, written, WAITING))


def enqueue_draft(unit: UnitOfWork, number: int, more: Sequence[Mailbox] = ()) -> int:
    """Enqueue the sending of a draft, to `more` people too; its row's number. Raises UserError."""
    letters.begin_sending(unit, number, more)
    return _enqueue(unit, number)


def _enqueue(unit: UnitOfWork, number: int) -> int:
    record = unit.records.letters.get(number)
    if record is None:
        raise DamageError("a stored mail is missing")
    head = letters.head_of(record)
    sealing.colleagues(unit, head.recipients)  # which checks the addresses
    names = ", ".join(head.recipients)
    return SendMail(number, names, head.subject[:MAX_FAILURE_TEXT_CHARS]).enqueue(unit)
