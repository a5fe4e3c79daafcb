"""PublicMessages as a group reads them (RFC 9420, 6.2, 12.1.8): who sent, and is it signed.

Members send private messages; what may come in the clear is the policy's to say.
"""

from blackthorn.mls.codepoints import EXTERNAL, MEMBER
from blackthorn.mls.credential import CredentialValidator, check_credential
from blackthorn.mls.epoch.epoch import Epoch, Member
from blackthorn.mls.epoch.policy import Outsider, Policy
from blackthorn.mls.epoch.proposal_list import FROM_OUTSIDE
from blackthorn.mls.errors import (
    InvalidProposal,
    InvalidSignature,
    MalformedMessage,
    OwnMessage,
    Unsupported,
)
from blackthorn.mls.extension import external_senders
from blackthorn.mls.framing import protection
from blackthorn.mls.framing.framing import AuthenticatedContent, PublicMessage
from blackthorn.mls.framing.proposals import Add, Commit, Proposal
from blackthorn.mls.rules import Rule


def open_member_message(
    epoch: Epoch, message: PublicMessage, policy: Policy
) -> tuple[AuthenticatedContent, Member]:
    """A member's handshake in the clear: its membership tag and its signature hold.

    Raises `Unsupported` when the policy does not allow it, `OwnMessage`, `InvalidSignature`.
    """
    if not policy.public_handshakes:
        raise Unsupported("members send private messages only", Rule.PRIVATE_HANDSHAKES)
    context = epoch.context.encoded
    authenticated = protection.unprotect_public(
        epoch.suite, message, context, epoch.secrets.membership_key
    )
    sender = authenticated.content.sender
    if sender.type != MEMBER or sender.index == epoch.own_index:
        raise OwnMessage("this is a message of this member's own")
    member = epoch.member(sender.index)
    if member is None:
        raise InvalidSignature("the sender is not in the group", Rule.SENDER_IS_MEMBER)
    protection.verify(epoch.suite, authenticated, context, member.signature_key)
    return authenticated, member


def open_external_commit(
    epoch: Epoch, message: PublicMessage
) -> tuple[AuthenticatedContent, Commit]:
    """An external Commit, signed by the leaf of its own path (12.4.3.2).

    Raises `MalformedMessage`, `InvalidSignature`.
    """
    commit = message.authenticated.content.body
    if not isinstance(commit, Commit):
        raise MalformedMessage("a new member joins by a Commit only", Rule.OUTSIDER_CONTENT)
    if commit.path is None:
        raise MalformedMessage("an external Commit has no path", Rule.EXTERNAL_COMMIT_PATH)
    key = commit.path.leaf.signature_key
    protection.verify(epoch.suite, message.authenticated, epoch.context.encoded, key)
    return message.authenticated, commit


def open_external_proposal(
    epoch: Epoch, message: PublicMessage, policy: Policy, validate: CredentialValidator
) -> tuple[AuthenticatedContent, Outsider]:
    """A proposal from outside the group, signed, and allowed by the policy (12.1.8).

    Raises `MLSError`.
    """
    content = message.authenticated.content
    if isinstance(content.body, bytes | Commit):
        raise MalformedMessage("an outsider sends proposals only", Rule.OUTSIDER_CONTENT)
    if content.sender.type == EXTERNAL:
        if not isinstance(content.body, FROM_OUTSIDE):
            raise MalformedMessage("an external sender may not propose this", Rule.OUTSIDER_TYPE)
        outsider = _external_sender(epoch, content.sender.index)
    else:
        outsider = _new_member(content.body)
    key = outsider.signature_key
    protection.verify(epoch.suite, message.authenticated, epoch.context.encoded, key)
    check_credential(validate, outsider.credential, key)
    policy.propose(outsider, content.body)
    return message.authenticated, outsider


def _external_sender(epoch: Epoch, index: int) -> Outsider:
    known = external_senders(epoch.context.extensions)
    if index >= len(known):
        raise InvalidProposal("the group knows no such external sender", Rule.EXTERNAL_SENDER_KNOWN)
    return Outsider(index, known[index].credential, known[index].signature_key)


def _new_member(proposal: Proposal) -> Outsider:
    if not isinstance(proposal, Add):
        raise InvalidProposal("a new member may only propose to add itself", Rule.NEW_MEMBER_ADDS)
    leaf = proposal.package.leaf
    return Outsider(None, leaf.credential, leaf.signature_key)
