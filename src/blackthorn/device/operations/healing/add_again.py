"""Add devices again to a group in which they are: removed and added in one Commit (H10, H11)."""

from blackthorn.device.conversations import conversations, rejoining
from blackthorn.device.core import members, prepared
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.healing import notes
from blackthorn.device.healing.states import Answer, answers
from blackthorn.device.operations import operation, postings
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.ids import Address
from blackthorn.mls.errors import MLSError
from blackthorn.mls.framing.key_package import VerifiedKeyPackage, parse_key_package
from blackthorn.ports.device_store import OutboxRecord


class AddAgain(operation.Operation, frozen=True, tag="again"):
    """The devices that asked to be added again to a conversation, with their key packages."""

    kind: str
    name: str
    conversation: bytes
    wishes: list[notes.Wish]

    @property
    def target(self) -> bytes:
        return operation.name_of(self.kind, self.name)

    def lookups(self, unit: UnitOfWork) -> list[Address]:
        return [Address(wish.user) for wish in self.wishes]

    @property
    def commits(self) -> bool:
        return True

    def sealed_in(self, unit: UnitOfWork) -> Conversation | None:
        record = unit.records.conversations.get(self.conversation)
        if record is None or not answers(record.standing, Answer.ADD_AGAIN):
            return None
        return unit.open(self.conversation)

    def prepare(
        self, unit: UnitOfWork, row: OutboxRecord
    ) -> prepared.PreparedPosting | operation.NothingToDo:
        conversation = self.sealed_in(unit)
        if conversation is None:
            return operation.NothingToDo()
        found = [self._found(unit, conversation, wish) for wish in self.wishes]
        again = dict(filter(None, found))
        if not again:
            return operation.NothingToDo()
        gone = conversations.gone_devices(unit, conversation.group)
        added = list(again.values())
        commit = postings.commit(unit, row, self, conversation, added, gone, "commit", list(again))
        return commit or operation.NothingToDo()

    def _found(
        self, unit: UnitOfWork, conversation: Conversation, wish: notes.Wish
    ) -> tuple[int, VerifiedKeyPackage] | None:
        """The leaf to replace and the package, if the wish is still open and holds."""
        additions = notes.of(unit.records, self.conversation).additions
        if any(one.device == wish.device and one.at_ms >= wish.at_ms for one in additions):
            return None
        now = clock_ms(unit) // 1000
        try:
            package = parse_key_package(wish.package, now=now, validate=unit.validate)
        except MLSError:
            return None
        asker = members.identify(package.credential)
        if (asker.address, asker.device) != (wish.user, wish.device):
            return None
        if not rejoining.is_bound_to(package.package, self.conversation, wish.nonce):
            return None
        if package.suite != conversation.group.suite:
            return None
        for member in conversation.group.members:
            same_key = member.signature_key == package.signature_key
            if same_key and members.identify(member.credential) == asker:
                return member.index, package
        return None

    @property
    def is_asked_for(self) -> bool:
        return False

    def failure_text(self) -> operation.FailureText:
        return operation.FailureText("a device that fell behind was not added again to", self.name)

    def covers(self, other: operation.Operation) -> bool:
        return isinstance(other, AddAgain) and self.conversation == other.conversation
