"""The port to who was told what about an exit or a directive.

A notice is named by its case and step: the step of an exit that is told of, 0 for a directive.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from blackthorn.ids import Address
from blackthorn.ports.writer import Job


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who may be told: the user's row, address, market (ISO 3166-1 alpha-2) and language tag."""

    number: int
    address: Address
    market: str
    language: str


class NoticeStore(Protocol):
    """Notices by case, step and user. Reads raise StorageError when the database fails."""

    def addressee(self, address: Address) -> Addressee | None:
        """The user of that address."""
        ...

    def untold(
        self, case: str, seq: int, market: str, limit: int, *, met: bool = False
    ) -> list[Addressee]:
        """At most `limit` users of the market for whom this notice is still to be left.

        `met`: only those who had another notice of the case before.
        """
        ...

    def met(self, case: str, user: int) -> bool:
        """Whether the user had any notice of the case."""
        ...

    def told(self, case: str, seq: int, user: int) -> bool:
        """Whether the notice was left for the user, or he was found unreachable."""
        ...

    def was_read(self, case: str, seq: int, user: int) -> bool:
        """Whether a device of the user has told that it was read."""
        ...

    def unread_directives(self, user: int) -> Sequence[str]:
        """The directives of which the user was told and whose notice is not read yet."""
        ...

    def undisclosed(self) -> set[str]:
        """The cases of which the ledger shows only commitments."""
        ...

    def leave(self, case: str, seq: int, user: int, sent_ms: int | None) -> Job[None]:
        """Note that the notice was left then; None: the user is unreachable. Once."""
        ...

    def read(self, case: str, seq: int, user: int, now_ms: int) -> Job[None]:
        """Note that it was read; the first time stays."""
        ...
