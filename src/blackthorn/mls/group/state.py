"""The state that `Group.serialise` stores."""

from dataclasses import dataclass, field

from blackthorn.crypto.secret import Secret
from blackthorn.mls.epoch.epoch import Epoch, PastEpoch
from blackthorn.mls.epoch.proposal_list import QueuedProposal
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import GroupState
from blackthorn.mls.framing.proposals import ReInit
from blackthorn.mls.schedule.psk import KnownPsks, PskId, ResumptionPskId


@dataclass
class State:
    """The stored state of one member in one group; only `Group` assigns to it."""

    signature_private: Secret
    epoch: Epoch
    past: list[PastEpoch] = field(default_factory=list)
    """The newest first, at most MLS_PAST_EPOCHS."""
    proposals: dict[bytes, QueuedProposal] = field(default_factory=dict)
    """Proposals of this epoch that wait for a Commit, by ProposalRef."""
    update_keys: dict[bytes, Secret] = field(default_factory=dict)
    """Private keys of this member's own Update proposals, by public key."""
    pending: StagedCommit | None = None
    """This member's own Commit, sent and not merged."""
    removed: bool = False
    """Whether this member has merged its own removal."""
    reinit: ReInit | None = None
    """What the last Commit re-initialises the group into: this one is closed."""

    def require_member(self) -> None:
        """Raises `GroupState` when this member has been removed."""
        if self.removed:
            raise GroupState("this member has been removed from the group")

    def require_open(self) -> None:
        """Raises `GroupState` when this member can send no more (12.4.2)."""
        self.require_member()
        if self.reinit is not None:
            raise GroupState("the group has been re-initialised into another")

    def resumption_psk(self, epoch: int) -> Secret | None:
        """Of the present or a stored epoch, else None."""
        if epoch == self.epoch.context.epoch:
            return self.epoch.secrets.resumption_psk
        kept = (past.resumption_psk for past in self.past if past.context.epoch == epoch)
        return next(kept, None)

    def psk(self, psk_id: PskId, known: KnownPsks) -> Secret:
        """A pre-shared key. Raises `InvalidProposal` if unknown."""
        found = None
        if isinstance(psk_id, ResumptionPskId) and psk_id.group_id == self.epoch.context.group_id:
            found = self.resumption_psk(psk_id.epoch)
        return known.require(psk_id) if found is None else found
