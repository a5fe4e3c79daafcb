"""Resets: how a user who lost every device starts over, and nobody else can.

A reset is *pending* from the time L at which the ledger logged it; old devices stay valid. A cancel
logged before E = L + delay voids it. From E on it is *effective*: its device is the only one, and
the earlier certificate and recovery key are void.

While it is pending only its cancel may follow (I34): no second reset, which could extend the delay
for ever, and nothing by old devices, so that the order of arrival cannot change the outcome. Any
other statement after a reset therefore proves that it had become effective:

    after a reset follows       it must hold                        then
    its cancel                  logged before E                     the reset is void
    another reset               logged at E or later                the first one was effective
    any other statement         the ledger's time is E or later     the first one was effective
    nothing                     the ledger's time decides           pending or effective
"""

from dataclasses import replace

from blackthorn.errors import VerificationError
from blackthorn.identity.bodies import Cancel, Reset
from blackthorn.identity.devices import come, must_be_personal
from blackthorn.identity.signers import Named, Signers, check_signers, coming
from blackthorn.identity.state import FormerDevice, PendingReset, ResetRecord, State, Terms
from blackthorn.identity.statements import ENROLMENT, SignedStatement
from blackthorn.wire import limits


def after_reset(state: State, signed: SignedStatement, terms: Terms) -> State:
    """The state in which a statement applies, by the table above."""
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
    raise VerificationError("I34", "only its cancel can follow a pending reset")


def as_of(state: State, now_ms: int) -> State:
    """The state with its pending reset effective if due by `now_ms`."""
    if state.waiting is None or now_ms < state.waiting.effective_ms:
        return state
    return _effective(state, state.waiting)


def _effective(state: State, reset: PendingReset) -> State:
    gone = tuple(FormerDevice(device, reset.seq, "reset") for device in state.devices.values())
    return replace(
        state,
        devices={reset.device.id: reset.device},
        former=state.former + gone,
        recovered=frozenset(),
        openpgp=None,
        compatible=None,
        recovery=None,
        waiting=None,
        resets=(*state.resets[:-1], replace(state.resets[-1], effective=True)),
    )


def reset(state: State, signed: SignedStatement, body: Reset, terms: Terms) -> State:
    device, seq = body.device, signed.statement.seq
    must_be_personal(device)
    state = come(_proved(state, seq, terms), device)
    named: Named = {device.id: coming(device), ENROLMENT: (terms.enrolment, "I22")}
    check_signers(signed, Signers(named), {})
    moment = state.last_logged_ms
    end = moment + terms.reset_delay_ms
    return replace(
        state,
        waiting=PendingReset(seq, device, moment, end),
        resets=(*state.resets, ResetRecord(seq, moment, end)),
    )


def cancel(state: State, signed: SignedStatement, body: Cancel, terms: Terms) -> State:
    waiting, seq = state.waiting, signed.statement.seq
    if waiting is None or body.reset_seq != waiting.seq:
        raise VerificationError("I36", f"no pending reset {body.reset_seq} to cancel")
    state = _proved(state, seq, terms)
    if state.last_logged_ms >= waiting.effective_ms:
        raise VerificationError("I37", f"the cancel {seq} was logged after the delay had ended")
    check_signers(signed, Signers(fewest=1, most=1), state.devices)
    record = replace(state.resets[-1], cancelled_seq=seq)
    return replace(state, waiting=None, resets=(*state.resets[:-1], record))


def _proved(state: State, seq: int, terms: Terms) -> State:
    """Record a statement with a proved logging time."""
    moment = _logged(state, seq, terms)
    if len(state.logged) >= limits.MAX_CHAIN_RECEIPTS:
        raise VerificationError("I38", "the chain has too many resets and cancels")
    return replace(state, logged={**state.logged, seq: moment})


def _logged(state: State, seq: int, terms: Terms) -> int:
    moment = terms.logged.get(seq)
    if moment is None:
        raise VerificationError("I32", f"the logging time of statement {seq} is not proved")
    if moment < state.last_logged_ms:
        raise VerificationError("I33", f"statement {seq} was logged before an earlier one")
    return moment
