"""Share a snapshot of common state with the user's other devices."""

import msgspec

from blackthorn.device.conversations import conversations, self_group
from blackthorn.device.core.group_metadata import SELF
from blackthorn.device.core.prepared import PreparedPosting
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.operations import postings
from blackthorn.device.operations.operation import FailureText, NothingToDo, Operation, name_of
from blackthorn.ports.device_store import OutboxRecord


class ShareState(Operation, frozen=True, tag="share"):
    """A snapshot for the self-group. `digest` is that of the last sealed one."""

    salt: bytes
    digest: bytes = b""

    @property
    def target(self) -> bytes:
        """Shared state waits behind every change of the group."""
        return name_of(SELF, "")

    def sealed_in(self, unit: UnitOfWork) -> Conversation | None:
        return self_group.present(unit)

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> PreparedPosting | NothingToDo:
        """Seal the snapshot."""
        conversation = self_group.present(unit)
        if conversation is None:
            return NothingToDo()
        group = conversation.group
        if not conversations.other_devices(unit, group):
            return NothingToDo()
        snapshot = self_group.snapshot(unit)
        body = self_group.encode(snapshot, self.salt, unit.now_ms)
        prepared = postings.message(unit, conversation, body)
        digest = self_group.digest(unit, group, snapshot)
        return postings.save(unit, row, msgspec.structs.replace(self, digest=digest), prepared)

    def accepted(self, unit: UnitOfWork) -> None:
        self_group.mark_shared(unit, self.digest)

    def failure_text(self) -> FailureText:
        return FailureText("your devices were not brought up to date in", "your own devices")
