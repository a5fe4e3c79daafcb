"""Void Commits: refused by every member alike, so that none of them stops a conversation's changes.

An authentic Commit is void if it breaks one of these rules of version 1, which stands in the
conversation's metadata; no device joins a conversation of another version.

(a) The extensions of the GroupContext do not change.
(b) A member's leaf stays that device's, with its key; the device id of a new leaf is made of its
    key.
(c) It adds and removes members, by proposals of its own.
(d) The members fit the conversation's kind.
(e) Its confirmation tag holds.

The first four are judged by its bytes, before anything follows from it, so that a device that it
removes judges alike. Whether the ledger lists a device is no such rule: that depends on the moment.

The server accepts one Commit for each handle and names its digest to those who come second. If that
Commit is void, the next one is ordered by the handle made of its digest, and so on. A void Commit
that the server did not name opens no handle. One that does not come, or fails without being void,
is given up after 72 hours if members say that nothing followed, and opens the same next handle; the
next Commit names it.
"""

import contextlib
from collections.abc import Iterator
from typing import Final

from blackthorn.device.conversations import limits
from blackthorn.device.core import history
from blackthorn.device.core.group_metadata import DIRECT, SELF
from blackthorn.device.core.members import identify
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.ids import Address, device_id
from blackthorn.mls import limits as mls_limits
from blackthorn.mls.codepoints import APPLICATION_EXTENSION
from blackthorn.mls.credential import Credential
from blackthorn.mls.epoch.policy import MemberCommit, Policy
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import InvalidCommit, InvalidLeaf, InvalidSignature, InvalidWelcome
from blackthorn.mls.framing.key_package import KeyPackage
from blackthorn.mls.framing.proposals import Add, Remove
from blackthorn.mls.group.group import Group
from blackthorn.mls.rules import Rule

_LOST: Final = b"lost"


class VoidCommitError(InvalidCommit):
    """An authentic Commit of a conversation that every member refuses."""

    def __init__(self, text: str, conversation: bytes, committer: Address) -> None:
        super().__init__(f"void: {text}")
        self.conversation = conversation
        self.committer = committer


class _RuleBrokenError(InvalidCommit):
    """What rule (a) to (d) a Commit breaks."""


@contextlib.contextmanager
def judging(
    unit: UnitOfWork, conversation: Conversation
) -> Iterator[tuple[Policy, list[KeyPackage]]]:
    """The policy by which a message is processed, and the key packages that a Commit uses.

    Raises VoidCommitError.
    """
    packages: list[KeyPackage] = []
    committers: list[Credential] = []

    def judge(commit: MemberCommit) -> None:
        committers.append(commit.committer.credential)
        packages.extend(one.package for one in commit.proposals if isinstance(one, Add))
        _judge(commit, _users(unit, conversation))

    try:
        yield Policy(commit=judge), packages
    except (_RuleBrokenError, InvalidSignature) as error:
        if isinstance(error, InvalidSignature) and error.rule is not Rule.CONFIRMATION_TAG:
            raise
        committer = identify(committers[0]).address
        raise VoidCommitError(str(error), conversation.record.id, committer) from error


def _users(unit: UnitOfWork, conversation: Conversation) -> set[str] | None:
    """Whose devices may be added; None: anybody's."""
    if conversation.record.kind == DIRECT:
        return {unit.me.address, conversation.record.name}
    return {unit.me.address} if conversation.record.kind == SELF else None


def _judge(commit: MemberCommit, users: set[str] | None) -> None:
    """Rules (a) to (d): extensions change by a proposal only."""
    for proposal in commit.proposals:
        if not isinstance(proposal, Add | Remove):
            raise _RuleBrokenError("it does not only add and remove members itself")
        if isinstance(proposal, Add):
            added = proposal.package.leaf
            _judge_new(added.credential, added.signature_key, users)
    leaf, committer = commit.leaf, commit.committer
    if leaf is not None:
        stays = (committer.credential, committer.signature_key)
        if (leaf.credential, leaf.signature_key) != stays:
            raise _RuleBrokenError("its committer's leaf becomes another device's")


def _judge_new(credential: Credential, key: bytes, users: set[str] | None) -> None:
    try:
        identity = identify(credential)
    except InvalidLeaf as error:
        raise _RuleBrokenError(str(error)) from error
    if device_id(key) != identity.device:
        raise _RuleBrokenError("the device id in a new leaf is not made of its key")
    if users is not None and identity.address not in users:
        raise _RuleBrokenError("it adds somebody to a conversation that is not a group")


def check_extensions(group: Group) -> None:
    """Refuse a joined group with what nobody is shown (a). Raises InvalidWelcome."""
    if [extension.type for extension in group.group_context_extensions] != [APPLICATION_EXTENSION]:
        raise InvalidWelcome("the group has other extensions than a conversation has")


def note(unit: UnitOfWork, error: VoidCommitError, digest: bytes) -> None:
    """Record a void Commit of the present epoch and say once whose it is."""
    conversation = unit.open(error.conversation)
    known, epoch = conversation.record.id, conversation.group.epoch
    orders = unit.records.commit_orders
    orders.forget_before(known, epoch - mls_limits.MLS_PAST_EPOCHS)
    orders.put_void(known, epoch, digest, limits.MAX_VOID_COMMITS)
    unit.bump()  # a Commit of this device may wait to learn whether this one is void
    if conversation.record.kind != SELF:  # which nobody is shown
        text = f"{error.committer} sent a change that nobody may make; it was refused"
        occasion = epoch.to_bytes(8, "big")
        history.add_event(unit, conversation.record, occasion, error.committer, text)


def accepted_first(unit: UnitOfWork, conversation: bytes, epoch: int, digest: bytes) -> bool:
    """The server accepted that Commit before this device's; whether it is void or given up.

    Otherwise it is merged when it comes, or this device has to wait for it.
    """
    orders = unit.records.commit_orders
    orders.put_winner(conversation, epoch, digest, unit.now_ms)
    return orders.is_passed(conversation, epoch, digest)


def give_up(unit: UnitOfWork, conversation: Conversation) -> None:
    """Members say that nothing followed: pass over a Commit that was accepted long ago.

    Nobody has it, or it fails without being void. Those who merged it meet another branch.
    """
    before_ms = unit.now_ms - limits.LOST_COMMIT_SECONDS * 1000
    orders, known = unit.records.commit_orders, conversation.record.id
    if orders.give_up(known, conversation.group.epoch, before_ms):
        unit.bump()


def lost_before(unit: UnitOfWork, conversation: Conversation) -> bytes:
    """What the next Commit says in its authenticated data: "lost" and which ones were given up."""
    orders, known = unit.records.commit_orders, conversation.record.id
    digests = orders.given_up(known, conversation.group.epoch, limits.MAX_LOST_COMMITS)
    return _LOST + b"".join(digests) if digests else b""


def went_on(unit: UnitOfWork, conversation: Conversation, staged: StagedCommit) -> None:
    """Say that the committer of a merged Commit has given up another one before it."""
    if staged.authenticated_data.startswith(_LOST) and conversation.record.kind != SELF:
        committer, occasion = identify(staged.committer.credential), staged.epoch.to_bytes(8, "big")
        text = f"{committer.address} went on without a change that nobody could read or give"
        history.add_event(unit, conversation.record, occasion, committer.address, text)


def context(unit: UnitOfWork, conversation: Conversation) -> bytes:
    """What the handle of the next Commit is made of, besides the epoch's keys.

    The digest of the last void or lost Commit that the server named; empty: none was.
    """
    return unit.records.commit_orders.passed(conversation.record.id, conversation.group.epoch)
