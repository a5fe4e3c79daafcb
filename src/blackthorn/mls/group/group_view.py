"""The read-only view of a group."""

from blackthorn.crypto.secret import Secret
from blackthorn.mls.epoch import group_info
from blackthorn.mls.epoch.epoch import Member
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import GroupState
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing.proposals import ReInit
from blackthorn.mls.group import processing
from blackthorn.mls.group.state import State
from blackthorn.mls.schedule import key_schedule
from blackthorn.mls.suites import CipherSuite


class GroupView:
    """The read-only half of `Group`."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.inviter: Member | None = None
        """After `join`: who sent the Welcome. Not part of the state."""

    @property
    def group_id(self) -> bytes:
        return self._state.epoch.context.group_id

    @property
    def epoch(self) -> int:
        return self._state.epoch.context.epoch

    @property
    def suite(self) -> CipherSuite:
        return self._state.epoch.suite

    @property
    def own_index(self) -> int:
        """This member's leaf index."""
        return self._state.epoch.own_index

    @property
    def members(self) -> list[Member]:
        """All members, by leaf index."""
        return list(self._state.epoch.roster.values())

    @property
    def group_context_extensions(self) -> list[Extension]:
        return list(self._state.epoch.context.extensions)

    @property
    def epoch_authenticator(self) -> bytes:
        """Nh bytes, equal for two members with equal histories (8.7)."""
        return self._state.epoch.secrets.epoch_authenticator.expose()

    @property
    def pending(self) -> StagedCommit | None:
        """This member's own Commit, neither merged nor discarded."""
        return self._state.pending

    def renews(self, staged: StagedCommit) -> bool:
        """Whether a Commit on this epoch gives its committer's leaf new keys: it has a path."""
        new, index = staged.next, staged.committer.index
        return new is not None and new.tree.leaf(index) != self._state.epoch.tree.leaf(index)

    @property
    def leaf_count(self) -> int:
        """Leaves of the tree, blank ones included."""
        return self._state.epoch.tree.leaf_count

    @property
    def waiting_proposals(self) -> int:
        return len(self._state.proposals)

    @property
    def active(self) -> bool:
        return not self._state.removed

    @property
    def reinit(self) -> ReInit | None:
        """The ReInit that closed this group."""
        return self._state.reinit

    def claimed_author(self, message: bytes) -> Member | None:
        """The member whom an application message names; nothing is verified. Raises `MLSError`.

        None for other messages.
        """
        return processing.claimed_author(self._state, message)

    def ratchet_tree(self) -> bytes:
        return self._state.epoch.tree.encode()

    def group_info(self, *, with_tree: bool = True, with_external_pub: bool = True) -> bytes:
        """The GroupInfo as an MLSMessage (12.4.3); `join_externally` needs external_pub."""
        self._state.require_open()
        return group_info.make_group_info(
            self._state.epoch,
            self._state.signature_private,
            with_tree=with_tree,
            with_external_pub=with_external_pub,
        )

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """MLS-Exporter (8.5): `length` bytes that only this epoch's members can derive."""
        self._state.require_member()
        if not 0 <= length <= 255 * self.suite.hash_size:
            raise GroupState("an exported secret cannot have that length")
        secrets = self._state.epoch.secrets
        return key_schedule.export(self.suite, secrets, label.encode(), context, length)

    def label_secret(self, label: str) -> Secret:
        """What all exports under `label` are made of (`key_schedule.export_of_label`)."""
        self._state.require_member()
        secrets = self._state.epoch.secrets
        return Secret(key_schedule.label_secret(self.suite, secrets, label.encode()))

    def resumption_psk(self, epoch: int | None = None) -> Secret:
        """The resumption PSK (8.6) of `epoch` or this one. Raises `GroupState` if erased."""
        found = self._state.resumption_psk(self.epoch if epoch is None else epoch)
        if found is None:
            raise GroupState("the resumption PSK of that epoch is not kept")
        return found
