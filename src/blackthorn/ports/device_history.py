"""The port to the lines that a person sees: messages and events of all conversations."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol


@dataclass(frozen=True, slots=True)
class HistoryRecord:
    """One line of a conversation.

    `message` is the 32-byte message id. `sort` is "text", or "event" (a member was added).
    `standing` is "received", or for own messages "waiting", "accepted" or "failed". `conversation`
    is empty while a first message waits. `why` says why it failed. The store sets `number`; `mark`
    tells of a former device, or of the device that handed the line on.

    `device` has written the text as its `count`th in the conversation, both empty if not known.
    `handed`: another device of this user handed it on; `before` is then the number of the line
    before which it is shown, or 0.
    """

    message: bytes
    conversation: bytes
    kind: str
    name: str
    sender: str
    sort: str
    text: str = field(repr=False)
    sent_ms: int
    received_ms: int
    standing: str
    shown: bool = False
    number: int = 0
    mark: str = ""
    device: bytes = b""
    count: int = 0
    handed: bool = False
    before: int = 0
    why: str = ""


@dataclass(frozen=True, slots=True)
class Authored:
    """Where a text stands in the history, and who wrote it when: see `HistoryRecord`."""

    at: int
    device: bytes
    conversation: bytes
    kind: str
    name: str
    count: int
    sent_ms: int


class Place(NamedTuple):
    """A conversation as lines of the history name it; its id is empty while it is not made."""

    conversation: bytes
    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """Lines of these places, or of all.

    `received`: of others only; `opened`: that this device has itself received.
    """

    received: bool = False
    opened: bool = False
    places: Sequence[Place] | None = None


ALL_LINES = HistoryQuery()


class History(Protocol):
    """The messages and events that a person sees."""

    def add(self, record: HistoryRecord) -> int: ...
    def known(self, message: bytes) -> bool: ...
    def get(self, message: bytes) -> HistoryRecord | None: ...
    def set_standing(self, message: bytes, standing: str, why: str = "") -> None: ...
    def rename(self, message: bytes, renamed: bytes, conversation: bytes, count: int) -> None: ...
    def standing(self, message: bytes) -> str | None: ...
    def set_shown(self, numbers: Sequence[int]) -> None: ...
    def unshown(self, limit: int) -> list[HistoryRecord]: ...
    def latest(self, limit: int, query: HistoryQuery = ALL_LINES) -> list[HistoryRecord]: ...
    def count(self, query: HistoryQuery) -> int: ...
    def places(self) -> list[Place]: ...
    def texts_since(self, conversation: bytes, ms: int, most: int) -> list[HistoryRecord]: ...
    def counted(
        self, conversation: bytes, device: bytes, counts: Sequence[int]
    ) -> list[HistoryRecord]: ...
    def authored(self, devices: Sequence[bytes]) -> list[Authored]: ...
