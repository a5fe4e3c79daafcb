"""A Commit that is verified and not yet merged."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from blackthorn.mls.epoch.epoch import Epoch, Member
from blackthorn.mls.framing.proposals import ReInit


@dataclass(frozen=True)
class StagedCommit:
    """The changes of a Commit, which `Group.merge` applies. Dropping it changes nothing.

    `epoch` is the number of the new epoch. Merging one that `removes_me` closes the group.
    """

    epoch: int
    committer: Member
    added: Sequence[Member]
    removed: Sequence[Member]
    updated: Sequence[Member]
    renewed: Member
    """The committer as the leaf of the Commit's path names them; `committer` without a path."""
    removes_me: bool
    joins: bool
    """Whether this external Commit adds its committer, who is in `added` then."""
    reinit: ReInit | None
    """If set, merging closes the group (11.2)."""
    base: bytes = field(repr=False)
    """The interim transcript hash on which the Commit builds."""
    next: Epoch | None = field(repr=False)
    """None when this member is removed."""
    authenticated_data: bytes = field(default=b"", repr=False)
    """Of a received Commit: what its committer signed beside it (6.1)."""
    key: tuple[int, int] | None = field(default=None, repr=False)
    """Leaf index and generation of the message key that merging erases (9.2)."""
