"""Who was in a conversation in a past epoch, as far as it is kept."""

from blackthorn.device.core.members import Identity, addresses, identify
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.mls.group import state_rows


def members_at(unit: UnitOfWork, conversation: bytes, epoch: int) -> list[Identity]:
    """The devices in a conversation in an epoch, as far as it is kept."""
    spans = unit.records.groups.read(conversation, state_rows.Table.LEAF_SPAN, ())
    members = state_rows.members_at(epoch, spans).values()
    return [identify(member.credential) for member in members]


def joined_since(unit: UnitOfWork, conversation: bytes, epoch: int) -> bool:
    """Whether a user is in the conversation who was not in that epoch."""
    then = {member.address for member in members_at(unit, conversation, epoch)}
    return bool(set(addresses(unit.open(conversation).group.members)) - then)
