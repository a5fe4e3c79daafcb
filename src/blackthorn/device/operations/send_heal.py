"""Send a message about healing: in the self-group, or in the direct conversation with a person."""

from typing import Final

from blackthorn.device.conversations import conversations, heal_messages, self_group
from blackthorn.device.core.group_metadata import DIRECT, GroupMetadata
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.operations import claims, postings
from blackthorn.device.operations import operation as base
from blackthorn.ids import Address
from blackthorn.ports.device_store import OutboxRecord

_TARGET: Final = "heal"


class SendHeal(base.Operation, frozen=True, tag="heal"):
    """A message to a person, or to the own devices if `name` is empty.

    `part` is its encoded form (`conversations.heal_messages`). It never waits behind texts.
    """

    name: str
    salt: bytes
    part: bytes

    @property
    def target(self) -> bytes:
        return base.name_of(_TARGET, self.name)

    def alarm_scope(self, unit: UnitOfWork) -> base.AlarmScope:
        people = [self.name] if self.name else []
        return base.AlarmScope.of(unit, people, in_group=False)

    def claims(self, unit: UnitOfWork) -> list[str]:
        return [self.name, unit.me.address] if self.name else []

    def sealed_in(self, unit: UnitOfWork) -> Conversation | None:
        if not self.name:
            return self_group.present(unit)
        return conversations.direct_with(unit, Address(self.name))

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> base.Step:
        """Seal it, in a new direct conversation if there is none."""
        conversation, welcome = self.sealed_in(unit), None
        if conversation is None and not self.name:
            return base.NothingToDo()
        if conversation is None:
            wanted = claims.ClaimRequest(self.claims(unit))
            found = claims.claimed(unit, row, wanted, [self.name])
            if not isinstance(found, claims.Claimed):
                return found
            created_ms = conversations.next_created_ms(unit, DIRECT, self.name)
            metadata = GroupMetadata(DIRECT, "", created_ms)
            conversation, welcome = conversations.create(unit, metadata, self.name, found.packages)
            found.tell(unit, conversation)
        if not conversations.other_devices(unit, conversation.group):
            return base.NothingToDo()
        body = heal_messages.encode(self.part, self.salt, unit.now_ms)
        prepared = postings.message(unit, conversation, body, welcome)
        return postings.save(unit, row, self, prepared)

    @property
    def is_asked_for(self) -> bool:
        return False

    def failure_text(self) -> base.FailureText:
        whom = self.name or "your own devices"
        return base.FailureText("a question about what this device missed was not sent to", whom)

    def covers(self, other: base.Operation) -> bool:
        return self == other
