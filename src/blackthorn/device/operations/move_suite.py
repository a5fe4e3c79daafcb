"""Move a conversation to the suite of this release: see `healing.moving`."""

from collections.abc import Iterable

from blackthorn.device.conversations import conversations, void
from blackthorn.device.core.group_metadata import GROUP
from blackthorn.device.core.members import Identity, addresses, identify, identities
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import moving
from blackthorn.device.healing.states import State
from blackthorn.device.operations import claims, operation, postings
from blackthorn.mls import suites
from blackthorn.ports.device_store import OutboxRecord


class MoveSuite(operation.Operation, frozen=True, tag="move"):
    """A new group of the same devices, with the suite of this release, in a conversation's place.

    Any member may move it, as any may change it.
    """

    kind: str
    name: str
    conversation: bytes

    @property
    def target(self) -> bytes:
        return operation.name_of(self.kind, self.name)

    def alarm_scope(self, unit: UnitOfWork) -> operation.AlarmScope:
        conversation = self.sealed_in(unit)
        users = [] if conversation is None else addresses(conversation.group.members)
        return operation.AlarmScope.of(unit, users, in_group=self.kind == GROUP)

    def claims(self, unit: UnitOfWork) -> list[str]:
        conversation = self.sealed_in(unit)
        return [] if conversation is None else list(addresses(conversation.group.members))

    def sealed_in(self, unit: UnitOfWork) -> Conversation | None:
        conversation = postings.followed(unit, self.conversation)
        if conversation is None or not _is_due(conversation):
            return None
        return conversation

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> operation.Step:
        conversation = self.sealed_in(unit)
        if conversation is None:
            return operation.NothingToDo()
        if moving.is_pending(unit, self.conversation):
            return operation.Waiting(moving.MOVING)
        others = set(conversations.other_devices(unit, conversation.group))
        if not others:
            raise claims.HopelessError("nobody else is in this conversation")
        users = self.claims(unit)
        found = claims.claimed(unit, row, claims.ClaimRequest(users))
        if not isinstance(found, claims.Claimed):
            return found
        packages = [p for p in found.packages if identify(p.credential).device in others]
        ready = {identify(package.credential).device for package in packages}
        old = [
            one for one in identities(conversation.group.members) if one.device in others - ready
        ]
        if old:
            raise claims.HopelessError(_not_ready(old))
        if void.lost_before(unit, conversation):  # which the announcement has no room to say
            step = postings.commit(unit, row, self, conversation, [], [], "clearing")
            return step or operation.NothingToDo()
        return postings.move(unit, row, self, conversation, packages)

    def failure_text(self) -> operation.FailureText:
        return operation.FailureText("not moved to a stronger suite:", self.name)

    def covers(self, other: operation.Operation) -> bool:
        """One operation for each conversation is enough."""
        return isinstance(other, MoveSuite) and self.conversation == other.conversation


def _not_ready(devices: Iterable[Identity]) -> str:
    names = ", ".join(sorted({str(one.address) for one in devices}))
    return f"devices of {names} are to be updated, and to connect, first"


def _is_due(conversation: Conversation) -> bool:
    return suites.is_above(suites.DEFAULT_SUITE, conversation.group.suite.number)


def due(unit: UnitOfWork) -> list[MoveSuite]:
    """Moves of all conversations that are of a weaker suite, to enqueue."""
    waiting = {one.conversation for one in operation.waiting(unit, MoveSuite)}
    found = [
        MoveSuite(record.kind, record.name, record.id)
        for record in unit.records.conversations.all()
        if record.standing == State.FOLLOWING and record.id not in waiting
    ]
    return [one for one in found if one.sealed_in(unit) is not None]
