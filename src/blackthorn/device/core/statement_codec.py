"""Encodings of statement bodies and device descriptions for the outbox and for a pairing."""

import cbor2

from blackthorn.errors import VerificationError
from blackthorn.identity import bodies, fields
from blackthorn.identity import limits as identity_limits
from blackthorn.identity.statements import AddDevice, Body, DeviceInfo
from blackthorn.wire import cbor
from blackthorn.wire import limits as wire_limits


def encode_body(body: Body) -> bytes:
    """Encode kind and fields as deterministic CBOR."""
    return cbor2.dumps([bodies.KINDS[type(body)], fields.body_value(body)], canonical=True)


def decode_body(data: bytes) -> Body:
    """The inverse of `encode_body`. Raises VerificationError."""
    if len(data) > wire_limits.MAX_STATEMENT_BYTES:
        raise VerificationError("I1", "the body of a statement is too large")
    refusal = VerificationError("I2", "a body of a statement is not CBOR")
    body = cbor.load(data, identity_limits.MAX_STATEMENT_DEPTH, refusal)
    kind, value = fields.array(body, 2, "the body of a statement")
    return fields.body(kind, value)


def encode_device(info: DeviceInfo) -> bytes:
    """Encode a device's description for a pairing."""
    return encode_body(AddDevice(info))


def decode_device(data: bytes) -> DeviceInfo:
    """The inverse of `encode_device`. Raises VerificationError."""
    body = decode_body(data)
    if not isinstance(body, AddDevice) or body.recovered:
        raise VerificationError("I3", "that is no description of a device")
    return body.device
