"""A Commit that was checked and not yet merged."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from blackthorn.mls.epoch.epoch import Epoch, Member
from blackthorn.mls.framing.proposals import ReInit


@dataclass(frozen=True)
class StagedCommit:
    """The changes of a Commit. `Group.merge` applies them; dropping it changes nothing.

    `epoch` is the number of the epoch that it begins. When `removes_me`, there is nothing to
    read after it: merging closes the group.
    """

    epoch: int
    committer: Member
    added: Sequence[Member]
    removed: Sequence[Member]
    updated: Sequence[Member]
    removes_me: bool
    joins: bool
    """Whether the committer adds itself by this, an external Commit: it is among `added`."""
    reinit: ReInit | None
    """What the group is re-initialised into: merging closes it (11.2)."""
    base: bytes = field(repr=False)
    """The interim transcript hash on which the Commit builds."""
    next: Epoch | None = field(repr=False)
    """The new epoch, None when this member is not in it."""
    key: tuple[int, int] | None = field(default=None, repr=False)
    """Leaf index and generation of the message key that merging gives up (9.2)."""
