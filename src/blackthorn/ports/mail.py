"""The port to the sealed mail that waits on the server. Reads answer from the last commit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from blackthorn.ports.writer import Job


@dataclass(frozen=True, slots=True)
class SealedMail:
    """One sealed mail for the user of row `user`."""

    user: int
    sealed: bytes | bytearray


@dataclass(frozen=True, slots=True)
class MailHead:
    """A stored mail without its bytes: sizes in bytes, time in Unix milliseconds."""

    uid: int
    size: int
    received_ms: int


class MailStore(Protocol):
    """Sealed mail by user and uid; a uid rises within a user and is never given twice."""

    def put(self, mails: Sequence[SealedMail], received_ms: int) -> Job[list[int]]:
        """A job that stores all of `mails` or none, and returns their uids in order."""
        ...

    def list(self, user: int, after: int, limit: int) -> list[MailHead]:
        """At most `limit` mails of the user with a uid above `after`, oldest first."""
        ...

    def read(self, user: int, uid: int, offset: int, length: int) -> tuple[int, bytes] | None:
        """The mail's size and at most `length` of its bytes from `offset` on, or None."""
        ...
