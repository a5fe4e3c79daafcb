"""Create the group of the user's own devices."""

from blackthorn.device.conversations import conversations, self_group
from blackthorn.device.core import group_metadata, unit_of_work
from blackthorn.device.operations import claims, operation, postings
from blackthorn.ports.device_store import OutboxRecord


class CreateSelfGroup(operation.Operation, frozen=True, tag="self"):
    """The group of the user's own devices."""

    @property
    def target(self) -> bytes:
        """Shared state waits behind the group's creation."""
        return operation.name_of(group_metadata.SELF, "")

    def claims(self, unit: unit_of_work.UnitOfWork) -> list[str]:
        return [unit.me.address]

    def prepare(self, unit: unit_of_work.UnitOfWork, row: OutboxRecord) -> operation.Step:
        """Create the group, unless another device has created it."""
        if self_group.present(unit) is not None:
            return operation.NothingToDo()
        found = claims.claimed(unit, row, claims.ClaimRequest(self.claims(unit)))
        if not isinstance(found, claims.Claimed):
            return found
        if not found.packages:
            return operation.NothingToDo()
        metadata = group_metadata.GroupMetadata(
            group_metadata.SELF,
            "",
            conversations.next_created_ms(unit, group_metadata.SELF, ""),
        )
        return postings.creation(unit, row, self, metadata, "", found.packages)

    def failure_text(self) -> operation.FailureText:
        return operation.FailureText(
            "your devices were not brought up to date in", "your own devices"
        )
