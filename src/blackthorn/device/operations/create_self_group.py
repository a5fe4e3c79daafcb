"""Create the group of the user's own devices."""

from blackthorn.device.conversations import self_group
from blackthorn.device.core import group_metadata, unit_of_work
from blackthorn.device.operations import operation, postings, prepared
from blackthorn.ports.device_store import OutboxRecord


class CreateSelfGroup(operation.Operation, frozen=True, tag="self"):
    """The group of the user's own devices."""

    @property
    def target(self) -> bytes:
        """Shared state waits behind the group's creation."""
        return operation.name_of(group_metadata.SELF, "")

    def claims(self, unit: unit_of_work.UnitOfWork) -> list[str]:
        return [unit.me.address]

    def prepare(
        self, unit: unit_of_work.UnitOfWork, row: OutboxRecord
    ) -> prepared.PreparedPosting | operation.ClaimRequest | operation.NothingToDo:
        """Create the group, unless another device has created it."""
        if self_group.present(unit) is not None:
            return operation.NothingToDo()
        packages = operation.claimed(unit, row, operation.ClaimRequest(self.claims(unit)))
        if isinstance(packages, operation.ClaimRequest):
            return packages
        if not packages:
            return operation.NothingToDo()
        metadata = group_metadata.GroupMetadata(group_metadata.SELF, "", unit.now_ms)
        return postings.creation(unit, row, self, metadata, "", packages)

    def failure_text(self) -> operation.FailureText:
        return operation.FailureText(
            "your devices were not brought up to date in", "your own devices"
        )
