"""Making a Commit and its Welcome (RFC 9420, 12.4.1 and 12.4.3.1). Changes no state."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from blackthorn.crypto.secret import Secret
from blackthorn.mls import key_schedule, next_epoch, protection, transcript, treekem
from blackthorn.mls.codepoints import MEMBER, PRIVATE_MESSAGE, RATCHET_TREE
from blackthorn.mls.credential import CredentialValidator
from blackthorn.mls.epoch import Epoch, Member
from blackthorn.mls.errors import MLSError
from blackthorn.mls.extension import Extension, Extensions
from blackthorn.mls.framing import AuthenticatedContent, FramedContent, Sender, encode_message
from blackthorn.mls.key_package import VerifiedKeyPackage
from blackthorn.mls.next_epoch import Derived
from blackthorn.mls.proposal_list import Applied, ProposalList, Queued, in_order
from blackthorn.mls.proposals import (
    Add,
    Commit,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    Remove,
)
from blackthorn.mls.psk import ExternalPskId
from blackthorn.mls.staged import StagedCommit
from blackthorn.mls.state import State
from blackthorn.mls.treekem import NewPath
from blackthorn.mls.treemath import common_ancestor
from blackthorn.mls.welcome_types import GroupInfo, GroupSecrets, Welcome


@dataclass(frozen=True)
class Request:
    """What a Commit shall do by value, beside the proposals that wait."""

    add: Sequence[VerifiedKeyPackage] = ()
    remove: Sequence[int] = ()
    psk_ids: Sequence[bytes] = ()
    extensions: Extensions | None = None
    authenticated_data: bytes = b""
    tree_in_welcome: bool = True


@dataclass(frozen=True)
class Made:
    """A Commit, not yet sealed, its Welcome (an MLSMessage) and the epoch it leads to."""

    commit: AuthenticatedContent
    welcome: bytes | None
    staged: StagedCommit


def make_commit(
    state: State,
    request: Request,
    *,
    random: Callable[[int], bytes],
    now: int,
    validate: CredentialValidator,
    external_psks: Mapping[bytes, Secret],
) -> Made:
    """A Commit with a path. Raises `MLSError` when what is asked is not allowed."""
    epoch, suite = state.epoch, state.epoch.suite
    chosen, applied = _choose(state, request, random, now, validate, external_psks)
    psks = [(psk_id, state.psk(psk_id, external_psks)) for psk_id in applied.psks]
    path = treekem.create_path(
        suite,
        applied.tree,
        epoch.own_index,
        epoch.context.group_id,
        state.signature_private,
        random,
    )
    provisional = next_epoch.provisional_context(epoch, applied)
    sealed = treekem.seal_path(suite, applied.tree, path, provisional.encoded, applied.added)
    names = tuple(each.reference or each.proposal for each in chosen)
    commit = sign_content(
        epoch, Commit(names, sealed), request.authenticated_data, state.signature_private
    )
    derived = next_epoch.derive(epoch, provisional, path.commit_secret, psks, commit)
    new = _begin(epoch, applied, path, derived)
    return Made(
        replace(commit, confirmation_tag=new.confirmation_tag),
        _welcome(state, request, applied, path, derived, new),
        describe(epoch, epoch.own_index, applied, new),
    )


def _begin(epoch: Epoch, applied: Applied, path: NewPath, derived: Derived) -> Epoch:
    tag = transcript.confirmation_tag(
        epoch.suite,
        derived.secrets.confirmation_key.expose(),
        derived.context.confirmed_transcript_hash,
    )
    survivors = next_epoch.surviving_keys(epoch.tree, applied.tree, epoch.private_keys)
    return next_epoch.begin(
        epoch.suite,
        derived.context,
        applied.tree,
        derived.secrets,
        tag,
        epoch.own_index,
        survivors | path.private_keys,
    )


def sign_content(
    epoch: Epoch, body: bytes | Proposal | Commit, authenticated_data: bytes, private: Secret
) -> AuthenticatedContent:
    """Content of this member, signed for a PrivateMessage."""
    content = FramedContent(
        epoch.context.group_id,
        epoch.context.epoch,
        Sender(MEMBER, epoch.own_index),
        authenticated_data,
        body,
    )
    signature = protection.sign(
        epoch.suite, PRIVATE_MESSAGE, content, epoch.context.encoded, private
    )
    return AuthenticatedContent(PRIVATE_MESSAGE, content, signature)


def describe(epoch: Epoch, committer: int, applied: Applied, new: Epoch | None) -> StagedCommit:
    """The staged Commit for what was applied; `new` is None for a member that it removes."""
    leaves = dict(applied.tree.members())
    sender = epoch.member(committer)
    if sender is None:
        raise ValueError("the committer is not a member")
    return StagedCommit(
        epoch=epoch.context.epoch + 1,
        committer=sender,
        added=[Member.of(index, leaves[index]) for index in applied.added],
        removed=applied.removed,
        updated=[Member.of(index, leaves[index]) for index in applied.updated],
        removes_me=new is None,
        base=epoch.interim_transcript_hash,
        next=new,
    )


# --- Which proposals ----------------------------------------------------------------------


def _choose(
    state: State,
    request: Request,
    random: Callable[[int], bytes],
    now: int,
    validate: CredentialValidator,
    external_psks: Mapping[bytes, Secret],
) -> tuple[list[Queued], Applied]:
    """The request's proposals, and of those that wait as many as can stand with them."""
    own = list(_requested(state.epoch, request, random))

    def gather(waiting: Iterable[Queued]) -> tuple[list[Queued], Applied]:
        proposals = ProposalList(state.epoch, state.epoch.own_index, now, validate)
        chosen = []
        for each in in_order([*own, *waiting]):
            try:
                if isinstance(each.proposal, PreSharedKey):
                    state.psk(each.proposal.psk_id, external_psks)
                proposals.append(each)
            except MLSError:
                if each.reference is None:
                    raise
                continue
            chosen.append(each)
        return chosen, proposals.apply()

    waiting = state.proposals.values()
    try:
        return gather(waiting)
    except MLSError:
        # One that waits spoils the whole: go on with what was asked for alone.
        return gather(())


def _requested(epoch: Epoch, request: Request, random: Callable[[int], bytes]) -> Iterable[Queued]:
    sender = Sender(MEMBER, epoch.own_index)
    if request.extensions is not None:
        yield Queued(GroupContextExtensions(request.extensions), sender)
    for index in request.remove:
        yield Queued(Remove(index), sender)
    for verified in request.add:
        yield Queued(Add(verified.package), sender, verified=verified)
    for psk_id in request.psk_ids:
        nonce = random(epoch.suite.hash_size)
        yield Queued(PreSharedKey(ExternalPskId(psk_id, nonce)), sender)


# --- The Welcome --------------------------------------------------------------------------


def _welcome(
    state: State,
    request: Request,
    applied: Applied,
    path: NewPath,
    derived: Derived,
    new: Epoch,
) -> bytes | None:
    """One Welcome for all that were added (12.4.3.1), as an MLSMessage."""
    if not applied.added:
        return None
    suite = new.suite
    extensions: Extensions = ()
    if request.tree_in_welcome:
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
        secrets = GroupSecrets(derived.joiner, path.secrets[ancestor], tuple(applied.psks))
        entries.append((package.reference, seal(package.init_key, secrets.encode())))
    return encode_message(Welcome(suite.number, tuple(entries), sealed_info))
