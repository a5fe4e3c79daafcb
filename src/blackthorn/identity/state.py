"""What a chain means after each of its statements: `step` takes one more, or raises.

The state follows from the statements, from the times at which the ledger logged resets and
cancels, and from the time as of which one asks. Claimed times (`time_ms`) decide nothing.

A reset has three lives. It *waits* from the time L at which the ledger logged it, and the old
devices stay. A cancel that was logged before E = L + delay ends it, and its device never comes.
Else it is *effective* from E on: its device is the only one, and the certificate and the
recovery key of before are gone, whoever holds them.

While it waits nothing but its cancel follows it (I34): not a second reset, which could renew
the wait for ever, and nothing by the old devices, so that it never depends on the order of
arrival what a reset swept away. So whatever else follows a reset shows by its own place that
the reset had become effective:

    after a reset comes         it must hold                        then
    its cancel                  logged before E                     the reset is void
    another reset               logged at E or later                the first one was effective
    any other statement         the ledger's time is E or later     the first one was effective
    nothing                     the ledger's time decides           waits or is effective
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from blackthorn import limits
from blackthorn.errors import VerificationError
from blackthorn.identity.bodies import (
    AddDevice,
    Cancel,
    DeviceInfo,
    Genesis,
    Reset,
    RevokeDevice,
    Rotate,
    SetOpenPGP,
    SetRecovery,
)
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.openpgp import OpenPGP
from blackthorn.identity.signers import Named, Signers, check_signers, coming
from blackthorn.identity.statements import (
    ENROLMENT,
    NO_STATEMENT,
    RECOVERY,
    RULES_VERSION,
    SignedStatement,
    Statement,
)
from blackthorn.ids import DeviceId

TWO_REVOKE_FROM: Final = 3
"""Live personal devices from which on a revocation can need two of them."""


@dataclass(frozen=True)
class Terms:
    """On what terms a chain is judged.

    `enrolment` and `reset_delay_ms` are the enterprise's, from the ledger's configuration.
    `now_ms` is the time of the epoch in which the chain was looked up (the time in the verified
    head), not the clock of whoever asks: a cancel of which that epoch does not know yet can
    then only have been logged later. `logged` has, for the seq of each reset and cancel, the
    time at which the ledger logged it, from verified receipts. All times in Unix milliseconds.
    """

    enrolment: VerifyKeys
    reset_delay_ms: int
    now_ms: int
    logged: Mapping[int, int] = field(default_factory=dict)
    two_to_revoke: bool = False


@dataclass(frozen=True, slots=True)
class Former:
    """A device that is no more the user's, since the statement `seq`."""

    device: DeviceInfo
    seq: int
    reason: str


@dataclass(frozen=True, slots=True)
class PendingReset:
    """The reset at `seq`, and when it becomes effective unless a device cancels it."""

    seq: int
    device: DeviceInfo
    logged_ms: int
    effective_ms: int


@dataclass(frozen=True, slots=True)
class ResetRecord:
    """A reset that the chain holds: waiting, effective, or cancelled by `cancelled_seq`."""

    seq: int
    logged_ms: int
    effective_ms: int
    effective: bool = False
    cancelled_seq: int | None = None


@dataclass(frozen=True)
class State:
    """A chain after its statement `seq`; `devices` in the order in which they came."""

    label: str
    seq: int = 0
    head: bytes = NO_STATEMENT
    min_rules: int = 1
    devices: Mapping[DeviceId, DeviceInfo] = field(default_factory=dict)
    former: tuple[Former, ...] = ()
    recovered: frozenset[DeviceId] = frozenset()
    seen: frozenset[bytes] = frozenset()
    openpgp: OpenPGP | None = None
    recovery: VerifyKeys | None = None
    waiting: PendingReset | None = None
    resets: tuple[ResetRecord, ...] = ()
    logged: Mapping[int, int] = field(default_factory=dict)
    hashes: tuple[bytes, ...] = ()

    @property
    def last_logged_ms(self) -> int:
        """When the ledger logged the last reset or cancel; 0 when there is none."""
        return max(self.logged.values(), default=0)

    @property
    def personal(self) -> int:
        """How many live devices act for the user."""
        return sum(each.personal for each in self.devices.values())


def step(state: State, signed: SignedStatement, terms: Terms) -> State:
    """The state after one more statement. Raises `VerificationError` and changes nothing."""
    statement = signed.statement
    _check_place(state, statement)
    state = _after_reset(state, signed, terms)
    return replace(
        _apply(state, signed, terms),
        seq=statement.seq,
        head=statement.hash,
        min_rules=statement.min_rules,
        hashes=(*state.hashes, statement.hash),
    )


def as_of(state: State, now_ms: int) -> State:
    """The state with its waiting reset effective, if it is so by `now_ms`."""
    if state.waiting is None or now_ms < state.waiting.effective_ms:
        return state
    return _effective(state, state.waiting)


def _check_place(state: State, statement: Statement) -> None:
    """I13 to I17: the statement stands where it says it does."""
    if statement.label != state.label:
        raise VerificationError("I13", "a statement is of another user's chain")
    if statement.seq != state.seq + 1:
        raise VerificationError("I14", f"statement {statement.seq} follows {state.seq}")
    if statement.prev != state.head:
        raise VerificationError("I15", f"statement {statement.seq} does not follow the one before")
    if statement.min_rules < state.min_rules:
        raise VerificationError("I16", f"statement {statement.seq} asks for older rules")
    if statement.min_rules > RULES_VERSION:
        raise VerificationError("I16", "the chain asks for rules of a newer program: update yours")
    if isinstance(statement.body, Genesis) != (state.seq == 0):
        raise VerificationError("I17", "a chain begins with a genesis, and holds no other")


def _after_reset(state: State, signed: SignedStatement, terms: Terms) -> State:
    """The state that a statement meets which follows a waiting reset: the table above."""
    waiting, statement = state.waiting, signed.statement
    if waiting is None or isinstance(statement.body, Cancel):
        return state
    if isinstance(statement.body, Reset):
        moment = _logged(state, statement.seq, terms)
    else:
        moment = terms.now_ms
    if moment >= waiting.effective_ms:
        return _effective(state, waiting)
    if any(signer == waiting.device.id for signer, _ in signed.signatures):
        raise VerificationError("I35", "the device of a reset signs before the reset is effective")
    raise VerificationError("I34", "while a reset waits, only its cancel can follow it")


def _effective(state: State, reset: PendingReset) -> State:
    gone = tuple(Former(each, reset.seq, "reset") for each in state.devices.values())
    return replace(
        state,
        devices={reset.device.id: reset.device},
        former=state.former + gone,
        recovered=frozenset(),
        openpgp=None,
        recovery=None,
        waiting=None,
        resets=(*state.resets[:-1], replace(state.resets[-1], effective=True)),
    )


def _logged(state: State, seq: int, terms: Terms) -> int:
    """When the ledger logged the reset or cancel `seq`."""
    moment = terms.logged.get(seq)
    if moment is None:
        raise VerificationError("I32", f"it is not proved when the ledger logged statement {seq}")
    if moment < state.last_logged_ms:
        raise VerificationError("I33", f"statement {seq} was logged before an earlier one")
    return moment


def _apply(state: State, signed: SignedStatement, terms: Terms) -> State:
    match signed.statement.body:
        case Genesis() as body:
            return _genesis(state, signed, body, terms)
        case AddDevice() as body:
            return _add(state, signed, body)
        case RevokeDevice() as body:
            return _revoke(state, signed, body, terms)
        case SetOpenPGP(fingerprint, digest, proof):
            check_signers(signed, Signers(fewest=1, most=1), state.devices)
            seq = signed.statement.seq
            return replace(state, openpgp=OpenPGP(state.label, fingerprint, digest, proof, seq))
        case Rotate() as body:
            return _rotate(state, signed, body)
        case SetRecovery(keys):
            check_signers(signed, Signers(fewest=1, most=1), state.devices)
            return replace(state, recovery=keys)
        case Cancel() as body:
            return _cancel(state, signed, body, terms)
        case Reset() as body:
            return _reset(state, signed, body, terms)


def _come(state: State, device: DeviceInfo) -> State:
    """The state with the id and the MLS key of a device that comes noted as used."""
    if device.id in state.seen or device.mls_key in state.seen:
        raise VerificationError("I25", f"device {device.id.hex()} or its MLS key was here before")
    return replace(state, seen=state.seen | {device.id, device.mls_key})


def _must_be_personal(device: DeviceInfo) -> None:
    if not device.personal:
        raise VerificationError("I30", "a device that begins a chain or recovers it is personal")


def _genesis(state: State, signed: SignedStatement, body: Genesis, terms: Terms) -> State:
    device = body.device
    _must_be_personal(device)
    state = _come(state, device)
    named: Named = {device.id: coming(device), ENROLMENT: (terms.enrolment, "I22")}
    check_signers(signed, Signers(named), {})
    return replace(state, devices={device.id: device}, recovery=body.recovery)


def _add(state: State, signed: SignedStatement, body: AddDevice) -> State:
    device = body.device
    named: Named = {device.id: coming(device)}
    if body.recovered:
        _must_be_personal(device)
        if state.recovery is None:
            raise VerificationError("I23", "the chain has no recovery key")
        named[RECOVERY] = (state.recovery, "I23")
    state = _come(state, device)
    if len(state.devices) >= limits.MAX_DEVICES_PER_USER:
        raise VerificationError("I26", f"{len(state.devices)} live devices are the most")
    others = 0 if body.recovered else 1
    check_signers(signed, Signers(named, others, others), state.devices)
    recovered = state.recovered | {device.id} if body.recovered else state.recovered
    return replace(state, devices={**state.devices, device.id: device}, recovered=recovered)


def _revoke(state: State, signed: SignedStatement, body: RevokeDevice, terms: Terms) -> State:
    seq = signed.statement.seq
    device = _live(state, body.device_id)
    if device.personal and state.personal == 1:
        raise VerificationError("I28", "the last personal device cannot be revoked")
    if body.last_seq >= seq:
        raise VerificationError("I29", "the last good statement of a device is an earlier one")
    fewest = 2 if terms.two_to_revoke and state.personal >= TWO_REVOKE_FROM else 1
    check_signers(signed, Signers(fewest=fewest, most=2), state.devices)
    left = {id_: each for id_, each in state.devices.items() if id_ != device.id}
    return replace(
        state,
        devices=left,
        former=(*state.former, Former(device, seq, body.reason)),
        recovered=state.recovered - {device.id},
    )


def _live(state: State, id_: DeviceId) -> DeviceInfo:
    device = state.devices.get(id_)
    if device is None:
        raise VerificationError("I27", f"device {id_.hex()} is not live")
    return device


def _rotate(state: State, signed: SignedStatement, body: Rotate) -> State:
    new, old = body.device, _live(state, body.replaces)
    same_id = new.id == old.id
    if not (old.personal and new.personal) or (same_id and new.keys != old.keys):
        raise VerificationError("I31", "a rotation changes a role, or keys under their old id")
    kept = {old.mls_key, old.id} if same_id else {old.mls_key}
    state = replace(state, seen=_come(replace(state, seen=state.seen - kept), new).seen | kept)
    named: Named = {new.id: coming(new), old.id: (old.keys, "I20")}
    check_signers(signed, Signers(named), {})
    devices = {
        each.id: each
        for each in (new if each.id == old.id else each for each in state.devices.values())
    }
    if same_id:
        return replace(state, devices=devices)
    return replace(
        state,
        devices=devices,
        former=(*state.former, Former(old, signed.statement.seq, "rotated")),
        recovered=frozenset(new.id if each == old.id else each for each in state.recovered),
    )


def _cancel(state: State, signed: SignedStatement, body: Cancel, terms: Terms) -> State:
    waiting, seq = state.waiting, signed.statement.seq
    if waiting is None or body.reset_seq != waiting.seq:
        raise VerificationError("I36", f"no reset {body.reset_seq} waits to be cancelled")
    state = _proved(state, seq, terms)
    if state.last_logged_ms >= waiting.effective_ms:
        raise VerificationError("I37", f"the cancel {seq} was logged after the delay had ended")
    check_signers(signed, Signers(fewest=1, most=1), state.devices)
    record = replace(state.resets[-1], cancelled_seq=seq)
    return replace(state, waiting=None, resets=(*state.resets[:-1], record))


def _reset(state: State, signed: SignedStatement, body: Reset, terms: Terms) -> State:
    device, seq = body.device, signed.statement.seq
    _must_be_personal(device)
    state = _come(_proved(state, seq, terms), device)
    named: Named = {device.id: coming(device), ENROLMENT: (terms.enrolment, "I22")}
    check_signers(signed, Signers(named), {})
    moment = state.last_logged_ms
    end = moment + terms.reset_delay_ms
    return replace(
        state,
        waiting=PendingReset(seq, device, moment, end),
        resets=(*state.resets, ResetRecord(seq, moment, end)),
    )


def _proved(state: State, seq: int, terms: Terms) -> State:
    """The state with one more statement whose time of logging is proved."""
    moment = _logged(state, seq, terms)
    if len(state.logged) >= limits.MAX_CHAIN_RECEIPTS:
        raise VerificationError(
            "I38", f"{limits.MAX_CHAIN_RECEIPTS} resets and cancels are the most"
        )
    return replace(state, logged={**state.logged, seq: moment})
