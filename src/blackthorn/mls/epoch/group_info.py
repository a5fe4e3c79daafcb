"""GroupInfo (RFC 9420, 12.4.3): makes and verifies the description of an epoch for joiners."""

from collections.abc import Callable
from dataclasses import dataclass

from blackthorn.crypto.secret import Secret
from blackthorn.mls import limits
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import EXTERNAL_PUB, RATCHET_TREE
from blackthorn.mls.credential import CredentialValidator, check_credential
from blackthorn.mls.epoch.epoch import Epoch, Member
from blackthorn.mls.errors import InvalidWelcome, TooLarge
from blackthorn.mls.extension import Extension, Extensions, external_senders, find
from blackthorn.mls.framing.framing import encode_message, read_message
from blackthorn.mls.framing.welcome_types import GroupInfo
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.key_schedule import (
    EpochSecrets,
    external_public_key,
    label_secret,
)
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.ratchet_tree import RatchetTree, read_ratchet_tree
from blackthorn.mls.tree.tree_hash import root_hash
from blackthorn.mls.tree.tree_validation import check_tree, check_tree_members
from blackthorn.wire.tls import Reader, opaque


def external_pub_extension(public: bytes) -> Extension:
    """The key for external joins; the extension's data is an `opaque<V>` of its own."""
    return Extension(EXTERNAL_PUB, opaque(public))


def external_pub(info: GroupInfo) -> bytes:
    """The key for external joins. Raises `InvalidWelcome`, `MalformedMessage`."""
    data = find(info.extensions, EXTERNAL_PUB)
    if data is None:
        raise InvalidWelcome("the group info allows no external joins", Rule.EXTERNAL_PUB_GIVEN)
    return decode(Reader.opaque, data, "external_pub")


def make_group_info(
    epoch: Epoch, signature_private: Secret, *, with_tree: bool, with_external_pub: bool
) -> bytes:
    """This epoch's GroupInfo as an MLSMessage, signed by this member."""
    extensions: Extensions = ()
    if with_tree:
        extensions += (Extension(RATCHET_TREE, epoch.tree.encode()),)
    if with_external_pub:
        public = external_public_key(epoch.suite, epoch.secrets)
        extensions += (external_pub_extension(public),)
    info = GroupInfo(epoch.context, extensions, epoch.confirmation_tag, epoch.own_index)
    return encode_message(info.sign(epoch.suite, signature_private))


def read_group_info_message(message: bytes) -> GroupInfo:
    """The unverified GroupInfo. Raises `MalformedMessage`, `InvalidWelcome`, `TooLarge`."""
    if len(message) > limits.MLS_MAX_MESSAGE_BYTES:
        raise TooLarge("the group info is too large")
    info = decode(read_message, message, "group info")
    if not isinstance(info, GroupInfo):
        raise InvalidWelcome("the message is not a group info", Rule.MESSAGE_KIND)
    return info


@dataclass(frozen=True)
class UnverifiedGroup:
    """What a new member knows of a group before it has the tree; only the tree verifies it."""

    suite: CipherSuite
    info: GroupInfo
    secrets: EpochSecrets

    def label_secret(self, label: str) -> Secret:
        """As that of a group."""
        return Secret(label_secret(self.suite, self.secrets, label.encode()))


OutsideTree = bytes | Callable[[UnverifiedGroup], bytes] | None
"""A ratchet tree, or what finds it."""


def tree_of(info: GroupInfo, outside: bytes | None) -> RatchetTree:
    """The unverified ratchet tree: the GroupInfo's extension, or else `outside`."""
    data = find(info.extensions, RATCHET_TREE)
    data = outside if data is None else data
    if data is None:
        raise InvalidWelcome(
            "the ratchet tree is missing: no extension, no argument", Rule.TREE_GIVEN
        )
    return decode(read_ratchet_tree, data, "ratchet tree")


def check_group(
    suite: CipherSuite, info: GroupInfo, tree: RatchetTree, validate: CredentialValidator
) -> Member:
    """12.4.3.1: check signature, tree hash, tree and members; the signer. Raises `MLSError`."""
    signer = tree.leaf(info.signer)
    if signer is None:
        raise InvalidWelcome("the group info's signer is not in the tree", Rule.GROUP_INFO_SIGNER)
    info.verify(suite, signer.signature_key)
    if root_hash(suite, tree) != info.context.tree_hash:
        raise InvalidWelcome("the ratchet tree is not the group's", Rule.TREE_HASH)
    check_tree(suite, tree, info.context.group_id)
    check_tree_members(suite, tree, info.context.extensions, validate)
    for sender in external_senders(info.context.extensions):  # 5.3.1
        check_credential(validate, sender.credential, sender.signature_key)
    return Member.of(info.signer, signer)
