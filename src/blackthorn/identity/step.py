"""One step of a chain: the position of a statement, and its effect on the state.

`identity.devices` and `identity.resets` apply theirs; certificates and recovery keys change here.
"""

from dataclasses import replace

from blackthorn.errors import VerificationError
from blackthorn.identity import bodies, devices, resets
from blackthorn.identity.openpgp import Compatible, OpenPGP
from blackthorn.identity.signers import Signers, check_signers
from blackthorn.identity.state import State, Terms
from blackthorn.identity.statements import SignedStatement, Statement


def step(state: State, signed: SignedStatement, terms: Terms) -> State:
    """The state after one more statement. Raises `VerificationError`."""
    statement = signed.statement
    _check_place(state, statement)
    state = resets.after_reset(state, signed, terms)
    return replace(
        _apply(state, signed, terms),
        seq=statement.seq,
        head=statement.hash,
        min_rules=statement.min_rules,
        hashes=(*state.hashes, statement.hash),
    )


def _check_place(state: State, statement: Statement) -> None:
    if statement.label != state.label:
        raise VerificationError("I13", "a statement is of another user's chain")
    if statement.seq != state.seq + 1:
        raise VerificationError("I14", f"statement {statement.seq} follows {state.seq}")
    if statement.prev != state.head:
        raise VerificationError("I15", f"statement {statement.seq} does not follow the one before")
    if statement.min_rules < state.min_rules:
        raise VerificationError("I16", f"statement {statement.seq} asks for older rules")
    if statement.min_rules < bodies.rules_of(statement.body):
        raise VerificationError("I46", f"statement {statement.seq} asks for rules without its kind")
    if isinstance(statement.body, bodies.Genesis) != (state.seq == 0):
        raise VerificationError("I17", "a chain begins with a genesis, and holds no other")


def _apply(state: State, signed: SignedStatement, terms: Terms) -> State:
    match signed.statement.body:
        case bodies.Genesis() as body:
            return devices.genesis(state, signed, body, terms)
        case bodies.AddDevice() as body:
            return devices.add_device(state, signed, body)
        case bodies.RevokeDevice() as body:
            # the device knows its secret, and programs get a new one by hand only
            return replace(devices.revoke_device(state, signed, body, terms), compatible=None)
        case bodies.SetOpenPGP(fingerprint, digest, proof):
            check_signers(signed, Signers(fewest=1, most=1), state.devices)
            seq = signed.statement.seq
            return replace(state, openpgp=OpenPGP(state.label, fingerprint, digest, proof, seq))
        case bodies.SetCompatible() as body:
            check_signers(signed, Signers(fewest=1, most=1), state.devices)
            return replace(state, compatible=_compatible(state, signed.statement.seq, body))
        case bodies.Rotate() as body:
            return devices.rotate(state, signed, body)
        case bodies.SetRecovery(keys):
            check_signers(signed, Signers(fewest=1, most=1), state.devices)
            return replace(state, recovery=keys)
        case bodies.Cancel() as body:
            return resets.cancel(state, signed, body, terms)
        case bodies.Reset() as body:
            return resets.reset(state, signed, body, terms)


def _compatible(state: State, seq: int, body: bodies.SetCompatible) -> Compatible | None:
    if body.certificate is None:
        return None
    stated = body.certificate
    named = OpenPGP(state.label, stated.fingerprint, stated.digest, stated.proof, seq)
    return Compatible(named, body.copies)
