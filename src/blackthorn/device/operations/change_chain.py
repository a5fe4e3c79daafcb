"""Change the user's own identity chain by a statement that this device signs.

A statement is signed once and sent unchanged until it is answered; a repeated one counts as stored.
If the chain has moved on, it is signed again for the new head unless its purpose is fulfilled or it
has another device's signature. A refused one waits 30 s, doubled up to an hour.
"""

from dataclasses import replace
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.core import prepared
from blackthorn.device.core.statement_codec import decode_body, encode_body
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.operations import limits
from blackthorn.device.operations.operation import FailureText, NothingToDo, Operation, finish
from blackthorn.device.transparency import local_chain
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.errors import UserError
from blackthorn.identity import statements
from blackthorn.identity.chain import VerifiedChain, next_statement
from blackthorn.link.frames import StatementStored, SubmitStatement
from blackthorn.ports.device_store import MailKeyRecord, OutboxRecord

TARGET: Final = b"chain:"
"""All statements have one target: they are sent one after the other."""

MOVED_ON: Final = ("[I14]", "[I15]")
"""Rules that a refusal names when the statement does not follow the chain's last one."""

TRANSIENT: Final = ("try again", "try later")
"""Texts of temporary refusals."""

_STATEMENT, _MAIL_KEY = "statement-refused", "mail-key-refused"
"""The settings with refusals: of the oldest waiting statement, and of the newest mail key."""

NO_CHAIN: Final = "the ledger does not show your identity yet: try again in a minute"


class Refusals(Struct, frozen=True):
    """How often a statement was refused in a row, and when last by this device's clock."""

    count: int = 0
    last_ms: int = 0

    def waits(self, now_ms: int) -> bool:
        """Whether it is too early to state it again: after 30 s, doubled up to an hour."""
        wait_s = min(limits.REFUSED_SECONDS * 2 ** (self.count - 1), limits.REFUSED_MOST_SECONDS)
        return bool(self.count) and 0 <= now_ms - self.last_ms < wait_s * 1000


class ChangeChain(Operation, frozen=True, tag="chain"):
    """A statement for the own chain: `body` from `core.statement_codec`, `what` in words.

    `signed` is the encoded statement once it was signed, dated by the ledger's time. With `fixed`
    it has another device's signature and is never signed again.
    """

    what: str
    body: bytes
    certificate: bytes = b""
    signed: bytes = b""
    fixed: bool = False
    tries: int = 0

    @property
    def target(self) -> bytes:
        return TARGET

    def waits(self, unit: UnitOfWork) -> bool:
        return _refusals(unit, _STATEMENT).waits(unit.now_ms)

    @property
    def is_dated(self) -> bool:
        return not self.signed

    @property
    def is_sealed(self) -> bool:
        return False

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> SubmitStatement | NothingToDo:
        if self.signed:
            return SubmitStatement(row.number, self.signed, self.certificate)
        chain = known_chain(unit)
        body = _still_wanted(unit, chain, decode_body(self.body))
        if body is None:
            return NothingToDo()
        draft = next_statement(chain, body, clock_ms(unit))
        signed = statements.make(draft, [(unit.me.device, unit.keys.signing)]).encode()
        self._update(unit, row, signed=signed)
        return SubmitStatement(row.number, signed, self.certificate)

    def statement_stored(self, unit: UnitOfWork, row: OutboxRecord, answer: StatementStored) -> str:
        """Process the server's answer: done, made again, sent again, or refused."""
        if not self.signed:
            return ""
        if not answer.refusal:
            return self._done(unit, row)
        chain, statement = local_chain.own(unit), statements.decode(self.signed).statement
        if chain is not None and chain.seq >= statement.seq:
            if chain.hash_of(statement.seq) == statement.hash:
                return self._done(unit, row)
            moved_on = True
        else:
            moved_on = any(rule in answer.refusal for rule in MOVED_ON)
        if moved_on and not self.fixed and self.tries < limits.MAX_STATEMENT_TRIES:
            row = replace(row, problem=answer.refusal)
            self._update(unit, row, signed=b"", tries=self.tries + 1)
            return ""
        if any(words in answer.refusal for words in TRANSIENT):
            unit.records.outbox.update(replace(row, problem=answer.refusal))
            _count_refusal(unit, _STATEMENT)
            return ""
        reason = f"the server refused it: {answer.refusal}"
        # A row that waited would hold back revocations: the reconciler makes it anew.
        told = self._is_mail_key and _count_refusal(unit, _MAIL_KEY) > 1
        if self.fixed or told:  # the other device makes another, or tells its person
            finish(unit, row.number, error=reason)
            return ""
        return reason

    @property
    def _is_mail_key(self) -> bool:
        return isinstance(decode_body(self.body), statements.SetOpenPGP)

    def _done(self, unit: UnitOfWork, row: OutboxRecord) -> str:
        finish(unit, row.number)
        unit.records.settings.put(_MAIL_KEY if self._is_mail_key else _STATEMENT, b"")
        chain = local_chain.own(unit)
        if chain is None or chain.seq < statements.decode(self.signed).statement.seq:
            local_chain.stored(unit, self.signed)
        return ""

    def _update(self, unit: UnitOfWork, row: OutboxRecord, **changes: bytes | int) -> None:
        changed = msgspec.structs.replace(self, **changes)
        unit.records.outbox.update(replace(row, operation=prepared.encode(changed)))

    def failure_text(self) -> FailureText:
        return FailureText("not stated:", self.what)


def enqueue(unit: UnitOfWork, what: str, body: statements.Body, certificate: bytes = b"") -> int:
    return ChangeChain(what, encode_body(body), certificate).enqueue(unit)


def enqueue_signed(unit: UnitOfWork, what: str, signed: statements.SignedStatement) -> int:
    """Enqueue a statement that another device has signed too; the number of its row."""
    body = encode_body(signed.statement.body)
    return ChangeChain(what, body, signed=signed.encode(), fixed=True).enqueue(unit)


def enqueue_revocation(unit: UnitOfWork, device: statements.DeviceInfo, reason: str) -> int:
    """Enqueue the revocation of another of the user's devices. Raises UserError."""
    chain = known_chain(unit)
    if device.id == unit.me.device:
        raise UserError("this device cannot revoke itself: do it from another one")
    if chain.device(device.id) is None:
        raise UserError(f"{device.name} is not among your devices (any more)")
    return enqueue(
        unit, f"the revocation of {device.name}", statements.RevokeDevice(device.id, reason, 0)
    )


def enqueue_cancel(unit: UnitOfWork) -> int:
    """Enqueue the cancel of the pending reset. Raises UserError."""
    pending = known_chain(unit).pending
    if pending is None:
        raise UserError("no reset of your identity waits")
    return enqueue(unit, "the cancel of the reset", statements.Cancel(pending.seq))


def enqueue_mail_key(unit: UnitOfWork, record: MailKeyRecord) -> int:
    body = mail_keys.claim_of(record, unit.me.address)
    return enqueue(unit, "the new mail key", body, record.certificate)


def enqueue_compatible(unit: UnitOfWork, record: MailKeyRecord, *, copies: bool) -> int:
    """State a key for other programs. Raises UserError as `known_chain`."""
    known_chain(unit)
    body = mail_keys.claim_of_compatible(record, unit.me.address, copies=copies)
    return enqueue(unit, "the certificate for other programs", body, record.certificate)


def enqueue_compatible_end(unit: UnitOfWork) -> int:
    """Revoke the certificate for other programs. Raises UserError when none is stated."""
    if known_chain(unit).compatible is None:
        raise UserError("your identity states no certificate for other programs")
    what = "the revocation of the certificate for other programs"
    return enqueue(unit, what, statements.SetCompatible(None))


def mail_key_waits(unit: UnitOfWork) -> bool:
    """Whether a mail key was refused so recently that it is not stated again yet."""
    return _refusals(unit, _MAIL_KEY).waits(unit.now_ms)


def _refusals(unit: UnitOfWork, setting: str) -> Refusals:
    data = unit.records.settings.get(setting)
    return msgspec.msgpack.decode(data, type=Refusals) if data else Refusals()


def _count_refusal(unit: UnitOfWork, setting: str) -> int:
    """Count a refusal; how many there were in a row."""
    count = _refusals(unit, setting).count + 1
    refused = Refusals(count, unit.now_ms)
    unit.records.settings.put(setting, msgspec.msgpack.encode(refused))
    return count


def known_chain(unit: UnitOfWork) -> VerifiedChain:
    """The own chain. Raises UserError when it is unknown or this device is not live in it."""
    chain = local_chain.own(unit)
    if chain is None:
        raise UserError(NO_CHAIN)
    pending = chain.pending
    if pending is not None and pending.device.id == unit.me.device:
        raise UserError("this device changes nothing before its reset is effective")
    if chain.device(unit.me.device) is None:
        raise UserError("this device is not one of your live devices (see blackthorn device list)")
    return chain


def _still_wanted(
    unit: UnitOfWork, chain: VerifiedChain, body: statements.Body
) -> statements.Body | None:
    """The body to state now, or None when its purpose is already fulfilled."""
    match body:
        case statements.RevokeDevice(device, reason, _):
            return (
                None
                if chain.device(device) is None
                else statements.RevokeDevice(device, reason, chain.seq)
            )
        case statements.SetRecovery(keys):
            return None if chain.recovery == keys else body
        case statements.Cancel(seq):
            return body if chain.pending is not None and chain.pending.seq == seq else None
        case statements.SetCompatible(certificate, copies):
            known = chain.compatible
            digest = known.stated.digest if known is not None else None
            wanted = certificate.digest if certificate is not None else None
            same = digest == wanted and (known is None or known.copies == copies)
            return None if same else body
        case statements.SetOpenPGP():
            due = mail_keys.renewal_due(unit.records, chain, unit.me.device, clock_ms(unit))
            return body if due or chain.openpgp is None else None
    return body
