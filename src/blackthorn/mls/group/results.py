"""Results: of a received message, and of a Commit made."""

from dataclasses import dataclass, field

from blackthorn.mls.epoch.epoch import Member
from blackthorn.mls.epoch.policy import Outsider
from blackthorn.mls.framing.proposals import Proposal


@dataclass(frozen=True)
class Application:
    """An application message that was read."""

    sender: Member
    content: bytes = field(repr=False)
    authenticated_data: bytes = field(repr=False)
    epoch: int


@dataclass(frozen=True)
class ProposalReceived:
    """A proposal that now waits for a Commit."""

    sender: Member | Outsider
    proposal: Proposal
    reference: bytes


@dataclass(frozen=True)
class Commit:
    """A Commit made: itself for the members, the Welcome for those it adds."""

    commit: bytes
    welcome: bytes | None
