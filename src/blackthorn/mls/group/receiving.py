"""One MLSMessage to a group, from its bytes to its outcome. Changes no state."""

from dataclasses import dataclass, field, replace

from blackthorn.mls.codepoints import MEMBER, NEW_MEMBER_COMMIT
from blackthorn.mls.epoch.epoch import Member
from blackthorn.mls.epoch.policy import Outsider, Policy
from blackthorn.mls.epoch.proposal_list import QueuedProposal
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.framing.framing import AuthenticatedContent, PrivateMessage, PublicMessage
from blackthorn.mls.framing.proposals import Commit, Proposal
from blackthorn.mls.group import processing, public_messages
from blackthorn.mls.group.processing import ReceiveContext, VerifiedContent
from blackthorn.mls.group.state import State
from blackthorn.mls.schedule.secret_tree import KeyUse


@dataclass(frozen=True)
class Application:
    """A decrypted application message."""

    sender: Member
    content: bytes = field(repr=False)
    authenticated_data: bytes = field(repr=False)
    epoch: int


@dataclass(frozen=True)
class ProposalReceived:
    """A queued proposal."""

    sender: Member | Outsider
    proposal: Proposal
    reference: bytes


Outcome = Application | ProposalReceived | StagedCommit


@dataclass(frozen=True)
class ReceivedMessage:
    """An outcome, the key to consume, and the proposal to queue."""

    outcome: Outcome
    use: KeyUse | None = None
    queued: QueuedProposal | None = None


def receive(state: State, message: bytes, terms: ReceiveContext) -> ReceivedMessage:
    """Raises `MLSError`."""
    parsed = processing.read_group_message(message)
    if isinstance(parsed, PrivateMessage):
        return _private(state, parsed, terms)
    return _public(state, parsed, terms)


def _private(state: State, message: PrivateMessage, terms: ReceiveContext) -> ReceivedMessage:
    verified, use = processing.open_private_message(state, message)
    content = verified.authenticated.content
    if isinstance(content.body, bytes):
        read = Application(verified.sender, content.body, content.authenticated_data, content.epoch)
        return ReceivedMessage(read, use)
    state.require_open()
    if isinstance(content.body, Commit):  # its key stays until it is merged
        staged = processing.stage_commit(state, verified, terms)
        return ReceivedMessage(replace(staged, key=(verified.sender.index, use.generation)))
    return _queue(state, verified.authenticated, verified.sender, terms.policy, use)


def _public(state: State, message: PublicMessage, terms: ReceiveContext) -> ReceivedMessage:
    processing.check_present(state, message)
    state.require_open()
    sender_type = message.authenticated.content.sender.type
    if sender_type == NEW_MEMBER_COMMIT:
        signed, commit = public_messages.open_external_commit(state.epoch, message)
        return ReceivedMessage(processing.stage_external_commit(state, signed, commit, terms))
    if sender_type != MEMBER:
        signed, outsider = public_messages.open_external_proposal(
            state.epoch, message, terms.policy, terms.validate
        )
        return _queue(state, signed, outsider, terms.policy, None)
    signed, member = public_messages.open_member_message(state.epoch, message, terms.policy)
    if isinstance(signed.content.body, Commit):
        verified = VerifiedContent(signed, member)
        return ReceivedMessage(processing.stage_commit(state, verified, terms))
    return _queue(state, signed, member, terms.policy, None)


def _queue(
    state: State,
    signed: AuthenticatedContent,
    sender: Member | Outsider,
    policy: Policy,
    use: KeyUse | None,
) -> ReceivedMessage:
    queued = processing.queue_proposal(state, signed, policy)
    outcome = ProposalReceived(sender, queued.proposal, queued.reference or b"")
    return ReceivedMessage(outcome, use, queued)
