"""Send a text to a person or a group."""

import hashlib
from dataclasses import replace

import msgspec

from blackthorn.device import limits
from blackthorn.device.conversations import content, conversations, heal_messages, naming
from blackthorn.device.core.group_metadata import DIRECT, GROUP, GroupMetadata
from blackthorn.device.core.members import addresses
from blackthorn.device.core.prepared import PreparedPosting, encode
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import moving
from blackthorn.device.healing.states import is_member
from blackthorn.device.operations import claims, create_group, postings
from blackthorn.device.operations import operation as base
from blackthorn.device.operations.limits import MAX_FAILURE_TEXT_CHARS
from blackthorn.errors import UserError
from blackthorn.ids import Address
from blackthorn.ports.device_healing import SentText
from blackthorn.ports.device_store import HistoryRecord, OutboxRecord


class SendText(base.Operation, frozen=True, tag="text"):
    """One text to one conversation.

    `message` is the id of its history line. `conversation` and `count` are empty before the first
    sealing and fixed afterwards. `group` is the group's id, empty until the group is created.
    `epoch` and `digests` are of its parcels, by which others may report that they cannot read it.
    """

    kind: str
    name: str
    salt: bytes
    text: str
    sent_ms: int
    message: bytes
    conversation: bytes = b""
    count: int = 0
    group: bytes = b""
    epoch: int = -1
    digests: bytes = b""

    @property
    def target(self) -> bytes:
        return base.name_of(self.kind, self.name)

    @property
    def is_text(self) -> bool:
        return True

    @property
    def history_line(self) -> bytes:
        return self.message

    def alarm_scope(self, unit: UnitOfWork) -> base.AlarmScope:
        if self.kind == DIRECT:
            return base.AlarmScope.of(unit, [self.name], in_group=False)
        record = unit.records.conversations.get(self.group) if self.group else None
        members = [] if record is None else addresses(unit.open(record.id).group.members)
        return base.AlarmScope.of(unit, members, in_group=True)

    def claims(self, unit: UnitOfWork) -> list[str]:
        """A first text to a person creates the conversation."""
        return [self.name, unit.me.address] if self.kind == DIRECT else []

    def hold(self, unit: UnitOfWork) -> str:
        """A conversation that this device may have fallen out of holds its texts."""
        if self.kind == GROUP:
            return postings.hold(unit, self.group)
        standings = unit.records.conversations.standings(DIRECT, self.name)
        newest = [known for known, standing in standings if is_member(standing)]
        return postings.hold(unit, newest[0]) if newest else ""

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> base.Step:
        """Seal the text, in a new conversation if there is none."""
        if conversation := self.sealed_in(unit):
            return self._seal(unit, row, conversation)
        wanted = claims.ClaimRequest(self.claims(unit))
        found = claims.claimed(unit, row, wanted, [self.name])
        if not isinstance(found, claims.Claimed):
            return found
        metadata = GroupMetadata(DIRECT, "", conversations.next_created_ms(unit, DIRECT, self.name))
        conversation, welcome = conversations.create(unit, metadata, self.name, found.packages)
        found.tell(unit, conversation)
        return self._seal(unit, row, conversation, welcome)

    def sealed_in(self, unit: UnitOfWork) -> Conversation | None:
        """The group, or the direct conversation of the earlier sealing, if still usable."""
        if self.kind == GROUP:
            if not self.group:
                raise claims.HopelessError("the group was not made")
            return postings.active(unit, self.group, "the group does not exist any more")
        if self.conversation:
            record = unit.records.conversations.get(self.conversation)
            if record is not None and is_member(record.standing):
                before = unit.open(self.conversation)
                if conversations.reaches(unit, before, self.name):
                    return before
        return conversations.direct_with(unit, Address(self.name))

    def _seal(
        self,
        unit: UnitOfWork,
        row: OutboxRecord,
        conversation: Conversation,
        welcome: bytes | None = None,
    ) -> PreparedPosting:
        """A text sealed again for the same conversation keeps its id and count."""
        record = conversation.record
        again = self.conversation == record.id
        if not again and moving.newest(unit, self.conversation) == record.id:
            return self._seal_again(unit, row, conversation)
        count = self.count if again else record.sent + 1
        body = content.encode(content.TextContent(self.salt, self.text, self.sent_ms, count))
        if not conversations.other_devices(unit, conversation.group):
            raise claims.HopelessError("nobody else is in this conversation")
        message = content.message_id(body, unit.me.address, record.id, self.salt)
        prepared = postings.message(unit, conversation, body, welcome)
        before = self.digests if again else b""
        sealed = msgspec.structs.replace(
            self,
            message=message,
            conversation=record.id,
            count=count,
            epoch=prepared.epoch,
            digests=postings.digests(prepared, before),
        )
        postings.save(unit, row, sealed, prepared)
        if not again:
            conversation.record = replace(record, sent=count)
            unit.records.history.rename(self.message, message, record.id, count)
        return prepared

    def _seal_again(
        self, unit: UnitOfWork, row: OutboxRecord, conversation: Conversation
    ) -> PreparedPosting:
        """The group was replaced since it was sealed, perhaps accepted: the same text, same id."""
        body = content.encode(content.TextContent(self.salt, self.text, self.sent_ms, self.count))
        again = heal_messages.Again(self.conversation, body, self.digests)
        part = heal_messages.encode(heal_messages.encode_part(again), self.salt, unit.now_ms)
        prepared = postings.message(unit, conversation, part)
        made = postings.digests(prepared, self.digests)
        return postings.save(unit, row, msgspec.structs.replace(self, digests=made), prepared)

    def conversation_created(
        self, unit: UnitOfWork, row: OutboxRecord, creation: base.Operation, conversation: bytes
    ) -> None:
        """Bind a text that waited for this group to the group just created."""
        made = isinstance(creation, create_group.CreateGroup) and creation.name == self.name
        if made and self.kind == GROUP and not self.group:
            addressed = msgspec.structs.replace(self, group=conversation)
            unit.records.outbox.update(replace(row, operation=encode(addressed)))

    def accepted(self, unit: UnitOfWork) -> None:
        unit.records.history.set_standing(self.message, "accepted")
        unit.records.healing.put_sent(
            SentText(
                self.message,
                self.conversation,
                self.salt,
                self.count,
                self.sent_ms,
                unit.now_ms,
                self.epoch,
                self.digests,
            )
        )

    def has_another_way(self, unit: UnitOfWork, prepared: PreparedPosting) -> bool:
        """A direct text can be sent to the user's current devices in a new conversation."""
        if prepared.sort != "text":
            return super().has_another_way(unit, prepared)
        if self.kind != DIRECT:
            return False
        conversations.mark_stale(unit.open(prepared.conversation))
        return True

    def given_up(self, unit: UnitOfWork, reason: str) -> None:
        unit.records.history.set_standing(self.message, "failed", reason)

    def failure_text(self) -> base.FailureText:
        return base.FailureText("not sent to", self.name, self.text[:MAX_FAILURE_TEXT_CHARS])


def enqueue(unit: UnitOfWork, kind: str, name: str, text: str) -> int:
    """Enqueue a text; the number of its row. Raises UserError."""
    if not text.strip():
        raise UserError("there is no text to send")
    if len(text.encode("utf-8", "surrogatepass")) > limits.MAX_MESSAGE_BYTES:
        raise UserError(f"the text is longer than {limits.MAX_MESSAGE_BYTES} bytes")
    group = b""
    if kind == DIRECT and name == unit.me.address:
        raise UserError(f"{name} is your own address")
    if kind == DIRECT:
        base.check_domain(unit, [Address(name)])
    if kind == GROUP and not create_group.is_waiting(unit, name):
        record = naming.group_named(unit, name).record
        group, name = record.id, record.name
    salt = unit.random(content.SALT_BYTES)
    text = text.encode("utf-8", "replace").decode()
    draft = b"\x00" + hashlib.sha256(salt).digest()[:31]  # until it is sealed
    operation = SendText(kind, name, salt, text, unit.now_ms, draft, group=group)
    number = operation.enqueue(unit)
    unit.records.history.add(
        HistoryRecord(
            message=draft,
            conversation=group,
            kind=kind,
            name=name,
            sender=unit.me.address,
            sort="text",
            text=text,
            sent_ms=unit.now_ms,
            received_ms=unit.now_ms,
            standing="waiting",
            shown=True,
            device=unit.me.device,
        )
    )
    return number
