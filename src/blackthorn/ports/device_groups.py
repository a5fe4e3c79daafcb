"""The port to the MLS states in a device's own store, and to what it keeps of their leaves."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple, Protocol

GroupKey = tuple[int, ...]


class EndedEpoch(NamedTuple):
    """A past epoch of which message keys are kept, and their bytes."""

    epoch: int
    ended_ms: int
    bytes: int


class Groups(Protocol):
    """MLS states: a head, and tables of rows by integers (`mls.group.state_rows`).

    `version` counts the changes of one state, whichever process made them. A past epoch has ended;
    its keys go before the rest of it does, with which its envelope key goes.
    """

    def version(self, conversation: bytes) -> int | None: ...
    def head(self, conversation: bytes) -> bytes: ...
    def read(self, conversation: bytes, table: str, begin: GroupKey) -> dict[GroupKey, bytes]: ...
    def write(
        self,
        conversation: bytes,
        head: bytes | None,
        cleared: Iterable[tuple[str, GroupKey]],
        rows: Mapping[str, Mapping[GroupKey, bytes | None]],
    ) -> int: ...
    def end_epochs(self, conversation: bytes, before: int, now_ms: int) -> None: ...
    def epochs_with_keys(self, conversation: bytes) -> Iterable[EndedEpoch]: ...
    def first_ended(self, conversation: bytes, since_ms: int) -> int | None: ...
    def forget_keys(self, conversation: bytes, before: int) -> None: ...
    def forget_epochs(self, conversation: bytes, before: int) -> None: ...


class CommitOrders(Protocol):
    """Void Commits of each epoch by their digests, and the winners that the server named.

    `put_void` keeps at most `most` of an epoch that the server has not named. `give_up` takes the
    newest winner for lost if it was named before that moment and is not void; whether it did.
    `passed` is the newest winner that is void or lost, `missing` one that is neither; empty without
    one. `given_up` are the lost ones, newest first, at most `most`.
    """

    def put_void(self, conversation: bytes, epoch: int, digest: bytes, most: int) -> None: ...
    def put_winner(self, conversation: bytes, epoch: int, digest: bytes, now_ms: int) -> None: ...
    def give_up(self, conversation: bytes, epoch: int, before_ms: int) -> bool: ...
    def is_passed(self, conversation: bytes, epoch: int, digest: bytes) -> bool: ...
    def passed(self, conversation: bytes, epoch: int) -> bytes: ...
    def given_up(self, conversation: bytes, epoch: int, most: int) -> list[bytes]: ...
    def missing(self, conversation: bytes, epoch: int) -> bytes: ...
    def forget_before(self, conversation: bytes, epoch: int) -> None: ...


@dataclass(frozen=True, slots=True)
class LeafRecord:
    """One device's leaf in a conversation; `renewed_ms` is the time of its last Commit, 0: unknown.

    The rest is of this device's own leaf: `moved_ms` when it merged the conversation's last Commit;
    the day of use and the number of own messages from which new keys are due; when they are to be
    made (0: not drawn), whether before the next own text, and whether that time was spread.
    """

    conversation: bytes
    device: bytes
    renewed_ms: int = 0
    moved_ms: int = 0
    due_day: int = 0
    due_sent: int = 0
    drawn_ms: int = 0
    before_text: bool = False
    spread: bool = False


class OwnLeaf(NamedTuple):
    """This device's leaf in a conversation of that kind and name; `sent` counts own messages."""

    kind: str
    name: str
    sent: int
    epoch: int
    leaf: LeafRecord


class Leaves(Protocol):
    """When the leaves of conversations last had new keys (`conversations.renewal`)."""

    def put(self, record: LeafRecord) -> None: ...
    def get(self, conversation: bytes, device: bytes) -> LeafRecord | None: ...
    def own(self, device: bytes, standing: str) -> list[OwnLeaf]: ...
    def renewed_since(self, conversation: bytes, time_ms: int) -> list[bytes]: ...
    def mark_before_text(self, device: bytes) -> None: ...
    def forget(self, conversation: bytes) -> None: ...


@dataclass(frozen=True, slots=True)
class RemovedLeaf:
    """A device that a Commit removed from its leaf in a conversation, beginning `epoch`."""

    conversation: bytes
    device: bytes
    address: str
    leaf: int
    epoch: int


class NotedChanges(Protocol):
    """What is noted of each conversation, the leaves removed there, and former devices.

    A former device's *cut* is 0 when its user's chain has just shown it, -1 once the server was
    asked for all parcels, and then the moment from which its texts are refused.
    """

    def notes(self, conversation: bytes) -> bytes | None: ...
    def put_notes(self, conversation: bytes, notes: bytes | None) -> None: ...
    def all_notes(self) -> list[tuple[bytes, bytes]]: ...
    def add_removed_leaf(self, leaf: RemovedLeaf) -> None: ...
    def removed_leaves(self) -> list[RemovedLeaf]: ...
    def forget_removed_leaf(self, leaf: RemovedLeaf) -> None: ...
    def add_former(self, devices: Iterable[bytes]) -> None: ...
    def cut(self, device: bytes) -> int | None: ...
    def move_cuts(self, before: int, after: int) -> bool: ...
