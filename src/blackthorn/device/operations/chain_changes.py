"""Statements for the user's own chain: made here, signed by this device, stored by the server.

A statement is signed once and sent unchanged until it is answered, since the same one again
counts as stored. If the chain has moved on meanwhile it is made again behind what is there, unless
what it wanted has come about or another's signature is in it.
"""

from dataclasses import replace
from typing import Final

import msgspec

from blackthorn.device.account import limits
from blackthorn.device.core.statement_codec import decode_body, encode_body
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.operations.outgoing import ChangeChain, Outcome, decode_operation, encode
from blackthorn.device.transparency import local_chain
from blackthorn.errors import UserError
from blackthorn.identity.chain import VerifiedChain, next_statement
from blackthorn.identity.statements import (
    AddDevice,
    Body,
    Cancel,
    DeviceInfo,
    RevokeDevice,
    SetOpenPGP,
    SetRecovery,
    SignedStatement,
    decode,
    make,
)
from blackthorn.link.frames import StatementStored, SubmitStatement
from blackthorn.ports.device_store import MailKeyRecord, OutboxRecord

MOVED_ON: Final = ("[I14]", "[I15]")
"""How a refusal begins when the statement is not behind the chain's last one."""

AGAIN: Final = ("try again", "try later")
"""What a refusal says that passes."""

NO_CHAIN: Final = "the ledger does not show your identity yet: try again in a minute"


# --- Wishes -------------------------------------------------------------------------------


def enqueue(unit: UnitOfWork, what: str, body: Body, certificate: bytes = b"") -> int:
    """Wish for a statement of this device; the number of its row."""
    return _add(unit, ChangeChain(what, encode_body(body), certificate))


def enqueue_signed(unit: UnitOfWork, what: str, signed: SignedStatement) -> int:
    """Wish for a statement that somebody else has signed too; the number of its row."""
    body = encode_body(signed.statement.body)
    return _add(unit, ChangeChain(what, body, signed=signed.encode(), fixed=True))


def revoke(unit: UnitOfWork, device: DeviceInfo, reason: str) -> int:
    """Wish that a device be no more the user's. Raises UserError."""
    chain = known_chain(unit)
    if device.id == unit.me.device:
        raise UserError("this device cannot revoke itself: do it from another one")
    if chain.device(device.id) is None:
        raise UserError(f"{device.name} is not among your devices (any more)")
    return enqueue(unit, f"the revocation of {device.name}", RevokeDevice(device.id, reason, 0))


def cancel(unit: UnitOfWork) -> int:
    """Wish that the reset that waits be cancelled. Raises UserError."""
    pending = known_chain(unit).pending
    if pending is None:
        raise UserError("no reset of your identity waits")
    return enqueue(unit, "the cancel of the reset", Cancel(pending.seq))


def state_mail_key(unit: UnitOfWork, record: MailKeyRecord) -> int:
    """Wish that the chain name this key."""
    body = mail_keys.claim_of(record, unit.me.address)
    return enqueue(unit, "the new mail key", body, record.certificate)


def known_chain(unit: UnitOfWork) -> VerifiedChain:
    """The own chain. Raises UserError when it is not known, or this device is not live in it."""
    chain = local_chain.own(unit)
    if chain is None:
        raise UserError(NO_CHAIN)
    pending = chain.pending
    if pending is not None and pending.device.id == unit.me.device:
        raise UserError("this device changes nothing before its reset is effective")
    if chain.device(unit.me.device) is None:
        raise UserError("this device is not one of your live devices (see blackthorn device list)")
    return chain


def _add(unit: UnitOfWork, operation: ChangeChain) -> int:
    return unit.records.outbox.add(operation.target, encode(operation), unit.now_ms)


# --- Making -------------------------------------------------------------------------------


def make_next(
    unit: UnitOfWork, row: OutboxRecord, operation: ChangeChain
) -> SubmitStatement | None:
    """The statement to submit, saved with its row; None when there is nothing left to state.

    Raises UserError, VerificationError.
    """
    signed = operation.signed
    if not signed:
        chain = known_chain(unit)
        body = _still_wanted(unit, chain, decode_body(operation.body))
        if body is None:
            return None
        draft = next_statement(chain, body, unit.now_ms)
        signed = make(draft, [(unit.me.device, unit.keys.signing)]).encode()
        settled = msgspec.structs.replace(operation, signed=signed)
        unit.records.outbox.update(replace(row, operation=encode(settled)))
    return SubmitStatement(row.number, signed, operation.certificate)


def _still_wanted(unit: UnitOfWork, chain: VerifiedChain, body: Body) -> Body | None:
    """The body as it is to be stated now, or None when it has come about already."""
    match body:
        case RevokeDevice(device, reason, _):
            return None if chain.device(device) is None else RevokeDevice(device, reason, chain.seq)
        case SetRecovery(keys):
            return None if chain.recovery == keys else body
        case Cancel(seq):
            return body if chain.pending is not None and chain.pending.seq == seq else None
        case SetOpenPGP():
            due = mail_keys.renewal_due(unit.records, chain, unit.me.device)
            return body if due or chain.openpgp is None else None
    return body


# --- Answers ------------------------------------------------------------------------------


def stored(unit: UnitOfWork, answer: StatementStored) -> Outcome | None:
    """What became of a statement: done, to be made again, or given up. None for another's."""
    row = unit.records.outbox.get(answer.request)
    operation = decode_operation(row.operation) if row is not None else None
    if row is None or not isinstance(operation, ChangeChain) or not operation.signed:
        return None
    if not answer.refusal:
        return _done(unit, row, operation)
    chain, statement = local_chain.own(unit), decode(operation.signed).statement
    if chain is not None and chain.seq >= statement.seq:
        if chain.hash_of(statement.seq) == statement.hash:
            return _done(unit, row, operation)
        moved_on = True
    else:
        moved_on = answer.refusal.startswith(MOVED_ON)
    if moved_on and not operation.fixed and operation.tries < limits.MAX_STATEMENT_TRIES:
        again = msgspec.structs.replace(operation, signed=b"", tries=operation.tries + 1)
        unit.records.outbox.update(replace(row, operation=encode(again), problem=answer.refusal))
        return Outcome(row.number, error=answer.refusal, final=False)
    if any(each in answer.refusal for each in AGAIN):
        unit.records.outbox.update(replace(row, problem=answer.refusal))
        return Outcome(row.number, error=answer.refusal, final=False)
    if operation.fixed:  # whoever has the other signature makes another, or tells
        unit.records.outbox.remove(row.number)
    return Outcome(row.number, error=f"the server refused it: {answer.refusal}")


def _done(unit: UnitOfWork, row: OutboxRecord, operation: ChangeChain) -> Outcome:
    unit.records.outbox.remove(row.number)
    chain = local_chain.own(unit)
    statement = decode(operation.signed).statement
    if chain is None or chain.seq < statement.seq:
        local_chain.stored(unit, operation.signed)
    return Outcome(row.number)


def added(signed: bytes) -> DeviceInfo | None:
    """The device that a statement adds, if it adds one."""
    body = decode(signed).statement.body
    return body.device if isinstance(body, AddDevice) else None
