"""Create a group of several users."""

from collections.abc import Sequence

from blackthorn.device import limits
from blackthorn.device.core.group_metadata import GROUP, GroupMetadata
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.healing.states import is_member
from blackthorn.device.operations import claims, operation, postings
from blackthorn.errors import UserError
from blackthorn.ids import Address
from blackthorn.ports.device_store import OutboxRecord


class CreateGroup(operation.Operation, frozen=True, tag="create"):
    """A new group of that name with these users."""

    name: str
    addresses: list[str]

    @property
    def target(self) -> bytes:
        """Messages to the group wait behind its creation."""
        return operation.name_of(GROUP, self.name)

    def alarm_scope(self, unit: UnitOfWork) -> operation.AlarmScope:
        return operation.AlarmScope.of(unit, self.addresses, in_group=True)

    def claims(self, unit: UnitOfWork) -> list[str]:
        return [*self.addresses, unit.me.address]

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> operation.Step:
        wanted = claims.ClaimRequest(self.claims(unit))
        found = claims.claimed(unit, row, wanted, self.addresses)
        if not isinstance(found, claims.Claimed):
            return found
        metadata = GroupMetadata(GROUP, self.name, unit.now_ms)
        prepared = postings.creation(unit, row, self, metadata, self.name, found.packages)
        found.tell(unit, unit.open(prepared.conversation))
        return prepared

    def failure_text(self) -> operation.FailureText:
        return operation.FailureText("not made: the group", self.name)


def enqueue(unit: UnitOfWork, name: str, addresses: Sequence[Address]) -> int:
    """Enqueue the creation of a group; the number of its row. Raises UserError."""
    name = name.strip()
    if not 0 < len(name.encode()) <= limits.MAX_GROUP_NAME_BYTES or not name.isprintable():
        raise UserError(f"a group's name has 1 to {limits.MAX_GROUP_NAME_BYTES} printable bytes")
    others = [address for address in dict.fromkeys(addresses) if address != unit.me.address]
    if not others:
        raise UserError("a group needs somebody besides you")
    operation.check_domain(unit, others)
    known = unit.records.conversations.named(GROUP, name)
    if is_waiting(unit, name) or any(is_member(record.standing) for record in known):
        raise UserError(f"you are in a group named {name} already")
    return CreateGroup(name, list(others)).enqueue(unit)


def is_waiting(unit: UnitOfWork, name: str) -> bool:
    return any(creation.name == name for creation in operation.waiting(unit, CreateGroup))
