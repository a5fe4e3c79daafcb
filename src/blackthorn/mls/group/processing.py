"""Processes messages of the group (RFC 9420, 6.3, 12.4.2) without changing its state."""

import hmac
from dataclasses import dataclass, replace

from blackthorn.crypto.secret import Secret
from blackthorn.mls import codepoints, errors, limits
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import MEMBER, SOURCE_COMMIT
from blackthorn.mls.credential import Credential, CredentialValidator, check_credential
from blackthorn.mls.epoch import next_epoch
from blackthorn.mls.epoch.epoch import Epoch, Member, PastEpoch
from blackthorn.mls.epoch.external_commit import apply_external, received_init_secret
from blackthorn.mls.epoch.policy import ExternalJoin, MemberCommit, Policy
from blackthorn.mls.epoch.proposal_list import (
    AppliedProposals,
    ProposalList,
    QueuedProposal,
    in_order,
)
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.framing import framing, protection
from blackthorn.mls.framing.proposals import Commit, ReInit
from blackthorn.mls.group.committing import describe
from blackthorn.mls.group.state import State
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.psk import KnownPsks
from blackthorn.mls.schedule.secret_tree import KeyUse
from blackthorn.mls.tree import leaf_validation, treekem
from blackthorn.mls.tree.leaf_node import LeafNode
from blackthorn.mls.tree.update_path import UpdatePath


@dataclass(frozen=True)
class ReceiveContext:
    """The application's inputs for a message: credentials, PSKs, policy."""

    validate: CredentialValidator
    known_psks: KnownPsks
    policy: Policy


@dataclass(frozen=True)
class VerifiedContent:
    """Content whose signature holds, and the member who signed it."""

    authenticated: framing.AuthenticatedContent
    sender: Member


def read_group_message(message: bytes) -> framing.PrivateMessage | framing.PublicMessage:
    """The message to a group. Raises `TooLarge`, `MalformedMessage`, `Unsupported`."""
    if len(message) > limits.MLS_MAX_MESSAGE_BYTES:
        raise errors.TooLarge("the message is too large")
    parsed = decode(framing.read_message, message, "message")
    if not isinstance(parsed, framing.PrivateMessage | framing.PublicMessage):
        raise errors.Unsupported("the message is not for a group", Rule.MESSAGE_KIND)
    return parsed


def is_proposal(message: bytes) -> bool:
    """Whether the plain header says that it is a proposal sent alone. Raises `MLSError`."""
    parsed = read_group_message(message)
    if isinstance(parsed, framing.PrivateMessage):
        return parsed.content_type == codepoints.PROPOSAL
    return not isinstance(parsed.authenticated.content.body, bytes | Commit)


def is_commit(message: bytes) -> bool:
    """Whether the plain header of a PrivateMessage says that it is a Commit. Raises `MLSError`."""
    parsed = read_group_message(message)
    return isinstance(parsed, framing.PrivateMessage) and parsed.content_type == codepoints.COMMIT


def read_private_message(message: bytes) -> framing.PrivateMessage:
    """The PrivateMessage in an MLSMessage. Raises `Unsupported` for any other."""
    parsed = read_group_message(message)
    if not isinstance(parsed, framing.PrivateMessage):
        raise errors.Unsupported("members send private messages only", Rule.PRIVATE_HANDSHAKES)
    return parsed


def open_private_message(
    state: State, message: framing.PrivateMessage
) -> tuple[VerifiedContent, KeyUse]:
    """The content of a PrivateMessage, its signature verified, and the key to consume."""
    epoch = _epoch_of(state, message.group_id, message.epoch, message.content_type)
    sender_data = protection.open_sender_data(epoch.suite, message, epoch.sender_data)
    if sender_data.leaf_index == epoch.own_index:
        raise errors.OwnMessage("this is a message of this member's own")
    sender = epoch.member(sender_data.leaf_index)
    if sender is None:
        raise errors.InvalidSignature("the sender is not in the group", Rule.SENDER_IS_MEMBER)
    authenticated, use = protection.open_content(
        epoch.suite, message, sender_data, epoch.secret_tree
    )
    return verify_content(epoch, authenticated), use


def claimed_author(state: State, message: bytes) -> Member | None:
    """The member whom the sender data of an application message names. Raises `MLSError`."""
    parsed = read_group_message(message)
    if not isinstance(parsed, framing.PrivateMessage):
        return None
    if parsed.content_type != codepoints.APPLICATION:
        return None
    epoch = _epoch_of(state, parsed.group_id, parsed.epoch, parsed.content_type)
    sender_data = protection.open_sender_data(epoch.suite, parsed, epoch.sender_data)
    return epoch.member(sender_data.leaf_index)


def check_present(state: State, message: framing.PublicMessage) -> None:
    """Require the present epoch (12.1, 12.4.2). Raises `UnknownGroup`, `WrongEpoch`."""
    content = message.authenticated.content
    _epoch_of(state, content.group_id, content.epoch, codepoints.COMMIT)


def _epoch_of(state: State, group_id: bytes, number: int, content_type: int) -> Epoch | PastEpoch:
    present = state.epoch.context
    if group_id != present.group_id:
        raise errors.UnknownGroup("the message is for another group", Rule.GROUP_ID)
    if number == present.epoch:
        return state.epoch
    if number > present.epoch:
        raise errors.FutureEpoch("the message is for an epoch not reached yet", Rule.EPOCH)
    if content_type == codepoints.APPLICATION:
        for past in state.past:
            if past.context.epoch == number:
                return past
    raise errors.WrongEpoch("the message is for an epoch that is past", Rule.EPOCH)


def verify_content(
    epoch: Epoch | PastEpoch, authenticated: framing.AuthenticatedContent
) -> VerifiedContent:
    """The content, when a member of the epoch signed it. Raises `InvalidSignature`."""
    content = authenticated.content
    sender = epoch.member(content.sender.index) if content.sender.type == MEMBER else None
    if sender is None:
        raise errors.InvalidSignature("the sender is not in the group", Rule.SENDER_IS_MEMBER)
    protection.verify(epoch.suite, authenticated, epoch.context.encoded, sender.signature_key)
    return VerifiedContent(authenticated, sender)


def queue_proposal(
    state: State, authenticated: framing.AuthenticatedContent, policy: Policy
) -> QueuedProposal:
    """A proposal that was sent alone. Raises `TooLarge`, `MalformedMessage`, or as the policy."""
    content = authenticated.content
    body = content.body
    if isinstance(body, bytes | Commit):
        raise errors.MalformedMessage("the content is not a proposal")
    if len(state.proposals) >= limits.MLS_MAX_PROPOSALS:
        raise errors.TooLarge("too many proposals wait for a Commit")
    if isinstance(body, ReInit):
        policy.reinitialise(body)
    reference = authenticated.proposal_reference(state.epoch.suite)
    return QueuedProposal(body, content.sender, reference)


def stage_commit(state: State, verified: VerifiedContent, terms: ReceiveContext) -> StagedCommit:
    """Everything of RFC 9420, 12.4.2, on copies. Raises `MLSError`."""
    epoch, authenticated = state.epoch, verified.authenticated
    commit, committer = authenticated.content.body, verified.sender.index
    if not isinstance(commit, Commit) or authenticated.confirmation_tag is None:
        raise errors.MalformedMessage("the content is not a Commit")
    if committer == epoch.own_index:
        raise errors.OwnMessage("this is a Commit of this member's own")
    validate, policy = terms.validate, terms.policy
    leaf = None if commit.path is None else commit.path.leaf
    policy.commit(MemberCommit(verified.sender, commit.proposals, leaf))
    proposals = ProposalList(epoch, committer, None, validate, policy.max_lifetime_seconds)
    for queued in in_order(_resolve(state, commit, authenticated)):
        proposals.append(queued)
    applied = proposals.apply()
    if commit.path is None and applied.needs_path:
        raise errors.InvalidCommit("the Commit has no path and needs one", Rule.PATH_REQUIRED)
    path_leaf = None if commit.path is None else commit.path.leaf
    if path_leaf is not None:
        replaced = verified.sender.credential
        _check_path_leaf(epoch, applied, committer, path_leaf, validate, replaced)
    if applied.reinit is not None:
        policy.reinitialise(applied.reinit)
    if _removes_me(epoch, applied):
        return describe(epoch, verified.sender, applied, None, path_leaf)
    arrival = ReceivedCommit(committer, commit.path, authenticated, next_epoch.EpochBase.of(epoch))
    try:
        new = _follow(state, applied, arrival, terms.known_psks)
    except errors.MLSError as error:
        error.cannot_follow = True
        raise
    staged = describe(epoch, verified.sender, applied, new, path_leaf)
    return replace(staged, authenticated_data=authenticated.content.authenticated_data)


def stage_external_commit(
    state: State, authenticated: framing.AuthenticatedContent, commit: Commit, terms: ReceiveContext
) -> StagedCommit:
    """The same for an external Commit (12.4.3.2) whose signature is verified."""
    epoch = state.epoch
    change, leaf = apply_external(epoch, commit)
    applied, joiner = change.applied, Member.of(change.index, leaf)
    _check_path_leaf(epoch, applied, change.index, leaf, terms.validate, None)
    terms.policy.join(ExternalJoin(joiner, change.replaced, applied.psks))
    if _removes_me(epoch, applied):
        return describe(epoch, joiner, applied, None, leaf, joins=True)
    init = received_init_secret(epoch, change.kem_output)
    base = replace(next_epoch.EpochBase.of(epoch), init=init)
    arrival = ReceivedCommit(change.index, commit.path, authenticated, base)
    new = _follow(state, applied, arrival, terms.known_psks)
    return describe(epoch, joiner, applied, new, leaf, joins=True)


def _removes_me(epoch: Epoch, applied: AppliedProposals) -> bool:
    return any(member.index == epoch.own_index for member in applied.removed)


def _resolve(
    state: State, commit: Commit, authenticated: framing.AuthenticatedContent
) -> list[QueuedProposal]:
    resolved = []
    for item in commit.proposals:
        if isinstance(item, bytes):
            found = state.proposals.get(item)
            if found is None:
                text = "the Commit names a proposal that was not received"
                raise errors.InvalidCommit(text, Rule.REFERENCE_KNOWN)
            resolved.append(found)
        else:
            resolved.append(QueuedProposal(item, authenticated.content.sender))
    return resolved


def _check_path_leaf(
    epoch: Epoch,
    applied: AppliedProposals,
    committer: int,
    leaf: LeafNode,
    validate: CredentialValidator,
    replaced: Credential | None,
) -> None:
    """12.4.2 and 7.3, for the committer's new leaf; `replaced` is a member's old credential."""
    if leaf.source != SOURCE_COMMIT:
        raise errors.InvalidCommit("the leaf of the path has another source", Rule.PATH_SOURCE)
    leaf_validation.check_leaf_alone(epoch.suite, leaf)
    leaf_validation.check_leaf_for_group(leaf, applied.extensions)
    leaf.verify(epoch.suite, epoch.context.group_id, committer)
    others = (other for index, other in applied.tree.members() if index != committer)
    leaf_validation.check_leaf_among(leaf, others)
    check_credential(validate, leaf.credential, leaf.signature_key, replaced)


@dataclass(frozen=True)
class ReceivedCommit:
    """A received Commit: its committer's leaf index, its path, and what it builds on."""

    committer: int
    path: UpdatePath | None
    authenticated: framing.AuthenticatedContent
    base: next_epoch.EpochBase


def _follow(
    state: State, applied: AppliedProposals, arrival: ReceivedCommit, known_psks: KnownPsks
) -> Epoch:
    """The next epoch, derived, with a confirmation tag that holds."""
    epoch, suite, tree = state.epoch, state.epoch.suite, applied.tree
    base, committer, path = arrival.base, arrival.committer, arrival.path
    psks = [(psk_id, state.psk(psk_id, known_psks)) for psk_id in applied.psks]
    keys = next_epoch.surviving_keys(epoch.tree, tree, epoch.private_keys)
    if epoch.own_index in applied.updated:
        keys[2 * epoch.own_index] = _updated_key(state, applied)
    commit_secret = next_epoch.no_commit_secret(suite)
    if path is None:
        provisional = next_epoch.provisional_context(base, applied)
    else:
        steps = treekem.apply_path(suite, tree, committer, path)
        provisional = next_epoch.provisional_context(base, applied)
        taken = treekem.open_path(
            suite, steps, path, epoch.own_index, keys, provisional.encoded, applied.added
        )
        commit_secret = taken.commit_secret
        for node in tree.direct_path(committer):
            keys.pop(node, None)
        keys |= taken.private_keys
    derived = next_epoch.derive(base, provisional, commit_secret, psks, arrival.authenticated)
    new = next_epoch.begin(suite, derived.context, tree, derived.secrets, epoch.own_index, keys)
    tag = arrival.authenticated.confirmation_tag
    if tag is None or not hmac.compare_digest(new.confirmation_tag, tag):
        raise errors.InvalidSignature("the confirmation tag does not hold", Rule.CONFIRMATION_TAG)
    return new


def _updated_key(state: State, applied: AppliedProposals) -> Secret:
    leaf = applied.tree.leaf(state.epoch.own_index)
    private = None if leaf is None else state.update_keys.get(leaf.encryption_key)
    if private is None:
        raise errors.InvalidCommit("the Commit updates this member to a key it does not have")
    return private
