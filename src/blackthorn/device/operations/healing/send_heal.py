"""Send a message about healing: in the self-group, to a person directly, or in a group."""

from typing import Final

import msgspec

from blackthorn.device.conversations import conversations, heal_messages, self_group
from blackthorn.device.core import envelope
from blackthorn.device.core.group_metadata import DIRECT, GROUP, GroupMetadata
from blackthorn.device.core.members import addresses, identities
from blackthorn.device.core.prepared import PreparedPosting
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import past_members
from blackthorn.device.operations import claims, postings
from blackthorn.device.operations import operation as base
from blackthorn.ids import Address
from blackthorn.ports.device_healing import SentText
from blackthorn.ports.device_store import OutboxRecord

_TARGET: Final = "heal"
_ANY_EPOCH: Final = -1


class SendHeal(base.Operation, frozen=True, tag="heal", omit_defaults=True):
    """A message to a person, or to the own devices if `name` is empty.

    `part` is its encoded form (`conversations.heal_messages`). It never waits behind texts. It is
    sealed only where `device` is a member; in `group` instead, if there is one, while nobody is
    there who was not in `of_epoch`, and else to the person.
    """

    name: str
    salt: bytes
    part: bytes
    device: bytes = b""
    group: bytes = b""
    of_epoch: int = _ANY_EPOCH

    @property
    def target(self) -> bytes:
        return base.name_of(_TARGET, self.group.hex() or self.name)

    def alarm_scope(self, unit: UnitOfWork) -> base.AlarmScope:
        if self.group:
            members = addresses(unit.open(self.group).group.members)
            return base.AlarmScope.of(unit, members, in_group=True)
        people = [self.name] if self.name else []
        return base.AlarmScope.of(unit, people, in_group=False)

    def claims(self, unit: UnitOfWork) -> list[str]:
        return [self.name, unit.me.address] if self.name and not self.group else []

    def hold(self, unit: UnitOfWork) -> str:
        return postings.hold(unit, self.group) if self.group else ""

    def sealed_in(self, unit: UnitOfWork) -> Conversation | None:
        if self.group:
            return postings.followed(unit, self.group)
        if not self.name:
            return self_group.present(unit)
        return conversations.direct_with(unit, Address(self.name))

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> base.Step:
        """Seal it, in a new direct conversation if there is none."""
        conversation, welcome = self.sealed_in(unit), None
        if conversation is None and (self.group or not self.name):
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
        if self._is_out_of_place(unit, conversation):
            return base.NothingToDo()
        body = heal_messages.encode(self.part, self.salt, unit.now_ms)
        prepared = postings.message(unit, conversation, body, welcome)
        _note(unit, conversation, prepared)
        return postings.save(unit, row, self, prepared)

    def _is_out_of_place(self, unit: UnitOfWork, conversation: Conversation) -> bool:
        """Whether it must not be sealed there now; what is for a group goes to the person then."""
        members = identities(conversation.group.members)
        if self.device and self.device not in {member.device for member in members}:
            if conversation.record.kind == DIRECT:
                raise claims.HopelessError("the device that asked is not there any more")
            return True
        if not self.group or self.of_epoch == _ANY_EPOCH:
            return False
        if not past_members.joined_since(unit, self.group, self.of_epoch):
            return False
        if self.name:
            msgspec.structs.replace(self, group=b"").enqueue(unit)
        return True

    @property
    def is_asked_for(self) -> bool:
        return False

    def failure_text(self) -> base.FailureText:
        whom = self.name or "your own devices"
        return base.FailureText("a question about what this device missed was not sent to", whom)

    def covers(self, other: base.Operation) -> bool:
        return self == other


def _note(unit: UnitOfWork, conversation: Conversation, prepared: PreparedPosting) -> None:
    """Know the parcel again if somebody reports that they cannot read it."""
    record, parcel = conversation.record, prepared.posting.parcels[-1].sealed
    if record.kind in (DIRECT, GROUP):
        message, made = envelope.digest(parcel), postings.digests(prepared)
        sent = SentText(message, record.id, b"", 0, unit.now_ms, unit.now_ms, prepared.epoch, made)
        unit.records.healing.put_sent(sent)
