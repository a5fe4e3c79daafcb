"""What an application allows beyond private messages of members; the default allows nothing.

RFC 9420 leaves these decisions to the application. Each hook is asked once signatures and
proposals hold, before anything is derived or changes, and raises `MLSError` to refuse. Nothing
here skips a rule.
"""

import operator
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from blackthorn.mls.credential import Credential
from blackthorn.mls.epoch.epoch import Member
from blackthorn.mls.errors import Unsupported
from blackthorn.mls.framing.proposals import Proposal, ReInit
from blackthorn.mls.schedule.psk import PskId


@dataclass(frozen=True)
class ExternalJoin:
    """A client that adds itself by an external Commit (12.4.3.2)."""

    joiner: Member
    replaced: Member | None
    """The old appearance that it removes (resync); the rules do not know whether it is its own."""
    psks: Sequence[PskId]
    """Pre-shared keys that it must know: no Commit without them has a valid confirmation tag."""


@dataclass(frozen=True)
class Outsider:
    """The sender of an external proposal (12.1.8): `index` is the external sender's, or None when
    the sender proposes to add itself."""

    index: int | None
    credential: Credential
    signature_key: bytes


def _refuse_join(join: ExternalJoin) -> None:
    raise Unsupported("external joins are not allowed here")


def _refuse_outsider(outsider: Outsider, proposal: Proposal) -> None:
    raise Unsupported("proposals from outside the group are not allowed here")


def _refuse_reinit(reinit: ReInit) -> None:
    raise Unsupported("re-initialisation is not allowed here")


@dataclass(frozen=True)
class Policy:
    """Decisions of the application. Its credential validator is asked besides, always."""

    join: Callable[[ExternalJoin], None] = _refuse_join
    """Who may join by an external Commit, and replace whom."""
    propose: Callable[[Outsider, Proposal], None] = _refuse_outsider
    """Which proposals may wait for a Commit that come from outside."""
    reinitialise: Callable[[ReInit], None] = _refuse_reinit
    """Into what a group may be re-initialised: never downwards, if downgrades matter."""
    same_client: Callable[[Credential, Credential], bool] = operator.eq
    """Whether two credentials stand for one member, when a group follows another (11.2, 11.3)."""
    public_handshakes: bool = False
    """Whether members may send proposals and Commits as PublicMessages."""
    max_lifetime_seconds: int | None = None
    """The longest lifetime of a key package (7.2); None: MLS_MAX_LIFETIME_SECONDS."""


CLOSED = Policy()
"""Allows nothing but private messages of members."""
