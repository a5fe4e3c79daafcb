"""Groups as people name them: find one, and say yes to its members."""

from blackthorn.device.conversations import noted, rejoining
from blackthorn.device.core.group_metadata import GROUP
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing.states import is_member
from blackthorn.errors import UserError


def confirm(unit: UnitOfWork, name: str) -> None:
    """Accept the members after a rejoin, or a former device's invitation. Raises UserError."""
    conversation = group_named(unit, name)
    if not noted.accept_inviter(unit, conversation.record.id):
        rejoining.confirm(unit, conversation)


def group_named(unit: UnitOfWork, name: str) -> Conversation:
    """The active group of that name or hexadecimal id prefix. Raises UserError.

    A group's maker may name it after another's id, so only a whole id is certain.
    """
    records = unit.records.conversations.named(GROUP, name)
    if len(name) >= 8 and set(name) <= set("0123456789abcdef"):
        groups = [r for r in unit.records.conversations.all() if r.kind == GROUP]
        records += [r for r in groups if r.name != name and r.id.hex().startswith(name)]
        records = [r for r in groups if r.id.hex() == name] or records
    active = [record for record in records if is_member(record.standing)]
    if not active and records:
        raise UserError(f"you were removed from the group {name}")
    if not active:
        raise UserError(f"no such group: {name} (see blackthorn group list)")
    if len(active) > 1:
        ids = ", ".join(f"{record.id.hex()} ({record.name})" for record in active)
        raise UserError(f"several groups are meant by {name}; use the id of one: {ids}")
    return unit.open(active[0].id)
