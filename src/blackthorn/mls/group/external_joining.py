"""Joins a group by an external Commit (RFC 9420, 12.4.3.2)."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import NEW_MEMBER_COMMIT, PUBLIC_MESSAGE
from blackthorn.mls.credential import CredentialValidator
from blackthorn.mls.epoch import next_epoch
from blackthorn.mls.epoch.epoch import Epoch
from blackthorn.mls.epoch.external_commit import new_init_secret
from blackthorn.mls.epoch.group_info import check_group, external_pub, tree_of
from blackthorn.mls.epoch.next_epoch import EpochBase
from blackthorn.mls.epoch.proposal_list import AppliedProposals
from blackthorn.mls.errors import GroupState
from blackthorn.mls.framing import framing, protection
from blackthorn.mls.framing.proposals import Commit, PreSharedKey, Proposal, Remove
from blackthorn.mls.framing.welcome_types import GroupInfo
from blackthorn.mls.schedule import transcript
from blackthorn.mls.schedule.psk import KnownPsks, PskId
from blackthorn.mls.suites import suite
from blackthorn.mls.tree import leaf_validation, treekem
from blackthorn.mls.tree.leaf_node import LeafNode
from blackthorn.mls.tree.ratchet_tree import RatchetTree


@dataclass(frozen=True)
class Joiner:
    """An unsigned leaf with source key_package, and the key that will sign it."""

    leaf: LeafNode
    signature_private: Secret
    resync: bool
    """Whether to remove the client's old leaf."""


def join_externally(
    info: GroupInfo,
    joiner: Joiner,
    *,
    random: Callable[[int], bytes],
    validate: CredentialValidator,
    ratchet_tree: bytes | None,
    psk_ids: Sequence[PskId],
    known_psks: KnownPsks,
    authenticated_data: bytes,
) -> tuple[Epoch, bytes]:
    """The joiner's first epoch, and their Commit as an MLSMessage. Raises `MLSError`."""
    chosen = suite(info.context.cipher_suite)
    tree = tree_of(info, ratchet_tree)
    check_group(chosen, info, tree, validate)
    init_proposal, init = new_init_secret(chosen, external_pub(info))
    proposals: list[Proposal] = [init_proposal]
    if joiner.resync:
        old = own_old_leaf(tree, joiner.leaf)
        proposals.append(Remove(old))
        tree.remove_leaf(old)
    proposals += [PreSharedKey(psk_id) for psk_id in psk_ids]
    psks = [(psk_id, known_psks.require(psk_id)) for psk_id in psk_ids]
    index = tree.add_leaf(joiner.leaf)
    leaf_validation.check_leaf_alone(chosen, joiner.leaf)
    leaf_validation.check_leaf_for_group(joiner.leaf, info.context.extensions)
    leaf_validation.check_leaves_together([leaf for _, leaf in tree.members()])
    interim = transcript.interim_transcript_hash(
        chosen, info.context.confirmed_transcript_hash, info.confirmation_tag
    )
    base = EpochBase(chosen, info.context, interim, init)
    applied = AppliedProposals(
        tree, info.context.extensions, {}, [], [], list(psk_ids), needs_path=True
    )
    private = joiner.signature_private
    path = treekem.create_path(chosen, tree, index, info.context.group_id, private, random)
    provisional = next_epoch.provisional_context(base, applied)
    sealed = treekem.seal_path(chosen, tree, path, provisional.encoded, ())
    signed = _sign(base, Commit(tuple(proposals), sealed), authenticated_data, private)
    derived = next_epoch.derive(base, provisional, path.commit_secret, psks, signed)
    epoch = next_epoch.begin(
        chosen, derived.context, tree, derived.secrets, index, path.private_keys
    )
    commit = replace(signed, confirmation_tag=epoch.confirmation_tag)
    return epoch, framing.encode_message(framing.PublicMessage(commit, None))


def own_old_leaf(tree: RatchetTree, leaf: LeafNode) -> int:
    """The leaf of the same signature key, or else credential. Raises `GroupState`."""
    members = list(tree.members())
    same = [index for index, other in members if other.signature_key == leaf.signature_key]
    same += [index for index, other in members if other.credential == leaf.credential]
    if not same:
        raise GroupState("there is no old leaf of this client to remove")
    return same[0]


def _sign(
    base: EpochBase, commit: Commit, authenticated_data: bytes, private: Secret
) -> framing.AuthenticatedContent:
    context = base.context
    content = framing.FramedContent(
        context.group_id,
        context.epoch,
        framing.Sender(NEW_MEMBER_COMMIT),
        authenticated_data,
        commit,
    )
    signature = protection.sign(base.suite, PUBLIC_MESSAGE, content, context.encoded, private)
    return framing.AuthenticatedContent(PUBLIC_MESSAGE, content, signature)
