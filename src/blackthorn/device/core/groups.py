"""MLS groups of conversations: read from their rows, kept by a process, written back as changes.

An older vault has a group in one piece, which becomes rows when it is written for the first time.
"""

from collections import OrderedDict
from dataclasses import dataclass, field, replace
from functools import partial

from blackthorn.device.core import limits
from blackthorn.device.core.envelope import EnvelopeKey
from blackthorn.mls.epoch.epoch import Member
from blackthorn.mls.group import state_rows
from blackthorn.mls.group.group import Group
from blackthorn.ports.device_store import ConversationRecord, Records


@dataclass(slots=True)
class Conversation:
    """An opened conversation; `version` is that of the rows that `group` was read from."""

    record: ConversationRecord
    group: Group
    version: int = 0
    written: ConversationRecord | None = None
    altered: bool = False
    """Whether something was written since this was reset."""

    @property
    def is_altered(self) -> bool:
        """Whether it differs from what was stored when `altered` was reset."""
        return self.altered or self.group.is_altered or self.record != self.written

    @classmethod
    def read(cls, records: Records, record: ConversationRecord) -> "Conversation":
        """A stored one. Raises MLSError when it is damaged."""
        version = records.groups.version(record.id)
        if version is None:
            return cls(record, Group.deserialise(record.state), 0, record)
        read = partial(records.groups.read, record.id)
        return cls(record, Group.load(records.groups.head(record.id), read), version, record)

    def recall(self, records: Records, epoch: int) -> None:
        """Read what is kept of a past epoch."""
        self.group.recall(epoch, partial(records.groups.read, self.record.id))

    def forget_leaf(self, records: Records, leaf: int, until: int) -> None:
        """Delete a leaf's keys for late messages of the epochs before `until`, as which it went."""
        self.write(records)
        spans = records.groups.read(self.record.id, state_rows.Table.LEAF_SPAN, (leaf,))
        began = max((epoch for _, epoch in spans if epoch < until), default=0)
        kept = (one.epoch for one in records.groups.epochs_with_keys(self.record.id))
        epochs = [epoch for epoch in kept if began <= epoch < until]
        self.group.forget_leaf(leaf, epochs)
        tables = state_rows.Table.RATCHET, state_rows.Table.SKIPPED
        cleared = [(table, (epoch, leaf)) for epoch in epochs for table in tables]
        self.version = records.groups.write(self.record.id, None, cleared, {})
        self.altered = True

    def write(self, records: Records) -> None:
        """Write what has changed."""
        changes = self.group.take_changes()
        if self.record.state:
            self.record = replace(self.record, state=b"")  # which become rows below
        if self.record != self.written:
            records.conversations.put(self.record)
            self.written, self.altered = self.record, True
        if changes is not None:
            self.altered = True
            made = changes.head, changes.cleared, changes.rows
            self.version = records.groups.write(self.record.id, *made)


@dataclass
class GroupCache:
    """Groups of a process beyond a unit of work; another process's change makes one stale."""

    envelopes: tuple[int, list[EnvelopeKey]] = (-1, [])
    """All envelope keys, and the generation of keys in which they were read."""
    _found: OrderedDict[bytes, tuple[Conversation, int]] = field(default_factory=OrderedDict)
    """With the number of its leaves."""
    _leaves: int = 0

    def take(self, records: Records, record: ConversationRecord) -> Conversation:
        """A stored conversation, out of here until it is kept again. Raises MLSError: damaged."""
        known = self._pop(record.id)
        if known is None or known.version != records.groups.version(record.id):
            return Conversation.read(records, record)
        return Conversation(record, known.group, known.version, record)

    def keep(self, conversation: Conversation) -> None:
        """One whose changes are durable. The least recently used go beyond the limit."""
        leaves = conversation.group.leaf_count
        self._found[conversation.record.id] = conversation, leaves
        self._leaves += leaves
        while self._leaves > limits.MAX_CACHED_LEAVES and len(self._found) > 1:
            self._pop(next(iter(self._found)))

    def _pop(self, conversation: bytes) -> Conversation | None:
        found, leaves = self._found.pop(conversation, (None, 0))
        self._leaves -= leaves
        return found


def members(records: Records, record: ConversationRecord) -> list[Member]:
    """The members of a conversation, those until then for a removed device. Raises MLSError."""
    if records.groups.version(record.id) is None:
        return Group.deserialise(record.state).members
    spans = records.groups.read(record.id, state_rows.Table.LEAF_SPAN, ())
    return list(state_rows.members_at(record.epoch, spans).values())
