"""One epoch of a group as one member stores it, and the stored part of a past epoch."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

from blackthorn.crypto.secret import Secret
from blackthorn.mls.credential import Credential, read_credential
from blackthorn.mls.errors import GroupState
from blackthorn.mls.framing.group_context import GroupContext
from blackthorn.mls.schedule.key_schedule import EpochSecrets
from blackthorn.mls.schedule.secret_tree import SecretTree
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.leaf_node import LeafNode
from blackthorn.mls.tree.ratchet_tree import RatchetTree
from blackthorn.wire.tls import Reader, opaque, u16, u32, vector


@dataclass(frozen=True)
class Member:
    """A member: leaf index, credential, signature key."""

    index: int
    credential: Credential
    signature_key: bytes

    @classmethod
    def of(cls, index: int, leaf: LeafNode) -> "Member":
        return cls(index, leaf.credential, leaf.signature_key)

    def encode(self) -> bytes:
        """The stored form."""
        return u32(self.index) + self.credential.encode() + opaque(self.signature_key)


def read_member(reader: Reader) -> Member:
    return Member(reader.u32(), read_credential(reader), reader.opaque())


def _encode_suite(suite: CipherSuite) -> bytes:
    return u16(suite.number) + opaque(suite.parameters.encode())


@dataclass(frozen=True)
class Epoch:
    """An epoch, immutable except `secret_tree`, whose keys are consumed."""

    suite: CipherSuite
    context: GroupContext
    tree: RatchetTree
    secrets: EpochSecrets
    interim_transcript_hash: bytes
    confirmation_tag: bytes
    own_index: int
    private_keys: Mapping[int, Secret]
    """By node index."""
    secret_tree: SecretTree

    @property
    def encoded(self) -> bytes:
        """The stored form of everything but `secret_tree`."""
        suite, rest = self.parts
        return suite + self.tree.encode() + rest

    @cached_property
    def parts(self) -> tuple[bytes, bytes]:
        """What of `encoded` stands before and after the tree: it never changes."""
        secrets = (getattr(self.secrets, secret.name) for secret in fields(EpochSecrets))
        keys = self.private_keys
        rest = (
            vector(opaque(secret.expose()) for secret in secrets),
            opaque(self.interim_transcript_hash),
            opaque(self.confirmation_tag),
            u32(self.own_index),
            vector(u32(node) + opaque(keys[node].expose()) for node in sorted(keys)),
        )
        return _encode_suite(self.suite) + self.context.encoded, b"".join(rest)

    @cached_property
    def roster(self) -> Mapping[int, Member]:
        """All members by leaf index."""
        return {index: Member.of(index, leaf) for index, leaf in self.tree.members()}

    def member(self, index: int) -> Member | None:
        """None for a blank leaf."""
        leaf = self.tree.leaf(index)
        return None if leaf is None else Member.of(index, leaf)

    @property
    def sender_data(self) -> Secret:
        return self.secrets.sender_data

    def own_leaf(self) -> LeafNode:
        """Raises `GroupState` when this member's leaf is blank."""
        leaf = self.tree.leaf(self.own_index)
        if leaf is None:
            raise GroupState("this member has no leaf in the tree")
        return leaf

    def own_member(self) -> Member:
        return Member.of(self.own_index, self.own_leaf())

    def past(self) -> "PastEpoch":
        """The part to keep when the next epoch begins."""
        return PastEpoch(
            self.suite,
            self.context,
            self.secrets.sender_data,
            self.secrets.resumption_psk,
            self.own_index,
            self.roster,
            self.secret_tree.applications_only(self.roster, self.own_index),
        )

    def closed(self) -> "Epoch":
        """The epoch of this member's removal: it can only read late messages."""
        secrets = self.secrets
        nothing = dict.fromkeys((secret.name for secret in fields(EpochSecrets)), Secret(b""))
        kept = replace(
            secrets,
            **nothing
            | {
                "sender_data": secrets.sender_data,
                "resumption_psk": secrets.resumption_psk,
                "epoch_authenticator": secrets.epoch_authenticator,
            },
        )
        tree = self.secret_tree.applications_only(self.roster, self.own_index)
        return replace(self, secrets=kept, private_keys={}, secret_tree=tree)


@dataclass(frozen=True)
class PastEpoch:
    """The keys for late application messages and the resumption PSK."""

    suite: CipherSuite
    context: GroupContext
    sender_data: Secret
    resumption_psk: Secret
    own_index: int
    roster: Mapping[int, Member]
    secret_tree: SecretTree

    @cached_property
    def encoded(self) -> bytes:
        """The stored form of everything but `secret_tree`: it never changes."""
        return self.head + vector(member.encode() for member in self.roster.values())

    @property
    def head(self) -> bytes:
        """What of `encoded` stands before the roster."""
        return b"".join(
            (
                _encode_suite(self.suite),
                self.context.encoded,
                opaque(self.sender_data.expose()),
                opaque(self.resumption_psk.expose()),
                u32(self.own_index),
            )
        )

    def member(self, index: int) -> Member | None:
        return self.roster.get(index)
