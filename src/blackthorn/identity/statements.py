"""Statements and their signatures: encoding, decoding, signing.

    statement = [1, label, seq, prev, kind, body, time_ms, min_rules]
    signed    = [statement, [[signer, Ed25519 signature, ML-DSA-65 signature], …]]

Deterministic CBOR (RFC 8949, 4.2.1). Domain and statement, never signatures, are signed, and hashed
for `prev` and the head. A decoded statement is only well-formed; `identity.chain` verifies it.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import Any, Final

import cbor2

from blackthorn.errors import VerificationError
from blackthorn.identity import fields
from blackthorn.identity import keys as signature_keys
from blackthorn.identity import limits as identity_limits
from blackthorn.identity.bodies import FIRST_RULES as FIRST_RULES
from blackthorn.identity.bodies import KINDS
from blackthorn.identity.bodies import AddDevice as AddDevice
from blackthorn.identity.bodies import Body as Body
from blackthorn.identity.bodies import Cancel as Cancel
from blackthorn.identity.bodies import DeviceInfo as DeviceInfo
from blackthorn.identity.bodies import Genesis as Genesis
from blackthorn.identity.bodies import Reset as Reset
from blackthorn.identity.bodies import RevokeDevice as RevokeDevice
from blackthorn.identity.bodies import Rotate as Rotate
from blackthorn.identity.bodies import SetCompatible as SetCompatible
from blackthorn.identity.bodies import SetOpenPGP as SetOpenPGP
from blackthorn.identity.bodies import SetRecovery as SetRecovery
from blackthorn.identity.keys import Signature, SigningKeys
from blackthorn.wire import cbor
from blackthorn.wire import limits as wire_limits

DOMAIN: Final = b"blackthorn-identity-v1\0"
VERSION: Final = 1
RULES_VERSION: Final = 2
"""The newest rules that this program knows; `min_rules` of a statement may not be higher."""

ENROLMENT: Final = b"blackthorn/enrol"
"""The enterprise's enrolment key as a signer, 16 bytes like a device id."""

RECOVERY: Final = b"blackthorn/recov"
"""The printed recovery key as a signer."""

NO_STATEMENT: Final = bytes(fields.HASH_BYTES)
"""The `prev` of a first statement."""


@dataclass(frozen=True)
class Statement:
    """A statement of the chain of `label`; `seq` from 1, `prev` 32 bytes.

    `time_ms` is its author's clock, Unix milliseconds: only displayed.
    """

    label: str
    seq: int
    prev: bytes
    body: Body
    time_ms: int
    min_rules: int = FIRST_RULES

    @cached_property
    def message(self) -> bytes:
        """The signed and hashed bytes."""
        return DOMAIN + cbor2.dumps(_value(self), canonical=True)

    @cached_property
    def hash(self) -> bytes:
        """32 bytes: the next statement's `prev`, the ledger's head."""
        return hashlib.sha256(self.message).digest()


@dataclass(frozen=True)
class SignedStatement:
    """A statement and its signatures in order of the 16-byte signers."""

    statement: Statement
    signatures: tuple[tuple[bytes, Signature], ...]

    def encode(self) -> bytes:
        """The wire and stored form, 3.6 kB to 17 kB."""
        signatures = [[signer, pair.ed25519, pair.ml_dsa] for signer, pair in self.signatures]
        return cbor2.dumps([_value(self.statement), signatures], canonical=True)


def make(statement: Statement, signers: Sequence[tuple[bytes, SigningKeys]]) -> SignedStatement:
    """Sign by all `signers`: device ids, ENROLMENT or RECOVERY, and their keys.

    Raises `VerificationError` before signing a malformed statement.
    """
    decode(SignedStatement(statement, ()).encode())
    signed = SignedStatement(statement, ())
    for signer, keys in signers:
        signed = countersign(signed, signer, keys)
    return signed


def countersign(signed: SignedStatement, signer: bytes, keys: SigningKeys) -> SignedStatement:
    """Add a signature, replacing an earlier one by the same signer."""
    others = [entry for entry in signed.signatures if entry[0] != signer]
    mine = (bytes(signer), keys.sign(signed.statement.message))
    return SignedStatement(signed.statement, tuple(sorted([*others, mine], key=itemgetter(0))))


def decode(data: bytes) -> SignedStatement:
    """A well-formed signed statement. Raises only `VerificationError`."""
    if len(data) > wire_limits.MAX_STATEMENT_BYTES:
        raise VerificationError("I1", f"a statement has {len(data)} bytes: too many")
    refusal = VerificationError("I2", "a statement is not CBOR, or holds a tag")
    value = cbor.load(data, identity_limits.MAX_STATEMENT_DEPTH, refusal)
    statement, signatures = fields.array(value, 2, "a signed statement")
    signed = SignedStatement(_statement(statement), _signatures(signatures))
    if signed.encode() != data:
        raise VerificationError("I2", "a statement is not in its deterministic encoding")
    return signed


def _value(statement: Statement) -> list[Any]:
    body = statement.body
    return [
        VERSION,
        statement.label,
        statement.seq,
        statement.prev,
        KINDS[type(body)],
        fields.body_value(body),
        statement.time_ms,
        statement.min_rules,
    ]


def _statement(value: Any) -> Statement:
    items = fields.array(value, 8, "a statement")
    version, label, seq, prev, kind, body, time_ms, min_rules = items
    if type(version) is not int or version != VERSION:
        raise VerificationError("I3", "a statement is of an unknown version")
    min_rules = fields.number(min_rules, 1, 0xFFFF, "the number of the rules")
    if min_rules > RULES_VERSION:  # its kind may be one that only newer programs know
        raise VerificationError("I16", "the chain asks for rules of a newer program: update yours")
    return Statement(
        fields.label(label),
        fields.number(seq, 1, wire_limits.MAX_CHAIN_STATEMENTS, "the number of a statement"),
        fields.octets(prev, fields.HASH_BYTES, "the hash of the statement before"),
        fields.body(kind, body),
        fields.number(time_ms, 0, identity_limits.MAX_STATEMENT_TIME_MS, "the time of a statement"),
        min_rules,
    )


def _signatures(value: Any) -> tuple[tuple[bytes, Signature], ...]:
    if type(value) is not list:
        raise VerificationError("I3", "the signatures of a statement are not a list")
    if len(value) > identity_limits.MAX_STATEMENT_SIGNATURES:
        raise VerificationError("I11", "a statement has too many signatures")
    found = tuple(_signature(item) for item in value)
    signers = [signer for signer, _ in found]
    if sorted(set(signers)) != signers:
        raise VerificationError("I11", "the signatures are not in the order of their signers")
    return found


def _signature(value: Any) -> tuple[bytes, Signature]:
    signer, ed25519, ml_dsa = fields.array(value, 3, "a signature")
    return fields.octets(signer, fields.ID_BYTES, "a signer"), Signature(
        fields.octets(ed25519, signature_keys.ED25519_SIGNATURE_BYTES, "an Ed25519 signature"),
        fields.octets(ml_dsa, signature_keys.ML_DSA_SIGNATURE_BYTES, "an ML-DSA-65 signature"),
    )
