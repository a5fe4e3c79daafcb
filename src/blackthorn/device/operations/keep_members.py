"""Bring a conversation's devices in line with the identity chains."""

from blackthorn.device.conversations import conversations
from blackthorn.device.core import members, unit_of_work
from blackthorn.device.operations import claims, operation, postings
from blackthorn.ports.device_store import OutboxRecord


class KeepMembers(operation.Operation, frozen=True, tag="members"):
    """Add the user's own devices and remove revoked ones, as decided at `prepare`."""

    kind: str
    name: str
    conversation: bytes

    @property
    def target(self) -> bytes:
        return operation.name_of(self.kind, self.name)

    @property
    def commits(self) -> bool:
        return True

    def sealed_in(self, unit: unit_of_work.UnitOfWork) -> unit_of_work.Conversation | None:
        return postings.followed(unit, self.conversation)

    def claims(self, unit: unit_of_work.UnitOfWork) -> list[str]:
        return [unit.me.address]

    def prepare(self, unit: unit_of_work.UnitOfWork, row: OutboxRecord) -> operation.Step:
        conversation = self.sealed_in(unit)
        if conversation is None:
            return operation.NothingToDo()
        group = conversation.group
        gone = conversations.gone_devices(unit, group)
        missing = conversations.missing_devices(unit, group)
        known = members.addresses(group.members)
        wanted = claims.ClaimRequest(self.claims(unit), missing, known, group.suite.number)
        found = claims.claimed(unit, row, wanted) if missing else claims.Claimed([], [])
        if not isinstance(found, claims.Claimed):
            return found
        added = [p for p in found.packages if members.identify(p.credential).device in missing]
        if not added and not gone:
            return operation.NothingToDo()
        commit = postings.commit(unit, row, self, conversation, added, gone, "commit")
        return commit or operation.NothingToDo()

    def failure_text(self) -> operation.FailureText:
        return operation.FailureText("your devices were not brought up to date in", self.name)

    def covers(self, other: operation.Operation) -> bool:
        """One operation for each conversation is enough."""
        return isinstance(other, KeepMembers) and self.conversation == other.conversation
