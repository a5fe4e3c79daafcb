"""The port to what a device keeps of the age of leaves, a part of `ports.device_store`."""

from dataclasses import dataclass
from typing import NamedTuple, Protocol


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
