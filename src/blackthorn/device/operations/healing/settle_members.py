"""End what is noted in a conversation, before anything else is sealed in it.

Former devices and noted additions go out, live devices that were removed by nobody trusted come
back. A user who was removed wholly is not added back unasked. If lookups are not possible, the
noted additions go out and the removals stand; where it is the own clock that makes them so, it
waits, and seals nothing.
"""

from blackthorn.device.conversations import conversations, noted
from blackthorn.device.conversations.judging import Judgement
from blackthorn.device.core import members, unit_of_work
from blackthorn.device.operations import claims, limits, operation, postings
from blackthorn.device.transparency.ledger_state import clock_is_wrong
from blackthorn.ports.device_store import OutboxRecord


class SettleMembers(operation.Operation, frozen=True, tag="settle"):
    """The Commit that ends what is noted, as decided at `prepare`."""

    kind: str
    name: str
    conversation: bytes

    @property
    def target(self) -> bytes:
        """It comes before the operations of the conversation, which wait for it."""
        return b"settle:" + self.conversation

    @property
    def may_lack_packages(self) -> bool:
        return True

    def _found(
        self, unit: unit_of_work.UnitOfWork
    ) -> tuple[unit_of_work.Conversation, Judgement] | None:
        conversation = postings.followed(unit, self.conversation)
        if conversation is None:
            return None
        found = noted.review(unit, conversation)
        return (conversation, found) if found.noted else None

    def claims(self, unit: unit_of_work.UnitOfWork) -> list[str]:
        found = self._found(unit)
        return [] if found is None else sorted({back.address for back in found[1].back})

    def prepare(self, unit: unit_of_work.UnitOfWork, row: OutboxRecord) -> operation.Step:
        noted_here = self._found(unit)
        if noted_here is None:
            return operation.NothingToDo()
        conversation, judged = noted_here
        early = unit.now_ms - row.created_ms < limits.LOOKUP_WAIT_SECONDS * 1000
        if judged.ask and (early or clock_is_wrong(unit)):
            return operation.Waiting(postings.UNCONFIRMED, judged.ask)
        back = [] if judged.ask else judged.back
        users, devices = sorted({str(one.address) for one in back}), [one.device for one in back]
        suite = conversation.group.suite.number
        wanted = claims.ClaimRequest(users, devices, suite=suite)
        found = claims.claimed(unit, row, wanted) if back else claims.Claimed([], [])
        if not isinstance(found, claims.Claimed):
            return found
        added = [p for p in found.packages if members.identify(p.credential).device in devices]
        gone = set(conversations.gone_devices(unit, conversation.group))
        gone |= {leaf.device for leaf, _ in judged.notes.leaves}  # the server may not know them
        out = members.indices_of(conversation.group, (), {one.device for one in judged.out})
        commit = postings.commit(unit, row, self, conversation, added, sorted(gone), "commit", out)
        if commit is None:
            self.accepted(unit)
        return commit or operation.NothingToDo()

    def accepted(self, unit: unit_of_work.UnitOfWork) -> None:
        conversations.close_if_alone(unit, unit.open(self.conversation))

    def failure_text(self) -> operation.FailureText:
        return operation.FailureText("the members were not confirmed in", self.name)

    def covers(self, other: operation.Operation) -> bool:
        """One operation for each conversation is enough."""
        return isinstance(other, SettleMembers) and self.conversation == other.conversation


def enqueue(unit: unit_of_work.UnitOfWork, conversation: unit_of_work.Conversation) -> list[bytes]:
    """Enqueue it unless it waits or was enqueued just now; its target then."""
    record = conversation.record
    wish = SettleMembers(record.kind, record.name, record.id)
    if any(wish.covers(other) for other in operation.waiting(unit, SettleMembers)):
        return []
    if not noted.wish(unit, record.id):
        return []
    wish.enqueue(unit)
    return [wish.target]
