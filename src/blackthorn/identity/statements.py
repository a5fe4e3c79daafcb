"""Statements and their signatures, to bytes and back; and how to sign.

    statement = [1, label, seq, prev, kind, body, time_ms, min_rules]
    signed    = [statement, [[signer, Ed25519 signature, ML-DSA-65 signature], …]]

Deterministic CBOR (RFC 8949, 4.2.1). What is signed, and hashed for `prev` and the head, is
the domain and the statement's encoding: never a signature. A decoded statement is well-formed
and no more; whether it may stand in a chain says `identity.chain`.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cbor2

from blackthorn.errors import VerificationError
from blackthorn.identity import fields
from blackthorn.identity import limits as identity_limits
from blackthorn.identity.bodies import KINDS
from blackthorn.identity.bodies import AddDevice as AddDevice
from blackthorn.identity.bodies import Body as Body
from blackthorn.identity.bodies import Cancel as Cancel
from blackthorn.identity.bodies import DeviceInfo as DeviceInfo
from blackthorn.identity.bodies import Genesis as Genesis
from blackthorn.identity.bodies import Reset as Reset
from blackthorn.identity.bodies import RevokeDevice as RevokeDevice
from blackthorn.identity.bodies import Rotate as Rotate
from blackthorn.identity.bodies import SetOpenPGP as SetOpenPGP
from blackthorn.identity.bodies import SetRecovery as SetRecovery
from blackthorn.identity.keys import (
    ED25519_SIGNATURE_BYTES,
    ML_DSA_SIGNATURE_BYTES,
    Signature,
    SigningKeys,
)
from blackthorn.wire import cbor
from blackthorn.wire import limits as wire_limits

DOMAIN: Final = b"blackthorn-identity-v1\0"
VERSION: Final = 1
RULES_VERSION: Final = 1
"""The newest rules that this program knows; `min_rules` of a statement may not be higher."""

ENROLMENT: Final = b"blackthorn/enrol"
"""As a signer: the enterprise's enrolment key. 16 bytes, like a device id."""

RECOVERY: Final = b"blackthorn/recov"
"""As a signer: the printed recovery key. 16 bytes, like a device id."""

NO_STATEMENT: Final = bytes(fields.HASH_BYTES)
"""The `prev` of a first statement."""


@dataclass(frozen=True)
class Statement:
    """One statement of the chain of `label`; `seq` from 1, `prev` 32 bytes.

    `time_ms` is its maker's clock, Unix milliseconds: displayed, never relied on.
    """

    label: str
    seq: int
    prev: bytes
    body: Body
    time_ms: int
    min_rules: int = RULES_VERSION

    @cached_property
    def message(self) -> bytes:
        """The bytes that are signed and hashed."""
        return DOMAIN + cbor2.dumps(_value(self), canonical=True)

    @cached_property
    def hash(self) -> bytes:
        """32 bytes: what the next statement holds as `prev`, and the ledger as the head."""
        return hashlib.sha256(self.message).digest()


@dataclass(frozen=True)
class SignedStatement:
    """A statement and who signed it, in the order of the 16-byte signers."""

    statement: Statement
    signatures: tuple[tuple[bytes, Signature], ...]

    def encode(self) -> bytes:
        """The bytes that travel and are stored, 3.6 kB to 17 kB."""
        signatures = [[signer, each.ed25519, each.ml_dsa] for signer, each in self.signatures]
        return cbor2.dumps([_value(self.statement), signatures], canonical=True)


def make(statement: Statement, signers: Sequence[tuple[bytes, SigningKeys]]) -> SignedStatement:
    """The statement signed by each of them: device ids, ENROLMENT or RECOVERY, and their keys.

    Raises `VerificationError` when it is not well-formed, and then signs nothing.
    """
    decode(SignedStatement(statement, ()).encode())
    signed = SignedStatement(statement, ())
    for signer, keys in signers:
        signed = countersign(signed, signer, keys)
    return signed


def countersign(signed: SignedStatement, signer: bytes, keys: SigningKeys) -> SignedStatement:
    """The same with one more signature; an earlier one by the same signer goes."""
    others = [entry for entry in signed.signatures if entry[0] != signer]
    mine = (bytes(signer), keys.sign(signed.statement.message))
    return SignedStatement(signed.statement, tuple(sorted([*others, mine], key=_signer)))


def decode(data: bytes) -> SignedStatement:
    """The signed statement in `data`, well-formed. Raises `VerificationError` and nothing else."""
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


def _signer(entry: tuple[bytes, Signature]) -> bytes:
    return entry[0]


def _statement(value: Any) -> Statement:
    version, label, seq, prev, kind, body, time_ms, min_rules = fields.array(
        value, 8, "a statement"
    )
    if type(version) is not int or version != VERSION:
        raise VerificationError("I3", "a statement is of an unknown version")
    return Statement(
        fields.label(label),
        fields.number(seq, 1, wire_limits.MAX_CHAIN_STATEMENTS, "the number of a statement"),
        fields.octets(prev, fields.HASH_BYTES, "the hash of the statement before"),
        fields.body(kind, body),
        fields.number(time_ms, 0, identity_limits.MAX_STATEMENT_TIME_MS, "the time of a statement"),
        fields.number(min_rules, 1, 0xFFFF, "the number of the rules"),
    )


def _signatures(value: Any) -> tuple[tuple[bytes, Signature], ...]:
    if type(value) is not list:
        raise VerificationError("I3", "the signatures of a statement are no list")
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
        fields.octets(ed25519, ED25519_SIGNATURE_BYTES, "an Ed25519 signature"),
        fields.octets(ml_dsa, ML_DSA_SIGNATURE_BYTES, "an ML-DSA-65 signature"),
    )
