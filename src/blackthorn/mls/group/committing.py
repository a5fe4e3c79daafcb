"""Makes a Commit and its Welcome (RFC 9420, 12.4.1 and 12.4.3.1). Changes no state."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import MEMBER, PRIVATE_MESSAGE, RATCHET_TREE
from blackthorn.mls.credential import CredentialValidator
from blackthorn.mls.epoch import next_epoch, proposal_list
from blackthorn.mls.epoch.epoch import Epoch, Member
from blackthorn.mls.epoch.next_epoch import DerivedEpoch
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import MLSError
from blackthorn.mls.extension import Extension, Extensions
from blackthorn.mls.framing import framing, protection
from blackthorn.mls.framing.key_package import VerifiedKeyPackage
from blackthorn.mls.framing.proposals import (
    Add,
    Commit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
)
from blackthorn.mls.framing.welcome_types import GroupInfo, GroupSecrets, Welcome
from blackthorn.mls.group.state import State
from blackthorn.mls.schedule import key_schedule
from blackthorn.mls.schedule.psk import KnownPsks, PskId, ResumptionPskId
from blackthorn.mls.tree import treekem
from blackthorn.mls.tree.leaf_node import LeafNode
from blackthorn.mls.tree.treekem import NewPath
from blackthorn.mls.tree.treemath import common_ancestor


@dataclass(frozen=True)
class CommitRequest:
    """Proposals to send by value, besides the queued ones."""

    add: Sequence[VerifiedKeyPackage] = ()
    remove: Sequence[int] = ()
    psks: Sequence[PskId] = ()
    follows: ResumptionPskId | None = None
    """The PSK that links a new group to an older one (11.2, 11.3)."""
    extensions: Extensions | None = None
    reinit: ReInit | None = None
    authenticated_data: bytes = b""
    tree_in_welcome: bool = True
    tree_apart: Callable[[bytes], Extension] | None = None
    """Takes the new tree, encoded, and gives what stands in the GroupInfo instead of it."""
    path: bool = True
    """False: without a path, if the proposals need none (12.4)."""


@dataclass(frozen=True)
class NewCommit:
    """A Commit to encrypt, its Welcome (an MLSMessage), and the staged next epoch."""

    commit: framing.AuthenticatedContent
    welcome: bytes | None
    staged: StagedCommit


def make_commit(
    state: State,
    request: CommitRequest,
    *,
    random: Callable[[int], bytes],
    now: int,
    validate: CredentialValidator,
    known_psks: KnownPsks,
    max_lifetime: int | None = None,
) -> NewCommit:
    """Raises `MLSError`."""
    epoch, suite = state.epoch, state.epoch.suite
    proposals = proposal_list.ProposalList(
        epoch, epoch.own_index, now, validate, max_lifetime, request.follows
    )
    chosen, applied = _choose(state, request, proposals, known_psks)
    psks = [(psk_id, state.psk(psk_id, known_psks)) for psk_id in applied.psks]
    group_id, private = epoch.context.group_id, state.signature_private
    path = None
    if request.path or applied.needs_path:
        path = treekem.create_path(suite, applied.tree, epoch.own_index, group_id, private, random)
    base = next_epoch.EpochBase.of(epoch)
    provisional = next_epoch.provisional_context(base, applied)
    sealed, commit_secret = None, next_epoch.no_commit_secret(suite)
    keys = next_epoch.surviving_keys(epoch.tree, applied.tree, epoch.private_keys)
    if path is not None:
        context, added = provisional.encoded, applied.added
        sealed = treekem.seal_path(suite, applied.tree, path, context, added)
        commit_secret = path.commit_secret
        keys |= path.private_keys
    names = tuple(proposal.reference or proposal.proposal for proposal in chosen)
    commit = sign_content(epoch, Commit(names, sealed), request.authenticated_data, private)
    derived = next_epoch.derive(base, provisional, commit_secret, psks, commit)
    new = next_epoch.begin(
        suite, derived.context, applied.tree, derived.secrets, epoch.own_index, keys
    )
    return NewCommit(
        replace(commit, confirmation_tag=new.confirmation_tag),
        _welcome(state, request, applied, path, derived, new),
        describe(epoch, epoch.own_member(), applied, new, None if sealed is None else sealed.leaf),
    )


def sign_content(
    epoch: Epoch, body: bytes | Proposal | Commit, authenticated_data: bytes, private: Secret
) -> framing.AuthenticatedContent:
    """Content of this member, signed for a PrivateMessage."""
    context, sender = epoch.context, framing.Sender(MEMBER, epoch.own_index)
    content = framing.FramedContent(
        context.group_id, context.epoch, sender, authenticated_data, body
    )
    signature = protection.sign(epoch.suite, PRIVATE_MESSAGE, content, context.encoded, private)
    return framing.AuthenticatedContent(PRIVATE_MESSAGE, content, signature)


def describe(
    epoch: Epoch,
    committer: Member,
    applied: proposal_list.AppliedProposals,
    new: Epoch | None,
    path_leaf: LeafNode | None,
    *,
    joins: bool = False,
) -> StagedCommit:
    """The staged Commit; `new` is None for a removed member, `path_leaf` without a path."""
    leaves = dict(applied.tree.members())
    added = [Member.of(index, leaves[index]) for index in applied.added]
    return StagedCommit(
        epoch=epoch.context.epoch + 1,
        committer=committer,
        added=[committer, *added] if joins else added,
        removed=applied.removed,
        updated=[Member.of(index, leaves[index]) for index in applied.updated],
        renewed=committer if path_leaf is None else Member.of(committer.index, path_leaf),
        removes_me=new is None,
        joins=joins,
        reinit=applied.reinit,
        base=epoch.interim_transcript_hash,
        next=new,
    )


def _choose(
    state: State, request: CommitRequest, empty: proposal_list.ProposalList, known_psks: KnownPsks
) -> tuple[list[proposal_list.QueuedProposal], proposal_list.AppliedProposals]:
    """The requested proposals, and the queued ones that fit with them."""
    own = list(_requested(state.epoch, request))

    def gather(
        waiting: Iterable[proposal_list.QueuedProposal],
    ) -> tuple[list[proposal_list.QueuedProposal], proposal_list.AppliedProposals]:
        proposals = empty.fresh()
        chosen = []
        for queued in proposal_list.in_order([*own, *waiting]):
            try:
                if isinstance(queued.proposal, PreSharedKey):
                    state.psk(queued.proposal.psk_id, known_psks)
                proposals.append(queued)
            except MLSError:
                if queued.reference is None:
                    raise
                continue
            chosen.append(queued)
        return chosen, proposals.apply()

    waiting = state.proposals.values()
    try:
        return gather(waiting)
    except MLSError:
        # A queued proposal makes the whole invalid: commit the request alone.
        return gather(())


def _requested(epoch: Epoch, request: CommitRequest) -> Iterable[proposal_list.QueuedProposal]:
    sender = framing.Sender(MEMBER, epoch.own_index)
    if request.extensions is not None:
        yield proposal_list.QueuedProposal(GroupContextExtensions(request.extensions), sender)
    for index in request.remove:
        yield proposal_list.QueuedProposal(Remove(index), sender)
    for verified in request.add:
        yield proposal_list.QueuedProposal(Add(verified.package), sender, verified=verified)
    for psk_id in request.psks:
        yield proposal_list.QueuedProposal(PreSharedKey(psk_id), sender)
    if request.follows is not None:
        yield proposal_list.QueuedProposal(PreSharedKey(request.follows), sender)
    if request.reinit is not None:
        yield proposal_list.QueuedProposal(request.reinit, sender)


def _welcome(
    state: State,
    request: CommitRequest,
    applied: proposal_list.AppliedProposals,
    path: NewPath | None,
    derived: DerivedEpoch,
    new: Epoch,
) -> bytes | None:
    """One Welcome for all that were added (12.4.3.1), as an MLSMessage."""
    if not applied.added:
        return None
    suite = new.suite
    extensions: Extensions = ()
    if request.tree_apart is not None:
        extensions = (request.tree_apart(applied.tree.encode()),)
    elif request.tree_in_welcome:
        extensions = (Extension(RATCHET_TREE, applied.tree.encode()),)
    group_info = GroupInfo(derived.context, extensions, new.confirmation_tag, new.own_index)
    signed = group_info.sign(suite, state.signature_private).encode()
    welcome_secret = key_schedule.welcome_secret(suite, derived.joiner, derived.psk)
    key, nonce = key_schedule.welcome_key_and_nonce(suite, welcome_secret)
    sealed_info = suite.aead.seal(key, nonce, signed, b"")
    seal = suite.sealer_with_label(b"Welcome", sealed_info)
    entries = []
    for index, package in applied.added.items():
        ancestor = common_ancestor(2 * new.own_index, 2 * index)
        path_secret = None if path is None else path.secrets[ancestor]
        secrets = GroupSecrets(derived.joiner, path_secret, tuple(applied.psks))
        entries.append((package.reference, seal(package.init_key, secrets.encode())))
    return framing.encode_message(Welcome(suite.number, tuple(entries), sealed_info))
