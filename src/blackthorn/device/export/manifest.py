"""manifest.json and manifest.sig: the contents of an export, signed by the user's device.

The device signs a domain-separated hash with Ed25519 and ML-DSA-65. The exported identity chain
verifies it offline; the chain proves one identity, and only the ledger proves whose it is.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import cbor2
import msgspec
from msgspec import Struct

from blackthorn.device.export import limits
from blackthorn.errors import DecodeError, SecurityError, VerificationError
from blackthorn.identity.chain import Terms, UnverifiedChain, VerifiedChain, replay
from blackthorn.identity.keys import Signature, SigningKeys, VerifyKeys
from blackthorn.ids import device_id
from blackthorn.wire import cbor

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.sig"
EXPORT_FORMAT: Final = "blackthorn-export-v1"
SIGNATURE_FORMAT: Final = "blackthorn-export-signature-v1"
CHAIN_FORMAT: Final = "blackthorn-identity-chain-v1"
_DOMAIN: Final = b"blackthorn-export-v1\0"
_CHAIN_DEPTH: Final = 3
"""Nested maps and arrays of an exported chain."""


class Counts(Struct, frozen=True, forbid_unknown_fields=True):
    """The number of exported items of each kind."""

    mails: int
    conversations: int
    messages: int
    contacts: int
    keys: int
    problems: int


class Problem(Struct, frozen=True, forbid_unknown_fields=True):
    """An item that could not be exported, and the reason."""

    item: str
    reason: str


class FileEntry(Struct, frozen=True, forbid_unknown_fields=True):
    """A file: its path with "/", its size in bytes, its hash in 64 hexadecimal digits."""

    path: str
    bytes: int
    sha256: str


class Manifest(Struct, frozen=True, forbid_unknown_fields=True):
    """All files but itself and its signature; `created_ms` is Unix milliseconds."""

    address: str
    created_ms: int
    counts: Counts
    problems: list[Problem]
    files: list[FileEntry]
    format: str = EXPORT_FORMAT


class Signed(Struct, frozen=True, forbid_unknown_fields=True):
    """manifest.sig: device id, public keys and both signatures, in hexadecimal."""

    device: str
    ed25519: str
    ml_dsa: str
    ed25519_signature: str
    ml_dsa_signature: str
    format: str = SIGNATURE_FORMAT


def encode_manifest(manifest: Manifest) -> bytes:
    return msgspec.json.format(msgspec.json.encode(manifest), indent=1) + b"\n"


def decode_manifest(data: bytes) -> Manifest:
    try:
        manifest = msgspec.json.decode(data, type=Manifest)
    except (ValueError, RecursionError):  # msgspec's errors and those of UTF-8
        raise DecodeError(f"{MANIFEST} is not a manifest of an export") from None
    if manifest.format != EXPORT_FORMAT:
        raise DecodeError(f"{MANIFEST} is of a format that is not known here")
    return manifest


def _message(manifest: bytes) -> bytes:
    return _DOMAIN + hashlib.sha256(manifest).digest()


def signed(manifest: bytes, keys: SigningKeys) -> bytes:
    signature, public = keys.sign(_message(manifest)), keys.public
    return _encode_signed(public.ed25519, public.ml_dsa, signature.ed25519, signature.ml_dsa)


def _encode_signed(*raw: bytes) -> bytes:
    parsed = Signed(device_id(raw[0]).hex(), *(part.hex() for part in raw))
    return msgspec.json.format(msgspec.json.encode(parsed), indent=1) + b"\n"


def verify_signature(manifest: bytes, signature: bytes, chain: VerifiedChain) -> str:
    """The name of the live device that signed. Raises SecurityError."""
    try:
        parsed = msgspec.json.decode(signature, type=Signed)
        fields = (parsed.ed25519, parsed.ml_dsa, parsed.ed25519_signature, parsed.ml_dsa_signature)
        raw = [bytes.fromhex(part) for part in fields]
    except (ValueError, RecursionError):
        raise SecurityError(f"{SIGNATURE} is not a signature of an export") from None
    if _encode_signed(*raw) != signature:  # one signature has one file
        raise SecurityError(f"{SIGNATURE} is not in canonical form")
    device = next((device for device in chain.devices if device.id.hex() == parsed.device), None)
    if device is None or device.keys != VerifyKeys(raw[0], raw[1]):
        raise SecurityError(f"{SIGNATURE}: no live device of the identity chain has signed")
    try:
        device.keys.verify(Signature(raw[2], raw[3]), _message(manifest))
    except VerificationError:
        raise SecurityError(f"{MANIFEST} or {SIGNATURE} was changed after signing") from None
    return device.name


def encode_chain(label: str, statements: Sequence[bytes], terms: Terms) -> bytes:
    """identity-chain.cbor: the statements and the terms to verify them."""
    value = {
        "format": CHAIN_FORMAT,
        "address": label,
        "statements": list(statements),
        "logged": dict(terms.logged),
        "now_ms": terms.now_ms,
        "reset_delay_ms": terms.reset_delay_ms,
        "enrolment": [terms.enrolment.ed25519, terms.enrolment.ml_dsa],
    }
    return cbor2.dumps(value, canonical=True)


def decode_chain(data: bytes) -> VerifiedChain:
    """The verified chain. Raises SecurityError, including VerificationError."""
    if len(data) > limits.MAX_EXPORT_CHAIN_BYTES:
        raise SecurityError("the identity chain is too large")
    refusal = SecurityError("the identity chain is not CBOR, or holds a tag")
    value = cbor.load(data, _CHAIN_DEPTH, refusal)
    if not isinstance(value, dict) or value.get("format") != CHAIN_FORMAT:
        raise SecurityError("the identity chain is of a format that is not known here")
    try:
        read = msgspec.convert(value, type=_Chain, strict=True)
    except (msgspec.ValidationError, TypeError):
        raise SecurityError("the identity chain has a field that is wrong") from None
    terms = Terms(VerifyKeys(*read.enrolment), read.reset_delay_ms, read.now_ms, read.logged)
    return replay(UnverifiedChain(read.address, tuple(read.statements)), terms)


class _Chain(Struct, frozen=True, forbid_unknown_fields=True):
    format: str
    address: str
    statements: list[bytes]
    logged: dict[int, int]
    now_ms: int
    reset_delay_ms: int
    enrolment: tuple[bytes, bytes]
