"""Give a Commit to a device that misses it."""

from typing import Final

from blackthorn.device.conversations import other_commits
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.operations import operation as base
from blackthorn.device.operations import postings
from blackthorn.ids import DeviceId
from blackthorn.ports.device_store import OutboxRecord

_TARGET: Final = "heal"


class GiveCommit(base.Operation, frozen=True, tag="give"):
    """The same parcels that all members were sent."""

    conversation: bytes
    digest: bytes
    device: bytes

    @property
    def target(self) -> bytes:
        return base.name_of(_TARGET, self.device.hex())

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> base.Step:
        parcels = other_commits.kept_commit(unit, self.conversation, self.digest)
        if not parcels or unit.records.conversations.get(self.conversation) is None:
            return base.NothingToDo()
        conversation = unit.open(self.conversation)
        devices = [DeviceId(self.device)]
        prepared = postings.forwarded(unit, conversation, [(devices, one) for one in parcels])
        return postings.save(unit, row, self, prepared)

    @property
    def is_asked_for(self) -> bool:
        return False

    def failure_text(self) -> base.FailureText:
        return base.FailureText("a change was not given to a device that missed it:", "a member")

    def covers(self, other: base.Operation) -> bool:
        return self == other
