"""Add users to a group, or remove them."""

from collections.abc import Sequence

import msgspec

from blackthorn.device.conversations import conversations, naming
from blackthorn.device.core import group_metadata, members
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.operations import claims, limits, operation, postings
from blackthorn.errors import UserError
from blackthorn.ids import Address
from blackthorn.ports.device_store import OutboxRecord


class ChangeGroup(operation.Operation, frozen=True, tag="change"):
    """Users to add to a group, or to remove from it; `remove_devices` are single devices.

    Many devices are added by Commits without a path, which a Commit with one follows.
    """

    name: str
    conversation: bytes
    add: list[str]
    remove: list[str]
    remove_devices: list[bytes] = msgspec.field(default_factory=list)

    @property
    def target(self) -> bytes:
        return operation.name_of(group_metadata.GROUP, self.name)

    def alarm_scope(self, unit: UnitOfWork) -> operation.AlarmScope:
        """Alarms block additions, never removals."""
        return operation.AlarmScope.of(unit, self.add, in_group=True)

    @property
    def commits(self) -> bool:
        return True

    def sealed_in(self, unit: UnitOfWork) -> Conversation:
        return postings.active(unit, self.conversation, "there is no such conversation")

    def claims(self, unit: UnitOfWork) -> list[str]:
        return list(self.add)

    def hold(self, unit: UnitOfWork) -> str:
        return postings.hold(unit, self.conversation)

    def prepare(self, unit: UnitOfWork, row: OutboxRecord) -> operation.Step:
        conversation = self.sealed_in(unit)
        group = conversation.group
        known, suite = members.addresses(group.members), group.suite.number
        wanted = claims.ClaimRequest(list(self.add), known=known, suite=suite)
        found = claims.claimed(unit, row, wanted, self.add)
        if not isinstance(found, claims.Claimed):
            return found
        present = set(conversations.other_devices(unit, group))
        added = [p for p in found.packages if members.identify(p.credential).device not in present]
        removed = members.indices_of(group, self.remove, self.remove_devices)
        total = len(found.packages)
        if not added and not removed and total <= limits.MAX_ADDED_WITH_PATH:
            if self.add and not row.problem:  # else another's change came first, to the same end
                raise claims.HopelessError(f"{', '.join(self.add)}: in the group already")
            return operation.NothingToDo()
        gone = conversations.gone_devices(unit, group)
        postings.check_size(conversation, len(added))
        if len(added) > limits.MAX_ADDED_WITH_PATH:
            count = f"{total - len(added):,} of {total:,} devices are added"
            if removed or gone:  # who else would read on until all are added
                step = postings.commit(
                    unit, row, self, conversation, [], gone, "clearing", removed, progress=count
                )
                return step or self.prepare(unit, row)
            some = added[: limits.MAX_ADDED_WITHOUT_PATH]
            step = postings.commit(
                unit, row, self, conversation, some, [], "additions", progress=count
            )
            return step or operation.NothingToDo()
        found.tell(unit, conversation)
        commit = postings.commit(unit, row, self, conversation, added, gone, "commit", removed)
        return commit or operation.NothingToDo()

    def failure_text(self) -> operation.FailureText:
        change = [f"{address} added to" for address in self.add]
        change += [f"{address} removed from" for address in self.remove]
        return operation.FailureText(f"not {', '.join(change)} the group", self.name)


def _removing(unit: UnitOfWork, conversation: bytes) -> bool:
    """Whether a removal from the conversation waits in the outbox."""
    changes = operation.waiting(unit, ChangeGroup)
    return any(change.conversation == conversation and change.remove for change in changes)


def _present(unit: UnitOfWork, conversation: Conversation, addresses: Sequence[Address]) -> bool:
    """Whether all known devices of these users are in the group."""
    devices = set(conversations.other_devices(unit, conversation.group))
    chains = [unit.chains.of(address) for address in addresses]
    return all(
        chain is not None and {info.id for info in chain.devices} <= devices for chain in chains
    )


def enqueue(
    unit: UnitOfWork, name: str, add: Sequence[Address] = (), remove: Sequence[Address] = ()
) -> int:
    """Enqueue a change of a group's members; the number of its row. Raises UserError."""
    conversation = naming.group_named(unit, name)
    if unit.me.address in (*add, *remove):
        raise UserError("you cannot add or remove yourself")
    operation.check_domain(unit, add)
    present = members.addresses(conversation.group.members)
    for address in remove:
        if address not in present:
            raise UserError(f"{address} is not in the group")
    record = conversation.record
    if add and not _removing(unit, record.id) and _present(unit, conversation, add):
        raise UserError(f"{', '.join(add)}: in the group already")
    return ChangeGroup(record.name, record.id, list(add), list(remove)).enqueue(unit)
