"""The whole state of one member in one group. Engines read it; only `Group` writes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import USAGE_APPLICATION
from blackthorn.mls.epoch import Epoch, PastEpoch
from blackthorn.mls.errors import GroupState, InvalidProposal
from blackthorn.mls.proposal_list import Queued
from blackthorn.mls.psk import ExternalPskId, PskId
from blackthorn.mls.staged import StagedCommit


@dataclass
class State:
    """What `Group.serialise` stores."""

    signature_private: Secret
    epoch: Epoch
    past: list[PastEpoch] = field(default_factory=list)
    """The newest first, at most MLS_PAST_EPOCHS."""
    proposals: dict[bytes, Queued] = field(default_factory=dict)
    """Proposals of this epoch that wait for a Commit, by ProposalRef."""
    update_keys: dict[bytes, Secret] = field(default_factory=dict)
    """Private keys of this member's own Update proposals, by public key."""
    pending: StagedCommit | None = None
    """This member's own Commit, sent and not merged."""
    removed: bool = False
    """Whether this member has merged its own removal."""

    def require_member(self) -> None:
        """Raises `GroupState` when this member has been removed."""
        if self.removed:
            raise GroupState("this member has been removed from the group")

    def psk(self, psk_id: PskId, external: Mapping[bytes, Secret]) -> Secret:
        """The pre-shared key of an id. Raises `InvalidProposal` when it is not known."""
        if isinstance(psk_id, ExternalPskId):
            found = external.get(psk_id.psk_id)
            if found is not None:
                return found
        elif psk_id.usage == USAGE_APPLICATION and psk_id.group_id == self.epoch.context.group_id:
            if psk_id.epoch == self.epoch.context.epoch:
                return self.epoch.secrets.resumption_psk
            for past in self.past:
                if past.context.epoch == psk_id.epoch:
                    return past.resumption_psk
        raise InvalidProposal("a pre-shared key is not known here")
