"""Give this device's leaf of a conversation new keys by a Commit without other changes."""

from blackthorn.device.conversations import conversations, noted, renewal
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing.states import State
from blackthorn.device.operations import operation, postings
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.ports.device_store import OutboxRecord


class Renew(operation.Operation, frozen=True, tag="renew"):
    """A Commit in `epoch`; if another Commit comes first, the next look draws another time."""

    kind: str
    name: str
    conversation: bytes
    epoch: int

    @property
    def target(self) -> bytes:
        return operation.name_of(self.kind, self.name)

    @property
    def gives_way(self) -> bool:
        return True

    @property
    def commits(self) -> bool:
        return True

    def sealed_in(self, unit: UnitOfWork) -> Conversation | None:
        record = unit.records.conversations.get(self.conversation)
        following = record is not None and record.standing == State.FOLLOWING
        if record is None or not following or record.epoch != self.epoch:
            return None
        if not noted.is_clear(unit, self.conversation):
            return None  # what ends it renews the leaf too
        return unit.open(self.conversation)

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> operation.Step:
        conversation = self.sealed_in(unit)
        if conversation is None:
            return operation.NothingToDo()
        gone = conversations.gone_devices(unit, conversation.group)
        commit = postings.commit(unit, row, self, conversation, [], gone, "commit")
        return commit or operation.NothingToDo()

    def failure_text(self) -> operation.FailureText:
        return operation.FailureText("its keys were not renewed:", self.name)

    def covers(self, other: operation.Operation) -> bool:
        """One operation for each conversation is enough."""
        return isinstance(other, Renew) and self.conversation == other.conversation


class Schedule:
    """Which leaves are due, over one connection. Waits run by the ledger's time."""

    def __init__(self) -> None:
        self._told_ms = self._told_at_ms = 0
        self.connected()

    def connected(self) -> None:
        self._began_ms = 0

    def due(self, unit: UnitOfWork) -> list[operation.Operation]:
        """Renewals to enqueue now; for others that are due a time is drawn."""
        now_ms, days = self._time_ms(unit), renewal.days_of_use(unit).days
        self._began_ms = self._began_ms or now_ms
        wanted: list[operation.Operation] = []
        for own in unit.records.leaves.own(unit.me.device, State.FOLLOWING):
            if not renewal.is_due(own, days):
                continue
            what = renewal.step(own.leaf, now_ms, unit.now_ms, self._began_ms)
            if what == "spread":
                renewal.spread(unit, own, now_ms)
            elif what != "wait":
                renewal.draw(unit, own, now_ms)  # also in case the Commit comes second
            if what == "commit":
                wanted.append(Renew(own.kind, own.name, own.leaf.conversation, own.epoch))
        return wanted

    def _time_ms(self, unit: UnitOfWork) -> int:
        """The ledger's time, and what has passed by this device's clock since it was told."""
        told_ms = clock_ms(unit)
        if told_ms != self._told_ms:
            self._told_ms, self._told_at_ms = told_ms, unit.now_ms
        return told_ms + min(max(0, unit.now_ms - self._told_at_ms), renewal.LONGEST_MS)
