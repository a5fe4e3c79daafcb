"""The branch of a group on which this device is, as it is weighed against another one (H12)."""

from collections.abc import Collection

from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import branches, decisions, limits, notes, past_members


def mark_of(unit: UnitOfWork, conversation: Conversation, parted: int) -> bytes:
    """The mark of the own branch: that of its first epoch after the parting, if it is kept."""
    group = conversation.group
    kept = unit.records.healing.branch(group.group_id, parted + 1)
    secret = notes.branch_secret(unit, conversation) if kept is None else kept[0]
    return decisions.branch(group.suite, secret, b"")


def counted(unit: UnitOfWork, conversation: Conversation, healing: notes.Healing) -> list[str]:
    """The users who are counted, in the order in which they are asked: the same on each branch.

    Some of those who were there where the branches part.
    """
    known = conversation.record.id
    epoch = branches.parting(healing.replies) or conversation.group.epoch
    there = {str(one.address) for one in past_members.members_at(unit, known, epoch)}
    return decisions.in_order(known, there, 0)[: limits.MAX_COUNTED_USERS]


def own(
    unit: UnitOfWork,
    conversation: Conversation,
    healing: notes.Healing,
    users: Collection[str],
    asked: Collection[str],
) -> branches.Own:
    """The own branch; of the `users` whose word counts these were `asked`, and had their time."""
    known, epoch = conversation.record.id, branches.parting(healing.replies)
    ended = {one.parted for one in branches.parted(healing.replies)}
    makers = frozenset(notes.maker(unit, known, one) for one in ended)
    there = frozenset(counted(unit, conversation, healing))
    mark = mark_of(unit, conversation, epoch) if epoch else b""
    silent = there.intersection(users) - set(asked)
    return branches.Own(mark, unit.me.address, makers, there, frozenset(silent))
