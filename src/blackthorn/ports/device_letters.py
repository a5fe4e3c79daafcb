"""The port to mail that the person of a device writes: drafts, mail on its way, mail sent."""

from dataclasses import dataclass, field
from typing import Protocol

DRAFT, WAITING, SENT = "draft", "waiting", "sent"
"""Standings of a letter: kept, to be sent, and accepted by the server."""

CONTENT = 0
"""The copy with the text and its attachments as the person wrote them; the others are sealed."""


@dataclass(frozen=True, slots=True)
class LetterRecord:
    """One mail. `head` is its stored header (`device.letters.letters`).

    `why` says in words what keeps it from being sent, or why it is a draft again.
    """

    number: int
    standing: str
    changed_ms: int
    head: bytes = field(repr=False)
    why: str = ""


class Letters(Protocol):
    """By number; numbers rise and are never used again."""

    def add(self, standing: str, head: bytes, now_ms: int) -> int: ...
    def get(self, number: int) -> LetterRecord | None: ...
    def all(self) -> list[LetterRecord]: ...
    def update(self, record: LetterRecord) -> None: ...
    def remove(self, number: int) -> None: ...
    def keep(self, standing: str, most: int) -> None:
        """Remove all of a standing but the `most` newest."""

    def put(self, number: int, copy: int, data: bytes, piece_bytes: int) -> None:
        """Store the bytes of a copy, in pieces of that size."""

    def size(self, number: int, copy: int) -> int:
        """The bytes of a copy as it was stored, 0 when there is none."""

    def piece(self, number: int, copy: int, place: int) -> bytes:
        """The piece that begins at `place`, or nothing."""

    def read(self, number: int, copy: int) -> bytes:
        """All bytes of a copy. Raises DamageError when a piece is missing."""

    def forget_copies(self, number: int, *, content: bool) -> None:
        """Delete the sealed copies, and with `content` the person's own."""
