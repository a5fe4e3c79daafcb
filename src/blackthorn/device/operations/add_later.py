"""Add devices that are not in a conversation to which their user belongs (`left_out`)."""

from blackthorn.device.conversations import conversations, left_out
from blackthorn.device.core.members import addresses, identify
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing.states import State, is_member
from blackthorn.device.operations import claims, operation, postings
from blackthorn.ports.device_store import OutboxRecord
from blackthorn.wire.limits import MAX_DEVICES_PER_USER


class AddLater(operation.Operation, frozen=True, tag="later"):
    """All live devices of `address` that are not in the conversation."""

    kind: str
    name: str
    conversation: bytes
    address: str

    @property
    def target(self) -> bytes:
        return operation.name_of(self.kind, self.name)

    def alarm_scope(self, unit: UnitOfWork) -> operation.AlarmScope:
        return operation.AlarmScope.of(unit, [self.address], in_group=True)

    @property
    def commits(self) -> bool:
        return True

    def sealed_in(self, unit: UnitOfWork) -> Conversation | None:
        return postings.followed(unit, self.conversation)

    def claims(self, unit: UnitOfWork) -> list[str]:
        return [self.address]

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> operation.Step:
        conversation = self.sealed_in(unit)
        if conversation is None:
            return operation.NothingToDo()
        group = conversation.group
        missing = conversations.missing_of(unit, group, self.address)[:MAX_DEVICES_PER_USER]
        if not missing:
            left_out.forget(unit, self.conversation, [self.address])
            return operation.NothingToDo()
        known, suite = addresses(group.members), group.suite.number
        wanted = claims.ClaimRequest([self.address], missing, known, suite)
        found = claims.claimed(unit, row, wanted)
        if not isinstance(found, claims.Claimed):
            return found
        added = [p for p in found.packages if identify(p.credential).device in missing]
        if not added:
            return operation.NothingToDo()
        gone = conversations.gone_devices(unit, group)
        commit = postings.commit(unit, row, self, conversation, added, gone, "commit")
        return commit or operation.NothingToDo()

    def failure_text(self) -> operation.FailureText:
        return operation.FailureText(f"{self.address} was not added to", self.name)

    def covers(self, other: operation.Operation) -> bool:
        """One operation for each user and conversation is enough."""
        return isinstance(other, AddLater) and (self.conversation, self.address) == (
            other.conversation,
            other.address,
        )


def due(unit: UnitOfWork) -> list[operation.Operation]:
    """Attempts to enqueue now."""
    wanted: list[operation.Operation] = []
    for entry in left_out.due(unit):
        record = unit.records.conversations.get(entry.conversation)
        if record is None or not is_member(record.standing) or _whole(unit, entry):
            left_out.forget(unit, entry.conversation, [entry.address])
        elif record.standing == State.FOLLOWING:
            wanted.append(AddLater(record.kind, record.name, record.id, entry.address))
    return wanted


def _whole(unit: UnitOfWork, entry: left_out.LeftOut) -> bool:
    """Whether all known devices of the user are in the conversation."""
    group = unit.open(entry.conversation).group
    live = unit.chains.live(entry.address)
    return bool(live) and not conversations.missing_of(unit, group, entry.address)
