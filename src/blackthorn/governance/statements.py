"""Decisions: encoding, signatures, and the ledger's commitments.

    statement  = {v, case, seq, prev, action, public, private}     deterministic CBOR
    signed     = [statement, [[officer, at_ms, Ed25519, ML-DSA-65], …]]
    signed by each officer: "blackthorn-decision-v1\\0" ‖ at_ms u64 ‖ len u8 ‖ officer ‖ statement
    commitment = SHA-256("blackthorn-case-entry-v1\\0" ‖ salt[32] ‖ signed)
    reveal     = salt[32] ‖ signed
    private    = SHA-256("blackthorn-private-v1\\0" ‖ salt[32] ‖ CBOR map), or null

A decoded statement is only well-formed; `governance.cases` decides whether it is allowed.
"""

import hashlib
import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import cbor2

from blackthorn.directory.fields import decode_map, encode_map
from blackthorn.errors import VerificationError
from blackthorn.governance import limits as governance_limits
from blackthorn.identity import keys as signature_keys
from blackthorn.identity.keys import Signature, SigningKeys
from blackthorn.link import limits as link_limits
from blackthorn.wire import cbor

VERSION: Final = 1
DOMAIN: Final = b"blackthorn-decision-v1\0"
ENTRY_DOMAIN: Final = b"blackthorn-case-entry-v1\0"
PRIVATE_DOMAIN: Final = b"blackthorn-private-v1\0"
SALT_BYTES: Final = 32
NO_STATEMENT: Final = bytes(32)
"""The `prev` of a case's first statement."""

_OFFICER: Final = re.compile(r"O-[0-9a-f]{8}")
_CASE: Final = re.compile(r"officers|canary|ledger|D-[0-9]{6}|X-[A-Z]{2}-[0-9]{1,4}")
_FIELDS: Final = {"v", "case", "seq", "prev", "action", "public", "private"}
_MAX_TIME: Final = 2**53 - 1


@dataclass(frozen=True)
class Statement:
    """A decision in a case: `seq` from 1, `prev` 32 bytes, `private` 32 bytes or None."""

    case: str
    seq: int
    prev: bytes
    action: str
    public: dict[str, Any]
    private: bytes | None = None

    @cached_property
    def encoded(self) -> bytes:
        return encode_map(
            {
                "v": VERSION,
                "case": self.case,
                "seq": self.seq,
                "prev": self.prev,
                "action": self.action,
                "public": self.public,
                "private": self.private,
            }
        )

    @property
    def hash(self) -> bytes:
        """32 bytes: the next statement's `prev`."""
        return hashlib.sha256(DOMAIN + self.encoded).digest()


@dataclass(frozen=True, slots=True)
class Approval:
    """An officer's signature; `at_ms` is the ledger's time on their device, Unix milliseconds."""

    officer: str
    at_ms: int
    signature: Signature


@dataclass(frozen=True)
class Signed:
    """A statement and its approvals in order of officers' ids."""

    statement: Statement
    approvals: tuple[Approval, ...]

    def encode(self) -> bytes:
        """The wire, stored and committed form."""
        approvals = [
            [by.officer, by.at_ms, by.signature.ed25519, by.signature.ml_dsa]
            for by in self.approvals
        ]
        return cbor2.dumps([self.statement.encoded, approvals], canonical=True)

    @property
    def at_ms(self) -> int:
        """The latest time of an approval."""
        return max((approval.at_ms for approval in self.approvals), default=0)


def message(statement: Statement, officer: str, at_ms: int) -> bytes:
    """The bytes that an officer signs."""
    name = officer.encode()
    return DOMAIN + struct.pack(">QB", at_ms, len(name)) + name + statement.encoded


def approve(signed: Signed, officer: str, at_ms: int, keys: SigningKeys) -> Signed:
    """Add the officer's approval. Raises `VerificationError` (G6) for a second one."""
    if any(approval.officer == officer for approval in signed.approvals):
        raise VerificationError("G6", "you approved this already: another officer must approve it")
    mine = Approval(officer, at_ms, keys.sign(message(signed.statement, officer, at_ms)))
    approvals = sorted([*signed.approvals, mine], key=lambda approval: approval.officer)
    return Signed(signed.statement, tuple(approvals))


def decode(data: bytes) -> Signed:
    """Raises only `VerificationError` (G1)."""
    if len(data) > link_limits.MAX_DECISION_BYTES:
        raise VerificationError("G1", f"a decision has {len(data)} bytes: too many")
    match cbor.load(data, 3, VerificationError("G1", "a decision is not CBOR")):
        case [bytes(statement), list(approvals)] if len(approvals) <= link_limits.MAX_APPROVALS:
            signed = Signed(
                decode_statement(statement), tuple(_approval(approval) for approval in approvals)
            )
        case _:
            raise VerificationError("G1", "a decision is not a statement with its approvals")
    names = [approval.officer for approval in signed.approvals]
    if sorted(set(names)) != names:
        raise VerificationError("G6", "approvals are not in order, or one officer's stands twice")
    if signed.encode() != data:
        raise VerificationError("G1", "a decision's encoding is not canonical")
    return signed


def is_case(name: str) -> bool:
    """Whether a case can have that id."""
    return _CASE.fullmatch(name) is not None


def decode_statement(data: bytes) -> Statement:
    """Raises `VerificationError` (G1)."""
    value = decode_map(data, "G1", "a statement", link_limits.MAX_DECISION_BYTES)
    if set(value) != _FIELDS or value["v"] != VERSION or type(value["v"]) is not int:
        raise VerificationError("G1", "a statement has other fields than it should")
    case, seq, prev, private = value["case"], value["seq"], value["prev"], value["private"]
    well = (
        type(case) is str
        and _CASE.fullmatch(case) is not None
        and type(seq) is int
        and 1 <= seq <= governance_limits.MAX_CASE_STATEMENTS
        and _is_hash(prev)
        and type(value["action"]) is str
        and len(value["action"]) <= 32
        and type(value["public"]) is dict
        and all(type(name) is str for name in value["public"])
        and (private is None or _is_hash(private))
    )
    if not well:
        raise VerificationError("G1", "a statement is malformed")
    return Statement(case, seq, prev, value["action"], value["public"], private)


def _is_hash(value: Any) -> bool:
    return type(value) is bytes and len(value) == 32


def _approval(value: Any) -> Approval:
    match value:
        case [str(officer), int(at_ms), bytes(ed25519), bytes(ml_dsa)] if (
            _OFFICER.fullmatch(officer)
            and 0 <= at_ms <= _MAX_TIME
            and len(ed25519) == signature_keys.ED25519_SIGNATURE_BYTES
            and len(ml_dsa) == signature_keys.ML_DSA_SIGNATURE_BYTES
        ):
            return Approval(officer, at_ms, Signature(ed25519, ml_dsa))
    raise VerificationError("G1", "an approval is not an officer, a time and a signature")


def is_officer(name: str) -> bool:
    """Whether it looks like an officer's id, such as `O-1f2e3d4c`."""
    return _OFFICER.fullmatch(name) is not None


def commitment(reveal: bytes) -> bytes:
    """32 bytes for the ledger. `reveal` is salt and signed statement."""
    return hashlib.sha256(ENTRY_DOMAIN + reveal).digest()


def open_entry(committed: bytes, reveal: bytes) -> Signed:
    """The statement of a commitment. Raises `VerificationError` (G10, G1)."""
    if len(reveal) <= SALT_BYTES or commitment(reveal) != committed:
        raise VerificationError("G10", "what is revealed is not what was committed to")
    return decode(reveal[SALT_BYTES:])


def seal_private(private: dict[str, Any], random: Callable[[int], bytes]) -> bytes:
    """The stored private part: 32 bytes of salt, then CBOR."""
    return random(SALT_BYTES) + encode_map(private)


def private_hash(kept: bytes) -> bytes:
    """A statement's commitment to its private part."""
    return hashlib.sha256(PRIVATE_DOMAIN + kept).digest()


def open_private(statement: Statement, kept: bytes) -> dict[str, Any]:
    """The private part, {} for none. Raises `VerificationError` (G16)."""
    if statement.private is None and not kept:
        return {}
    if len(kept) > link_limits.MAX_PRIVATE_BYTES or private_hash(kept) != statement.private:
        raise VerificationError("G16", "the private part is not the one that was signed")
    return decode_map(kept[SALT_BYTES:], "G16", "the private part", link_limits.MAX_PRIVATE_BYTES)
