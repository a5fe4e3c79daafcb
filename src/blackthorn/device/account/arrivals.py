"""New devices of other users come into the conversations that their users are in.

Mostly their own other devices add them. One that came by the words of a paper may have none left:
then members do, at random times after that. Not after a reset, which people judge.
"""

from blackthorn.device.account.removals import longest_ms
from blackthorn.device.conversations import conversations, left_out
from blackthorn.device.core.group_metadata import SELF
from blackthorn.device.core.members import addresses
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing.states import is_member
from blackthorn.device.transparency import departures


def note(unit: UnitOfWork) -> None:
    """Note whom to add later where, for each user of whom a lookup has shown a new device."""
    for address in sorted(departures.users(unit, departures.COME)):
        for record in unit.records.conversations.all():
            if record.kind == SELF or not is_member(record.standing):
                continue
            conversation = unit.open(record.id)
            group = conversation.group
            if address in addresses(group.members) and conversations.missing_of(
                unit, group, address
            ):
                spread_ms = int.from_bytes(unit.random(8), "big") % longest_ms(conversation)
                wait_ms = left_out.FIRST_WAIT_MS + spread_ms
                left_out.note(unit, record.id, address, wait_ms)
        departures.forget(unit, departures.COME, address)
