"""The port to app passwords: one for each mail program of a user, stored as a hash."""

from dataclasses import dataclass

from blackthorn.ports.store import Command, Query


@dataclass(frozen=True, slots=True)
class AppPassword:
    """`salt` 16 bytes, `verifier` 32; `created_ms` Unix milliseconds, `used_day` 0 for never."""

    name: str
    salt: bytes
    verifier: bytes
    created_ms: int
    used_day: int = 0


class KeepAppPassword(Command[None]):
    """Raises ConflictError when the user has one of that name, or `most` already."""

    user: int
    password: AppPassword
    most: int


class RevokeAppPassword(Command[bool]):
    """Whether there was one of that name."""

    user: int
    name: str


class NoteUse(Command[None]):
    """An app password was used on a Unix day."""

    user: int
    name: str
    day: int


class ListAppPasswords(Query[list[AppPassword]]):
    """All of a user, by name."""

    user: int
