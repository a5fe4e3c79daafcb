"""When this device removes former devices of others from conversations, unless somebody is first.

The device that signed the revocation acts at once (`reconciler`), the user's other devices within
ten seconds, and other members after them, spread by the size of the conversation.
"""

from collections.abc import Iterator
from typing import Final

from blackthorn.device.conversations import conversations
from blackthorn.device.core.group_metadata import DIRECT
from blackthorn.device.core.members import addresses
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing.states import State
from blackthorn.device.operations.keep_members import KeepMembers
from blackthorn.device.transparency import departures

OWN_MS: Final = 10_000
"""Within this time the user's other devices act."""
OTHERS_MS: Final = 50_000
MEMBER_MS: Final = 60
"""Other members act after OWN_MS, within OTHERS_MS and this for each device."""


class Removals:
    """The moments drawn by this process; a later one draws its own."""

    def __init__(self) -> None:
        self._due: dict[str, dict[bytes, int]] = {}
        """User → conversations with a former device of theirs → this device's time to act."""

    def due(self, unit: UnitOfWork) -> list[KeepMembers]:
        """Removals to enqueue now."""
        noted = departures.users(unit, departures.GONE)
        wanted: list[KeepMembers] = []
        for address in sorted(noted):
            if address not in self._due:
                self._due[address] = dict(self._drawn(unit, address))
            wanted += self._of(unit, address)
            if not self._due[address]:
                departures.forget(unit, departures.GONE, address)
        self._due = {address: due for address, due in self._due.items() if due}
        return wanted

    def _of(self, unit: UnitOfWork, address: str) -> Iterator[KeepMembers]:
        due = self._due[address]
        for conversation, at_ms in list(due.items()):
            found = _untidy(unit, conversation, address)
            if found is None:
                del due[conversation]
            elif not 0 < at_ms - unit.now_ms <= longest_ms(found):
                yield KeepMembers(found.record.kind, found.record.name, found.record.id)

    def _drawn(self, unit: UnitOfWork, address: str) -> Iterator[tuple[bytes, int]]:
        for record in unit.records.conversations.all():
            other = record.kind == DIRECT and address not in (record.name, unit.me.address)
            found = None if other else _untidy(unit, record.id, address)
            if found is None:
                continue
            first_ms, most_ms = 0, OWN_MS
            if address != unit.me.address:
                first_ms, most_ms = OWN_MS, longest_ms(found) - OWN_MS
            wait_ms = first_ms + int.from_bytes(unit.random(8), "big") % most_ms
            yield record.id, unit.now_ms + wait_ms


def longest_ms(found: Conversation) -> int:
    return OWN_MS + OTHERS_MS + MEMBER_MS * len(found.group.members)


def _untidy(unit: UnitOfWork, conversation: bytes, address: str) -> Conversation | None:
    """The conversation if this device changes it and a former device of that user is in it."""
    record = unit.records.conversations.get(conversation)
    if record is None or record.standing != State.FOLLOWING:
        return None
    found = unit.open(conversation)
    if address not in addresses(found.group.members):
        return None
    if record.kind == DIRECT and not conversations.reaches(unit, found, record.name):
        return None  # nobody is left of the other side: a new conversation takes its place
    gone = conversations.gone_devices(unit, found.group)
    return found if gone else None
