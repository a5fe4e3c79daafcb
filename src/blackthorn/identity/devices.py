"""Devices: genesis, addition, revocation, rotation (I25 to I31).

Each function takes a state and returns the next, or raises `VerificationError`.
"""

from dataclasses import replace
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.identity.bodies import AddDevice, DeviceInfo, Genesis, RevokeDevice, Rotate
from blackthorn.identity.signers import Named, Signers, check_signers, coming
from blackthorn.identity.state import FormerDevice, State, Terms
from blackthorn.identity.statements import ENROLMENT, RECOVERY, SignedStatement
from blackthorn.ids import DeviceId
from blackthorn.wire import limits

TWO_REVOKE_FROM: Final = 3
"""The number of live personal devices from which a revocation can need two."""


def come(state: State, device: DeviceInfo) -> State:
    """Mark the id and the MLS key of a new device as used."""
    if device.id in state.seen or device.mls_key in state.seen:
        raise VerificationError("I25", f"device {device.id.hex()} or its MLS key was used before")
    return replace(state, seen=state.seen | {device.id, device.mls_key})


def must_be_personal(device: DeviceInfo) -> None:
    if not device.personal:
        raise VerificationError("I30", "a device that begins a chain or recovers it is personal")


def genesis(state: State, signed: SignedStatement, body: Genesis, terms: Terms) -> State:
    device = body.device
    must_be_personal(device)
    state = come(state, device)
    named: Named = {device.id: coming(device), ENROLMENT: (terms.enrolment, "I22")}
    check_signers(signed, Signers(named), {})
    return replace(state, devices={device.id: device}, recovery=body.recovery)


def add_device(state: State, signed: SignedStatement, body: AddDevice) -> State:
    device = body.device
    named: Named = {device.id: coming(device)}
    if body.recovered:
        must_be_personal(device)
        if state.recovery is None:
            raise VerificationError("I23", "the chain has no recovery key")
        named[RECOVERY] = (state.recovery, "I23")
    state = come(state, device)
    if len(state.devices) >= limits.MAX_DEVICES_PER_USER:
        raise VerificationError("I26", f"{len(state.devices)} live devices are the most")
    others = 0 if body.recovered else 1
    check_signers(signed, Signers(named, others, others), state.devices)
    recovered = state.recovered | {device.id} if body.recovered else state.recovered
    return replace(state, devices={**state.devices, device.id: device}, recovered=recovered)


def revoke_device(state: State, signed: SignedStatement, body: RevokeDevice, terms: Terms) -> State:
    seq = signed.statement.seq
    device = _live(state, body.device_id)
    if device.personal and state.personal == 1:
        raise VerificationError("I28", "the last personal device cannot be revoked")
    if body.last_seq >= seq:
        raise VerificationError("I29", "the last trusted statement must be an earlier one")
    fewest = 2 if terms.two_to_revoke and state.personal >= TWO_REVOKE_FROM else 1
    check_signers(signed, Signers(fewest=fewest, most=2), state.devices)
    devices = {key: kept for key, kept in state.devices.items() if key != device.id}
    return replace(
        state,
        devices=devices,
        former=(*state.former, FormerDevice(device, seq, body.reason)),
        recovered=state.recovered - {device.id},
    )


def _live(state: State, id_: DeviceId) -> DeviceInfo:
    device = state.devices.get(id_)
    if device is None:
        raise VerificationError("I27", f"device {id_.hex()} is not live")
    return device


def rotate(state: State, signed: SignedStatement, body: Rotate) -> State:
    new, old = body.device, _live(state, body.replaces)
    same_id = new.id == old.id
    if not (old.personal and new.personal) or (same_id and new.keys != old.keys):
        raise VerificationError("I31", "a rotation changes a role, or keys under their old id")
    kept = {old.mls_key, old.id} if same_id else {old.mls_key}
    state = replace(state, seen=come(replace(state, seen=state.seen - kept), new).seen | kept)
    named: Named = {new.id: coming(new), old.id: (old.keys, "I20")}
    check_signers(signed, Signers(named), {})
    devices = {
        device.id: device
        for device in (new if device.id == old.id else device for device in state.devices.values())
    }
    if same_id:
        return replace(state, devices=devices)
    return replace(
        state,
        devices=devices,
        former=(*state.former, FormerDevice(old, signed.statement.seq, "rotated")),
        recovered=frozenset(new.id if name == old.id else name for name in state.recovered),
    )
