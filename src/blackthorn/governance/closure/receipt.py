"""A user's receipt of a closure: their leaf in the tree of receipts, and its proof.

    who    = SHA-256("blackthorn-closure-person-v1\\0" ‖ salt[32] ‖ address)
    public = CBOR {exit, who, notified, read, exported, moved, forwarded, mails, parcels}
    leaf   = SHA-256(0x00 ‖ public)                              RFC 9162, 2.1
    receipt = CBOR {v, address, salt, market, place, size, proof, …the public part}

Only leaf hashes are published. Finding a person needs the salt, which only they receive.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from blackthorn.directory.fields import decode_map, encode_map
from blackthorn.errors import VerificationError
from blackthorn.governance.values import COUNT, COUNTRY, FLAG, HASH, check_fields, text
from blackthorn.ids import Address
from blackthorn.link import limits
from blackthorn.tlog.merkle import MerkleLog, leaf_hash
from blackthorn.tlog.merkle_proofs import verify_inclusion

VERSION: Final = 1
SALT_BYTES: Final = 32
FLAGS: Final = ("notified", "read", "exported", "moved", "forwarded")
_DOMAIN: Final = b"blackthorn-closure-person-v1\0"

_FIELDS: Final = {
    "exit": text(16),
    "market": COUNTRY,
    "address": text(254),
    "salt": HASH,
    **dict.fromkeys(FLAGS, FLAG),
    "mails": COUNT,
    "parcels": COUNT,
}


@dataclass(frozen=True, slots=True)
class Receipt:
    """`salt` has 32 bytes; `mails` and `parcels` count what will be deleted."""

    exit: str
    market: str
    address: Address
    salt: bytes
    notified: bool
    read: bool
    exported: bool
    moved: bool
    forwarded: bool
    mails: int
    parcels: int

    @property
    def who(self) -> bytes:
        """32 bytes that only a holder of the salt can compare with an address."""
        return hashlib.sha256(_DOMAIN + self.salt + self.address.encode()).digest()

    @property
    def public(self) -> bytes:
        """The part in the tree."""
        flags = {name: int(getattr(self, name)) for name in FLAGS}
        counts = {"mails": self.mails, "parcels": self.parcels}
        return encode_map({"exit": self.exit, "who": self.who, **flags, **counts})

    @property
    def leaf(self) -> bytes:
        return leaf_hash(self.public)

    def encode(self) -> bytes:
        """What the server stores: address and salt, flags and counts."""
        fields: dict[str, Any] = {name: getattr(self, name) for name in _FIELDS}
        return encode_map(fields | {name: int(fields[name]) for name in FLAGS})


@dataclass(frozen=True, slots=True)
class ProvenReceipt:
    """A person's receipt with its proof in a tree of `size` leaves."""

    receipt: Receipt
    place: int
    size: int
    proof: tuple[bytes, ...]

    def encode(self) -> bytes:
        """At most limits.MAX_RECEIPT_BYTES."""
        return encode_map(
            {
                "v": VERSION,
                "receipt": self.receipt.encode(),
                "place": self.place,
                "size": self.size,
                "proof": list(self.proof),
            }
        )

    def check(self, root: bytes) -> None:
        """Raises C17 unless the receipt is in the tree of that root."""
        try:
            verify_inclusion(self.receipt.leaf, self.place, self.size, self.proof, root)
        except VerificationError as error:
            raise VerificationError("C17", f"the receipt is not in the tree: {error}") from None


def decode_receipt(data: bytes) -> Receipt:
    """Raises C15."""
    fields = decode_map(data, "C15", "a receipt", limits.MAX_RECEIPT_BYTES)
    try:
        check_fields(fields, _FIELDS, "a receipt")
    except VerificationError as error:
        raise VerificationError("C15", str(error)) from None
    receipt = Receipt(**(fields | {name: fields[name] == 1 for name in FLAGS}))
    if receipt.encode() != data:
        raise VerificationError("C15", "a receipt's encoding is not canonical")
    return receipt


def decode_placed(data: bytes) -> ProvenReceipt:
    """Raises C15."""
    fields = decode_map(data, "C15", "a receipt", limits.MAX_RECEIPT_BYTES)
    match fields:
        case {
            "v": 1,
            "receipt": bytes(inner),
            "place": int(place),
            "size": int(size),
            "proof": list(proof),
        } if len(fields) == 5 and all(type(sibling) is bytes for sibling in proof):
            return ProvenReceipt(decode_receipt(inner), place, size, tuple(proof))
    raise VerificationError("C15", "a receipt has wrong fields")


def tree_of(leaves: Sequence[bytes]) -> MerkleLog:
    """The tree of 32-byte leaf hashes."""
    return MerkleLog.from_leaf_hashes(b"".join(leaves))


def place_in(receipt: Receipt, place: int, tree: MerkleLog) -> ProvenReceipt:
    """The receipt with its proof."""
    return ProvenReceipt(receipt, place, tree.size, tuple(tree.inclusion_proof(place)))
