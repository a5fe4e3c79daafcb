"""Bodies of statements to CBOR arrays and back, each field checked.

Input is whatever cbor2 decoded; only `VerificationError` is raised.
"""

import re
from collections.abc import Callable
from typing import Any, Final

from blackthorn.crypto import limits as crypto_limits
from blackthorn.errors import DecodeError, VerificationError
from blackthorn.identity import limits as identity_limits
from blackthorn.identity.bodies import (
    KINDS,
    AddDevice,
    Body,
    Cancel,
    DeviceInfo,
    Genesis,
    Reset,
    RevokeDevice,
    Role,
    Rotate,
    SetCompatible,
    SetOpenPGP,
    SetRecovery,
)
from blackthorn.identity.keys import ED25519_PUBLIC_BYTES, ML_DSA_PUBLIC_BYTES, VerifyKeys
from blackthorn.ids import Address, DeviceId, device_id
from blackthorn.wire import limits as wire_limits
from blackthorn.wire.address import parse_address

HASH_BYTES: Final = 32
ID_BYTES: Final = 16
_FINGERPRINT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_V4_DIGITS: Final = 40
_UNSHOWABLE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]"
)
"""Controls and direction marks, a fixed list so that all programs refuse the same names."""


def _malformed(what: str) -> VerificationError:
    return VerificationError("I3", f"{what} has wrong fields")


def array(value: Any, size: int, what: str) -> list[Any]:
    """A list of `size` items. Raises I3."""
    if type(value) is not list or len(value) != size:
        raise _malformed(what)
    return value


def octets(value: Any, size: int, what: str) -> bytes:
    """`size` bytes. Raises I3, I5."""
    if type(value) is not bytes:
        raise _malformed(what)
    if len(value) != size:
        raise VerificationError("I5", f"{what} has {len(value)} bytes instead of {size}")
    return value


def number(value: Any, low: int, high: int, what: str) -> int:
    """An integer from `low` to `high`. Raises I3, I9."""
    if type(value) is not int:
        raise _malformed(what)
    if not low <= value <= high:
        raise VerificationError("I9", f"{what} is not between {low} and {high}")
    return value


def text(value: Any, low: int, high: int, what: str) -> str:
    """`low` to `high` printable characters. Raises I3, I7."""
    if type(value) is not str:
        raise _malformed(what)
    if not low <= len(value) <= high or _UNSHOWABLE.search(value):
        raise VerificationError("I7", f"{what} is too long, empty or holds control characters")
    return value


def label(value: Any) -> Address:
    """A normalised address. Raises I3, I4."""
    if type(value) is not str:
        raise _malformed("the label")
    error = VerificationError("I4", "the label is not a normalised mail address")
    try:
        address = parse_address(value)
    except DecodeError:
        raise error from None
    if address != value:
        raise error
    return address


def keys(value: Any) -> VerifyKeys:
    """A pair of public keys."""
    ed25519, ml_dsa = array(value, 2, "a pair of keys")
    return VerifyKeys(
        octets(ed25519, ED25519_PUBLIC_BYTES, "an Ed25519 key"),
        octets(ml_dsa, ML_DSA_PUBLIC_BYTES, "an ML-DSA-65 key"),
    )


def _keys_or_none(value: Any) -> VerifyKeys | None:
    return None if value is None else keys(value)


def _id(value: Any) -> DeviceId:
    return DeviceId(octets(value, ID_BYTES, "a device id"))


def _seq(value: Any, what: str) -> int:
    return number(value, 0, wire_limits.MAX_CHAIN_STATEMENTS, what)


def _suites(value: Any) -> tuple[int, ...]:
    if type(value) is not list:
        raise _malformed("the list of suites")
    suites = tuple(number(suite, 1, 0xFFFF, "a suite") for suite in value)
    if len(suites) > identity_limits.MAX_DEVICE_SUITES or len(set(suites)) != len(suites):
        raise VerificationError("I8", "a device names too many suites, or one of them twice")
    return suites


def device(value: Any) -> DeviceInfo:
    """A device whose id matches its key."""
    id_, name, role, pair, mls_key, suites = array(value, 6, "a device")
    if role not in (Role.PERSONAL.value, Role.COMPLIANCE.value):
        raise VerificationError("I8", "a device has an unknown role")
    found = DeviceInfo(
        _id(id_),
        text(name, 1, wire_limits.MAX_DEVICE_NAME_CHARACTERS, "the name of a device"),
        role,
        keys(pair),
        octets(mls_key, ED25519_PUBLIC_BYTES, "an MLS key"),
        _suites(suites),
    )
    if found.id != device_id(found.keys.ed25519):
        raise VerificationError("I6", "the id of a device is not that of its key")
    return found


def _openpgp(fields: list[Any]) -> SetOpenPGP:
    fingerprint, digest, proof = fields
    if type(fingerprint) is not str or type(proof) is not bytes:
        raise _malformed("an OpenPGP statement")
    too_long = len(proof) > crypto_limits.MAX_OPENPGP_PROOF_BYTES
    if too_long or not _FINGERPRINT.fullmatch(fingerprint):
        raise VerificationError("I10", "the fingerprint or proof of a certificate is malformed")
    return SetOpenPGP(fingerprint, octets(digest, HASH_BYTES, "the digest"), proof)


def _compatible(fields: list[Any]) -> SetCompatible:
    certificate, copies = fields
    if type(copies) is not bool:
        raise _malformed("a compatible certificate")
    if certificate is None:
        if copies:
            raise VerificationError("I47", "nothing is sealed to a revoked certificate")
        return SetCompatible(None)
    stated = _openpgp(array(certificate, 3, "a compatible certificate"))
    if len(stated.fingerprint) != _V4_DIGITS:
        raise VerificationError("I47", "a compatible certificate is of version 4")
    return SetCompatible(stated, copies)


def _revoke(fields: list[Any]) -> RevokeDevice:
    id_, reason, last_seq = fields
    most = identity_limits.MAX_REVOKE_REASON_CHARACTERS
    shown = text(reason, 0, most, "the reason of a revocation")
    return RevokeDevice(_id(id_), shown, _seq(last_seq, "the last good statement"))


def _add(fields: list[Any]) -> AddDevice:
    info, recovered = fields
    if type(recovered) is not bool:
        raise _malformed("an added device")
    return AddDevice(device(info), recovered)


_READERS: Final[dict[int, tuple[int, Callable[[list[Any]], Body]]]] = {
    KINDS[Genesis]: (2, lambda fields: Genesis(device(fields[0]), _keys_or_none(fields[1]))),
    KINDS[AddDevice]: (2, _add),
    KINDS[RevokeDevice]: (3, _revoke),
    KINDS[SetOpenPGP]: (3, _openpgp),
    KINDS[Rotate]: (2, lambda fields: Rotate(device(fields[0]), _id(fields[1]))),
    KINDS[SetRecovery]: (1, lambda fields: SetRecovery(_keys_or_none(fields[0]))),
    KINDS[Cancel]: (1, lambda fields: Cancel(_seq(fields[0], "the number of a reset"))),
    KINDS[Reset]: (1, lambda fields: Reset(device(fields[0]))),
    KINDS[SetCompatible]: (2, _compatible),
}
"""Kind → number of fields, and their parser."""


def body(kind: Any, fields: Any) -> Body:
    """The body of that kind. Raises `VerificationError`."""
    if type(kind) is not int or kind not in _READERS:
        raise VerificationError("I3", "a statement is of an unknown kind")
    size, read = _READERS[kind]
    return read(array(fields, size, "the body of a statement"))


def keys_value(pair: VerifyKeys | None) -> list[bytes] | None:
    return None if pair is None else [pair.ed25519, pair.ml_dsa]


def _device_value(info: DeviceInfo) -> list[Any]:
    role = str(info.role)
    return [info.id, info.name, role, keys_value(info.keys), info.mls_key, list(info.suites)]


def body_value(value: Body) -> list[Any]:
    """The fields of a body for CBOR."""
    match value:
        case Genesis(info, recovery):
            return [_device_value(info), keys_value(recovery)]
        case AddDevice(info, recovered):
            return [_device_value(info), recovered]
        case RevokeDevice(id_, reason, last_seq):
            return [id_, reason, last_seq]
        case SetOpenPGP(fingerprint, digest, proof):
            return [fingerprint, digest, proof]
        case SetCompatible(certificate, copies):
            return [None if certificate is None else body_value(certificate), copies]
        case Rotate(info, replaces):
            return [_device_value(info), replaces]
        case SetRecovery(pair):
            return [keys_value(pair)]
        case Cancel(reset_seq):
            return [reset_seq]
        case Reset(info):
            return [_device_value(info)]
