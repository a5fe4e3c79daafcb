"""The port to the store of users as administrators write it, with their open codes.

All commands and queries may raise DiskError and DamageError.
"""

from dataclasses import dataclass
from typing import Final, Literal

from blackthorn.errors import ConflictError
from blackthorn.ids import Address
from blackthorn.link.activation.exchange import Verifier
from blackthorn.ports.store import Command, Query


class PinTakenError(ConflictError):
    """Another user has this PIN: draw another one."""


@dataclass(frozen=True, slots=True)
class NewCode:
    """A fresh code as it is stored; `expires_ms` is Unix time in milliseconds."""

    nameplate: str
    verifier: Verifier
    expires_ms: int


@dataclass(frozen=True, slots=True)
class ListedUser:
    """One line of `blackthorn user list`.

    `code` is how the user's unused code stands: `open`, `burnt`, `expired`, or empty when there is
    none to wait for. `code_expires_ms` when it is open.
    """

    address: str
    pin: str
    devices: int
    created_ms: int
    code: Literal["open", "burnt", "expired", ""]
    code_expires_ms: int | None
    market: str
    language: str


@dataclass(frozen=True, slots=True)
class Home:
    """Where a user belongs.

    `market` is an ISO 3166-1 alpha-2 code, or ZZ when it is not stated; `language` the BCP 47
    primary tag of the language in which they are given notice.
    """

    market: str = "ZZ"
    language: str = "en"


NOT_STATED: Final = Home()


class FindUser(Query[bool]):
    """Whether there is such a user."""

    address: Address


class NameplateTaken(Query[bool]):
    """Whether a stored code begins with this number."""

    nameplate: str


class ListUsers(Query[list[ListedUser]]):
    """At most `limit` users with addresses above `after`, by address."""

    now_ms: int
    after: str
    limit: int


class AddUser(Command[None]):
    """A user with a code. Raises ConflictError for a taken address, PinTakenError for the PIN."""

    address: Address
    pin: str
    now_ms: int
    code: NewCode
    home: Home = NOT_STATED


class RenewCode(Command[None]):
    """A new code in place of the user's unused one. Raises AbsentError without such a user."""

    address: Address
    code: NewCode
