"""Verifies PublicMessages (RFC 9420, 6.2, 12.1.8); the policy decides which are allowed."""

from blackthorn.mls import errors
from blackthorn.mls.codepoints import EXTERNAL, MEMBER
from blackthorn.mls.credential import CredentialValidator, check_credential
from blackthorn.mls.epoch.epoch import Epoch, Member
from blackthorn.mls.epoch.policy import Outsider, Policy
from blackthorn.mls.epoch.proposal_list import FROM_OUTSIDE
from blackthorn.mls.extension import external_senders
from blackthorn.mls.framing import protection
from blackthorn.mls.framing.framing import AuthenticatedContent, PublicMessage
from blackthorn.mls.framing.proposals import Add, Commit, Proposal
from blackthorn.mls.rules import Rule


def open_member_message(
    epoch: Epoch, message: PublicMessage, policy: Policy
) -> tuple[AuthenticatedContent, Member]:
    """A member's handshake, its membership tag and signature verified.

    Raises `Unsupported` if the policy refuses it, `OwnMessage`, `InvalidSignature`.
    """
    if not policy.public_handshakes:
        raise errors.Unsupported("members send private messages only", Rule.PRIVATE_HANDSHAKES)
    context = epoch.context.encoded
    authenticated = protection.unprotect_public(
        epoch.suite, message, context, epoch.secrets.membership_key
    )
    sender = authenticated.content.sender
    if sender.type != MEMBER or sender.index == epoch.own_index:
        raise errors.OwnMessage("this is a message of this member's own")
    member = epoch.member(sender.index)
    if member is None:
        raise errors.InvalidSignature("the sender is not in the group", Rule.SENDER_IS_MEMBER)
    protection.verify(epoch.suite, authenticated, context, member.signature_key)
    return authenticated, member


def open_external_commit(
    epoch: Epoch, message: PublicMessage
) -> tuple[AuthenticatedContent, Commit]:
    """An external Commit, verified with its path's leaf (12.4.3.2). Raises `MLSError`."""
    commit = message.authenticated.content.body
    if not isinstance(commit, Commit):
        raise errors.MalformedMessage("a new member joins by a Commit only", Rule.OUTSIDER_CONTENT)
    if commit.path is None:
        raise errors.MalformedMessage("an external Commit has no path", Rule.EXTERNAL_COMMIT_PATH)
    key = commit.path.leaf.signature_key
    protection.verify(epoch.suite, message.authenticated, epoch.context.encoded, key)
    return message.authenticated, commit


def open_external_proposal(
    epoch: Epoch, message: PublicMessage, policy: Policy, validate: CredentialValidator
) -> tuple[AuthenticatedContent, Outsider]:
    """A verified external proposal that the policy allows (12.1.8). Raises `MLSError`."""
    content = message.authenticated.content
    if isinstance(content.body, bytes | Commit):
        raise errors.MalformedMessage("an outsider sends proposals only", Rule.OUTSIDER_CONTENT)
    if content.sender.type == EXTERNAL:
        if not isinstance(content.body, FROM_OUTSIDE):
            raise errors.MalformedMessage("an external sender may not do this", Rule.OUTSIDER_TYPE)
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
        raise errors.InvalidProposal("unknown external sender", Rule.EXTERNAL_SENDER_KNOWN)
    return Outsider(index, known[index].credential, known[index].signature_key)


def _new_member(proposal: Proposal) -> Outsider:
    if not isinstance(proposal, Add):
        raise errors.InvalidProposal("a new member may only propose its Add", Rule.NEW_MEMBER_ADDS)
    leaf = proposal.package.leaf
    return Outsider(None, leaf.credential, leaf.signature_key)
