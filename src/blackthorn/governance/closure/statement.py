"""The public statement of a closure: counts of what was destroyed, with evidence.

    {"signature": a note by the register's key, "statement": {…}}      one JSON document
    signed text = "blackthorn closure v1\\n" ‖ exit ‖ "\\n" ‖ hash in hex ‖ "\\n"
    hash        = SHA-256 of the statement alone, in the same form of JSON

It names nobody: persons are salted leaf hashes, mails are bytes sealed to their owner and wrapped
under the destroyed key. The ledger has its hash in the two custodians' decision to close.
"""

import base64
import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

from blackthorn.crypto.secret import Secret
from blackthorn.governance import exits
from blackthorn.governance.package.build import sign_text
from blackthorn.governance.package.layout import document

FORMAT: Final = "blackthorn-closure-1"
COUNTS: Final = exits.PERSONS

TRIED: Final = "no key that is left opens it"


@dataclass(frozen=True, slots=True)
class ClosureStatement:
    """Fingerprints, root and leaves have 32 bytes each; times are Unix ms.

    `tried` maps markets to the fingerprints of remaining keys, none of which opened any of the
    wrapped `samples`. `register` is the vkey of the signing key.
    """

    exit: str
    market: str
    counts: dict[str, int]
    root: bytes
    leaves: tuple[bytes, ...] = field(repr=False)
    mails: int
    parcels: int
    key: bytes
    prepared_ms: int
    destroyed_ms: int
    backups_end_ms: int
    tried: dict[str, bytes]
    samples: tuple[bytes, ...] = field(repr=False)
    register: str

    def as_json(self) -> dict[str, Any]:
        """The document without its signature."""
        return {
            "format": FORMAT,
            "exit": self.exit,
            "market": self.market,
            "persons": {name: self.counts[name] for name in COUNTS},
            "receipts": {
                "root": self.root.hex(),
                "size": len(self.leaves),
                "leaves": [leaf.hex() for leaf in self.leaves],
            },
            "deleted": {"mails": self.mails, "parcels": self.parcels},
            "destroyed_keys": [
                {
                    "market": self.market,
                    "fingerprint": self.key.hex(),
                    "destroyed_ms": self.destroyed_ms,
                }
            ],
            "prepared_ms": self.prepared_ms,
            "backups_end_ms": self.backups_end_ms,
            "tried_keys": {market: key.hex() for market, key in self.tried.items()},
            "samples": [_sample(sample) for sample in self.samples],
            "register": self.register,
        }

    @property
    def encoded(self) -> bytes:
        """The hashed form."""
        return document(self.as_json())

    @property
    def hash(self) -> bytes:
        """32 bytes: `statement` of the decision `close`."""
        return statement_hash(self.encoded)

    def destroy_fields(self) -> dict[str, int | bytes]:
        """The required fields of `destroy`."""
        return {"receipts": self.root, "key": self.key, **self.counts}

    def close_fields(self) -> dict[str, int | bytes]:
        """The required fields of `close`."""
        return {
            "mails": self.mails,
            "parcels": self.parcels,
            "key": self.key,
            "samples": len(self.samples),
            "opened": 0,
            "statement": self.hash,
        }


def statement_hash(encoded: bytes) -> bytes:
    return hashlib.sha256(encoded).digest()


def _sample(wrapped: bytes) -> dict[str, Any]:
    return {
        "wrapped": base64.b64encode(wrapped).decode(),
        "sha256": hashlib.sha256(wrapped).hexdigest(),
        "opened": 0,
        "result": TRIED,
    }


def signed_text(exit_id: str, stated: bytes) -> str:
    """The signed text; `stated` is the statement's hash."""
    return f"blackthorn closure v1\n{exit_id}\n{stated.hex()}\n"


def sign(origin: str, seed: Secret, exit_id: str, stated: bytes) -> str:
    """The register's note; `seed` has 32 bytes, `origin` is the log's."""
    return sign_text(origin, seed, signed_text(exit_id, stated)).decode()


def published(statement: ClosureStatement, signature: str) -> bytes:
    """The published file."""
    return document({"statement": statement.as_json(), "signature": signature})
