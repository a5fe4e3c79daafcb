"""Whom a wish is about: the people whose alarms stop it."""

from blackthorn.device.conversations.group_metadata import DIRECT
from blackthorn.device.conversations.members import addresses
from blackthorn.device.core.unit_of_work import Turn
from blackthorn.device.operations.outgoing import ChangeGroup, CreateGroup, Intent, SendText


def concerned(turn: Turn, intent: Intent) -> set[str]:
    """Everybody to whom the wish would send something, but the user himself.

    What the user's own devices do among themselves, and who is taken out of a conversation, no
    alarm about somebody stops.
    """
    match intent:
        case SendText(kind=kind, name=name, group=group):
            about = {name} if kind == DIRECT else _members(turn, group)
        case CreateGroup(addresses=wanted):
            about = set(wanted)
        case ChangeGroup(add=wanted):
            about = set(wanted)
        case _:
            about = set()
    return about - {str(turn.me.address)}


def in_group(intent: Intent) -> bool:
    """Whether several people would be told, so that one of them may be nobody's concern here."""
    match intent:
        case SendText(kind=kind):
            return kind != DIRECT
        case CreateGroup() | ChangeGroup():
            return True
        case _:
            return False


def _members(turn: Turn, conversation: bytes) -> set[str]:
    record = turn.records.conversations.get(conversation) if conversation else None
    if record is None:
        return set()
    return {str(each) for each in addresses(turn.open(record.id).group.members)}
