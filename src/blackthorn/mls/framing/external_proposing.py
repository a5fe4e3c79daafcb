"""Makes proposals of senders outside a group (RFC 9420, 12.1.8)."""

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import EXTERNAL, NEW_MEMBER_PROPOSAL, PUBLIC_MESSAGE
from blackthorn.mls.framing import framing, protection
from blackthorn.mls.framing.key_package import KeyPackagePrivate
from blackthorn.mls.framing.proposals import Add, Proposal
from blackthorn.mls.suites import CipherSuite, suite


def propose_as_external_sender(
    chosen: CipherSuite,
    group_id: bytes,
    epoch: int,
    index: int,
    proposal: Proposal,
    signature_private: Secret,
) -> bytes:
    """An MLSMessage by the sender at `index` of the group's `external_senders` extension."""
    sender = framing.Sender(EXTERNAL, index)
    return _message(chosen, group_id, epoch, sender, proposal, signature_private)


def propose_to_be_added(
    group_id: bytes, epoch: int, private: KeyPackagePrivate, signature_private: Secret
) -> bytes:
    """The key package owner's own Add, as an MLSMessage. Raises `UnsupportedSuite`."""
    package = private.package
    return _message(
        suite(package.cipher_suite),
        group_id,
        epoch,
        framing.Sender(NEW_MEMBER_PROPOSAL),
        Add(package),
        signature_private,
    )


def _message(
    chosen: CipherSuite,
    group_id: bytes,
    epoch: int,
    sender: framing.Sender,
    proposal: Proposal,
    private: Secret,
) -> bytes:
    content = framing.FramedContent(group_id, epoch, sender, b"", proposal)
    # An outsider signs no GroupContext: it does not have one (6.1).
    signature = protection.sign(chosen, PUBLIC_MESSAGE, content, b"", private)
    return framing.encode_message(
        framing.PublicMessage(
            framing.AuthenticatedContent(PUBLIC_MESSAGE, content, signature), None
        )
    )
