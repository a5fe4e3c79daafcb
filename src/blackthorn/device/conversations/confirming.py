"""Say yes to a group: to its members after a rejoin, or to a former device's invitation."""

from blackthorn.device.conversations import conversations, noted, rejoining
from blackthorn.device.core.unit_of_work import UnitOfWork


def confirm(unit: UnitOfWork, name: str) -> None:
    """Write in the group from now on. Raises UserError."""
    conversation = conversations.group_named(unit, name)
    if not noted.accept_inviter(unit, conversation.record.id):
        rejoining.confirm(unit, conversation)
