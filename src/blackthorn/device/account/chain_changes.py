"""Statements for the user's own chain: made here, signed by this device, stored by the server.

A statement is signed once and sent unchanged until it is answered, since the same one again
counts as stored. If the chain has moved on meanwhile it is made again behind what is there, unless
what it wanted has come about or another's signature is in it.
"""

from dataclasses import replace
from typing import Final

import msgspec

from blackthorn.device.account import limits, local_chain
from blackthorn.device.account.statement_codec import decode_body, encode_body
from blackthorn.device.core.unit_of_work import Turn
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.operations.outgoing import ChangeChain, Outcome, decode_intent, encode
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


def wish(turn: Turn, what: str, body: Body, certificate: bytes = b"") -> int:
    """Wish for a statement of this device; the number of its row."""
    return _add(turn, ChangeChain(what, encode_body(body), certificate))


def wish_signed(turn: Turn, what: str, signed: SignedStatement) -> int:
    """Wish for a statement that somebody else has signed too; the number of its row."""
    body = encode_body(signed.statement.body)
    return _add(turn, ChangeChain(what, body, signed=signed.encode(), fixed=True))


def revoke(turn: Turn, device: DeviceInfo, reason: str) -> int:
    """Wish that a device be no more the user's. Raises UserError."""
    chain = known_chain(turn)
    if device.id == turn.me.device:
        raise UserError("this device cannot revoke itself: do it from another one")
    if chain.device(device.id) is None:
        raise UserError(f"{device.name} is not among your devices (any more)")
    return wish(turn, f"the revocation of {device.name}", RevokeDevice(device.id, reason, 0))


def cancel(turn: Turn) -> int:
    """Wish that the reset that waits be cancelled. Raises UserError."""
    pending = known_chain(turn).pending
    if pending is None:
        raise UserError("no reset of your identity waits")
    return wish(turn, "the cancel of the reset", Cancel(pending.seq))


def state_mail_key(turn: Turn, record: MailKeyRecord) -> int:
    """Wish that the chain name this key."""
    body = mail_keys.claim_of(record, turn.me.address)
    return wish(turn, "the new mail key", body, record.certificate)


def known_chain(turn: Turn) -> VerifiedChain:
    """The own chain. Raises UserError when it is not known, or this device is not live in it."""
    chain = local_chain.own(turn)
    if chain is None:
        raise UserError(NO_CHAIN)
    pending = chain.pending
    if pending is not None and pending.device.id == turn.me.device:
        raise UserError("this device changes nothing before its reset is effective")
    if chain.device(turn.me.device) is None:
        raise UserError("this device is not one of your live devices (see blackthorn device list)")
    return chain


def _add(turn: Turn, intent: ChangeChain) -> int:
    return turn.records.outbox.add(intent.target, encode(intent), turn.now_ms)


# --- Making -------------------------------------------------------------------------------


def make_next(turn: Turn, row: OutboxRecord, intent: ChangeChain) -> SubmitStatement | None:
    """The statement to submit, saved with its row; None when there is nothing left to state.

    Raises UserError, VerificationError.
    """
    signed = intent.signed
    if not signed:
        chain = known_chain(turn)
        body = _still_wanted(turn, chain, decode_body(intent.body))
        if body is None:
            return None
        draft = next_statement(chain, body, turn.now_ms)
        signed = make(draft, [(turn.me.device, turn.keys.signing)]).encode()
        settled = msgspec.structs.replace(intent, signed=signed)
        turn.records.outbox.update(replace(row, intent=encode(settled)))
    return SubmitStatement(row.number, signed, intent.certificate)


def _still_wanted(turn: Turn, chain: VerifiedChain, body: Body) -> Body | None:
    """The body as it is to be stated now, or None when it has come about already."""
    match body:
        case RevokeDevice(device, reason, _):
            return None if chain.device(device) is None else RevokeDevice(device, reason, chain.seq)
        case SetRecovery(keys):
            return None if chain.recovery == keys else body
        case Cancel(seq):
            return body if chain.pending is not None and chain.pending.seq == seq else None
        case SetOpenPGP():
            due = mail_keys.renewal_due(turn.records, chain, turn.me.device)
            return body if due or chain.openpgp is None else None
    return body


# --- Answers ------------------------------------------------------------------------------


def stored(turn: Turn, answer: StatementStored) -> Outcome | None:
    """What became of a statement: done, to be made again, or given up. None for another's."""
    row = turn.records.outbox.get(answer.request)
    intent = decode_intent(row.intent) if row is not None else None
    if row is None or not isinstance(intent, ChangeChain) or not intent.signed:
        return None
    if not answer.refusal:
        return _done(turn, row, intent)
    chain, statement = local_chain.own(turn), decode(intent.signed).statement
    if chain is not None and chain.seq >= statement.seq:
        if chain.hash_of(statement.seq) == statement.hash:
            return _done(turn, row, intent)
        moved_on = True
    else:
        moved_on = answer.refusal.startswith(MOVED_ON)
    if moved_on and not intent.fixed and intent.tries < limits.MAX_STATEMENT_TRIES:
        again = msgspec.structs.replace(intent, signed=b"", tries=intent.tries + 1)
        turn.records.outbox.update(replace(row, intent=encode(again), problem=answer.refusal))
        return Outcome(row.number, error=answer.refusal, final=False)
    if any(each in answer.refusal for each in AGAIN):
        turn.records.outbox.update(replace(row, problem=answer.refusal))
        return Outcome(row.number, error=answer.refusal, final=False)
    if intent.fixed:  # whoever has the other signature makes another, or tells
        turn.records.outbox.remove(row.number)
    return Outcome(row.number, error=f"the server refused it: {answer.refusal}")


def _done(turn: Turn, row: OutboxRecord, intent: ChangeChain) -> Outcome:
    turn.records.outbox.remove(row.number)
    chain = local_chain.own(turn)
    statement = decode(intent.signed).statement
    if chain is None or chain.seq < statement.seq:
        local_chain.stored(turn, intent.signed)
    return Outcome(row.number)


def added(signed: bytes) -> DeviceInfo | None:
    """The device that a statement adds, if it adds one."""
    body = decode(signed).statement.body
    return body.device if isinstance(body, AddDevice) else None
