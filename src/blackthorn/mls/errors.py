"""All refusals of MLS, under `MLSError`."""

# The names say what was refused, as the RFC does: no Error suffix.
# ruff: noqa: N818

from blackthorn.errors import InputError
from blackthorn.mls.rules import Rule


class MLSError(InputError):
    """Root of MLS refusals; the group's state is unchanged."""

    def __init__(self, text: str, rule: Rule | None = None) -> None:
        super().__init__(text)
        self.rule = rule
        """The broken rule of RFC 9420, if any."""
        self.cannot_follow = False
        """Whether a member's authentic Commit, whose changes hold, leads to no epoch here."""


class MalformedMessage(MLSError):
    """The bytes are not one well-formed MLS structure."""


class TooLarge(MLSError):
    """Well-formed, but beyond a bound of a `limits` module."""


class UnsupportedSuite(MLSError):
    """A cipher suite that this build does not have."""


class Unsupported(MLSError):
    """A feature of MLS that is refused here."""


class UnknownGroup(MLSError):
    """The message is for another group."""


class WrongEpoch(MLSError):
    """The message is for an epoch whose keys are erased."""


class FutureEpoch(WrongEpoch):
    """The message is for an epoch that this member has not reached yet."""


class DecryptionFailed(MLSError):
    """The ciphertext does not open; its key is kept."""


class GenerationConsumed(DecryptionFailed):
    """The message's key was used or erased: a replay, or too late."""


class OwnMessage(MLSError):
    """This member's own message."""


class InvalidSignature(MLSError):
    """A signature, membership tag or confirmation tag does not hold."""


class InvalidKeyPackage(MLSError):
    """A key package that must not be used (RFC 9420, 10.1)."""


class InvalidLeaf(MLSError):
    """A leaf node that must not be in the group (RFC 9420, 7.3)."""


class InvalidTree(MLSError):
    """A ratchet tree that is not sound (RFC 9420, 7.9 and 12.4.3.1)."""


class InvalidProposal(MLSError):
    """A proposal, or a list of proposals, that is not allowed (RFC 9420, 12.2)."""


class InvalidCommit(MLSError):
    """A Commit that does not follow from its proposals (RFC 9420, 12.4.2)."""


class InvalidWelcome(MLSError):
    """A Welcome that does not lead into its group (RFC 9420, 12.4.3.1)."""


class GroupState(MLSError):
    """The operation is not possible in the group's present state."""
