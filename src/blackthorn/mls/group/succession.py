"""Rules for groups that follow a group: re-initialisation and branching (RFC 9420, 11.2, 11.3)."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from blackthorn.mls.codepoints import MLS10, USAGE_BRANCH, USAGE_REINIT
from blackthorn.mls.credential import Credential
from blackthorn.mls.errors import GroupState, InvalidWelcome
from blackthorn.mls.extension import Extensions
from blackthorn.mls.framing.group_context import GroupContext
from blackthorn.mls.framing.proposals import ReInit
from blackthorn.mls.group.state import State
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.psk import PskId, ResumptionPskId
from blackthorn.mls.suites import CipherSuite, suite

SameClient = Callable[[Credential, Credential], bool]


@dataclass(frozen=True)
class Successor:
    """Parameters of a group that follows another."""

    suite: CipherSuite
    group_id: bytes
    extensions: Extensions
    psk: ResumptionPskId


def reinitialised(state: State, nonce: Callable[[int], bytes]) -> Successor:
    """The group into which the last Commit re-initialised this one. Raises `GroupState`."""
    reinit, context = state.reinit, state.epoch.context
    if reinit is None:
        raise GroupState("the group has not been re-initialised")
    if reinit.version != MLS10:
        raise GroupState("the group has been re-initialised into a version that is not known")
    chosen = suite(reinit.cipher_suite)
    psk = ResumptionPskId(USAGE_REINIT, context.group_id, context.epoch, nonce(chosen.hash_size))
    return Successor(chosen, reinit.group_id, reinit.extensions, psk)


def branched(
    state: State, group_id: bytes, extensions: Extensions, nonce: Callable[[int], bytes]
) -> Successor:
    """A new group for some members of this one."""
    context, chosen = state.epoch.context, state.epoch.suite
    psk = ResumptionPskId(USAGE_BRANCH, context.group_id, context.epoch, nonce(chosen.hash_size))
    return Successor(chosen, group_id, extensions, psk)


def check_members(
    state: State, epoch: int, new: Iterable[Credential], same: SameClient, *, all_of_old: bool
) -> None:
    """The new members are old ones; after a ReInit, all of them. Raises `InvalidWelcome`."""
    old, new = _roster(state, epoch), list(new)
    if not all_of_old and not all(any(same(a, b) for b in old) for a in new):
        raise InvalidWelcome("a new member is no member of the old group", Rule.SUCCESSOR_MEMBERS)
    if all_of_old and not all(any(same(a, b) for b in new) for a in old):
        raise InvalidWelcome("the new group lacks an old member", Rule.SUCCESSOR_MEMBERS)


def _roster(state: State, epoch: int) -> list[Credential]:
    if epoch == state.epoch.context.epoch:
        return [leaf.credential for _, leaf in state.epoch.tree.members()]
    for past in state.past:
        if past.context.epoch == epoch:
            return [member.credential for member in past.roster.values()]
    raise InvalidWelcome("the epoch of the old group is no longer known")


def link(psks: Iterable[PskId]) -> ResumptionPskId | None:
    """The PSK that links a Welcome's group to an older one, if any. Raises `InvalidWelcome`."""
    links = [psk for psk in psks if isinstance(psk, ResumptionPskId) and psk.succession]
    if len(links) > 1:
        raise InvalidWelcome("the Welcome follows more than one group", Rule.ONE_PREDECESSOR)
    return links[0] if links else None


def check_succession(
    old: State,
    psk: ResumptionPskId,
    context: GroupContext,
    new: Iterable[Credential],
    same: SameClient,
) -> None:
    """12.4.3.1: the new group is the one that the old state announced. Raises `InvalidWelcome`."""
    if context.epoch != 1:
        raise InvalidWelcome("the new group does not begin at epoch 1", Rule.SUCCESSOR_EPOCH)
    if psk.usage == USAGE_REINIT:
        if old.reinit is None or psk.epoch != old.epoch.context.epoch:
            raise InvalidWelcome("the old group has no ReInit in that epoch", Rule.REINIT_HAPPENED)
        promised = ReInit(context.group_id, MLS10, context.cipher_suite, context.extensions)
        if old.reinit != promised:
            raise InvalidWelcome("the new group is not that of the ReInit", Rule.REINIT_PROMISED)
    elif context.cipher_suite != old.epoch.suite.number:
        raise InvalidWelcome("a branch has another cipher suite than its group", Rule.BRANCH_SUITE)
    check_members(old, psk.epoch, new, same, all_of_old=psk.usage == USAGE_REINIT)
