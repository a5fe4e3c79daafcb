"""An application's decisions beyond private messages of members; the default refuses all.

Each hook runs after signatures and proposals were verified and before anything changes (`commit`
before the proposals are), and raises `MLSError` to refuse. No hook disables a rule.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blackthorn.mls.credential import Credential
from blackthorn.mls.epoch.epoch import Member
from blackthorn.mls.errors import Unsupported
from blackthorn.mls.framing.proposals import Proposal, ReInit
from blackthorn.mls.schedule.psk import PskId
from blackthorn.mls.tree.leaf_node import LeafNode


@dataclass(frozen=True)
class ExternalJoin:
    """A client that adds itself by an external Commit (12.4.3.2)."""

    joiner: Member
    replaced: Member | None
    """The leaf that a resync removes; no rule checks that it is the joiner's own."""
    psks: Sequence[PskId]
    """Pre-shared keys on which its confirmation tag depends."""


@dataclass(frozen=True)
class Outsider:
    """The sender of an external proposal (12.1.8); `index` None for one who would join."""

    index: int | None
    credential: Credential
    signature_key: bytes


@dataclass(frozen=True)
class MemberCommit:
    """A member's Commit whose signature holds, before any other rule was applied to it."""

    committer: Member
    proposals: Sequence[Proposal | bytes]
    """Its own proposals, and references to others that were sent alone."""
    leaf: LeafNode | None
    """The committer's new leaf; None without a path."""


def _allow(commit: MemberCommit) -> None:
    """The rules of the RFC are all there are."""


def _refuse_join(join: ExternalJoin) -> None:
    raise Unsupported("external joins are not allowed here")


def _refuse_outsider(outsider: Outsider, proposal: Proposal) -> None:
    raise Unsupported("proposals from outside the group are not allowed here")


def _refuse_reinit(reinit: ReInit) -> None:
    raise Unsupported("re-initialisation is not allowed here")


@dataclass(frozen=True)
class Policy:
    """Decisions of the application, besides its credential validator."""

    join: Callable[[ExternalJoin], None] = _refuse_join
    """May refuse an external join or resync."""
    propose: Callable[[Outsider, Proposal], None] = _refuse_outsider
    """May refuse an external proposal."""
    commit: Callable[[MemberCommit], None] = _allow
    """May refuse a member's Commit, by its bytes alone."""
    reinitialise: Callable[[ReInit], None] = _refuse_reinit
    """May refuse a re-initialisation, such as a downgrade of the suite."""
    same_client: Callable[[Credential, Credential], bool] = operator.eq
    """Whether two credentials are of one member, for groups that follow another (11.2, 11.3)."""
    public_handshakes: bool = False
    """Whether members may send proposals and Commits as PublicMessages."""
    max_lifetime_seconds: int | None = None
    """The longest lifetime of a key package (7.2); None: MLS_MAX_LIFETIME_SECONDS."""


CLOSED = Policy()
"""Allows only private messages of members."""
