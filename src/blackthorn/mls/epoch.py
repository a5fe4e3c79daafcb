"""One epoch of a group as one member holds it, and what is kept of it when it is past."""

from collections.abc import Mapping
from dataclasses import dataclass

from blackthorn.crypto.secret import Secret
from blackthorn.mls.credential import Credential
from blackthorn.mls.errors import GroupState
from blackthorn.mls.group_context import GroupContext
from blackthorn.mls.key_schedule import EpochSecrets
from blackthorn.mls.leaf_node import LeafNode
from blackthorn.mls.ratchet_tree import RatchetTree
from blackthorn.mls.secret_tree import SecretTree
from blackthorn.mls.suites import CipherSuite


@dataclass(frozen=True)
class Member:
    """A member: its leaf index, who it says it is, and the key it signs with."""

    index: int
    credential: Credential
    signature_key: bytes

    @classmethod
    def of(cls, index: int, leaf: LeafNode) -> "Member":
        """The member at a leaf."""
        return cls(index, leaf.credential, leaf.signature_key)


@dataclass(frozen=True)
class Epoch:
    """An epoch. Only `secret_tree` changes, as messages use its keys up."""

    suite: CipherSuite
    context: GroupContext
    tree: RatchetTree
    secrets: EpochSecrets
    interim_transcript_hash: bytes
    confirmation_tag: bytes
    own_index: int
    private_keys: Mapping[int, Secret]
    """Private keys that this member knows, by node index."""
    secret_tree: SecretTree

    def member(self, index: int) -> Member | None:
        """The member at a leaf index, None when blank."""
        leaf = self.tree.leaf(index)
        return None if leaf is None else Member.of(index, leaf)

    @property
    def sender_data(self) -> Secret:
        """The sender data secret."""
        return self.secrets.sender_data

    def own_leaf(self) -> LeafNode:
        """This member's leaf."""
        leaf = self.tree.leaf(self.own_index)
        if leaf is None:
            raise GroupState("this member has no leaf in the tree")
        return leaf

    def past(self) -> "PastEpoch":
        """What is kept when the next epoch begins."""
        roster = {index: Member.of(index, leaf) for index, leaf in self.tree.members()}
        return PastEpoch(
            self.suite,
            self.context,
            self.secrets.sender_data,
            self.secrets.resumption_psk,
            self.own_index,
            roster,
            self.secret_tree,
        )


@dataclass(frozen=True)
class PastEpoch:
    """What reading late application messages takes, and the resumption PSK; nothing else."""

    suite: CipherSuite
    context: GroupContext
    sender_data: Secret
    resumption_psk: Secret
    own_index: int
    roster: Mapping[int, Member]
    secret_tree: SecretTree

    def member(self, index: int) -> Member | None:
        """Who was at a leaf index."""
        return self.roster.get(index)
