"""Whom a wish is about: the people whose alarms stop it."""

from blackthorn.device.core.group_metadata import DIRECT
from blackthorn.device.core.members import addresses
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.operations.outgoing import (
    ChangeGroup,
    CreateGroup,
    OutgoingOperation,
    SendText,
)


def concerned(unit: UnitOfWork, operation: OutgoingOperation) -> set[str]:
    """Everybody to whom the wish would send something, but the user himself.

    What the user's own devices do among themselves, and who is taken out of a conversation, no
    alarm about somebody stops.
    """
    match operation:
        case SendText(kind=kind, name=name, group=group):
            about = {name} if kind == DIRECT else _members(unit, group)
        case CreateGroup(addresses=wanted):
            about = set(wanted)
        case ChangeGroup(add=wanted):
            about = set(wanted)
        case _:
            about = set()
    return about - {str(unit.me.address)}


def in_group(operation: OutgoingOperation) -> bool:
    """Whether several people would be told, so that one of them may be nobody's concern here."""
    match operation:
        case SendText(kind=kind):
            return kind != DIRECT
        case CreateGroup() | ChangeGroup():
            return True
        case _:
            return False


def _members(unit: UnitOfWork, conversation: bytes) -> set[str]:
    record = unit.records.conversations.get(conversation) if conversation else None
    if record is None:
        return set()
    return {str(each) for each in addresses(unit.open(record.id).group.members)}
