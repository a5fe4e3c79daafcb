"""The port to the store of users as administrators see it, with their open codes.

All commands and queries may raise DiskError and DamageError.
"""

from dataclasses import dataclass
from typing import Final, Literal

from blackthorn.errors import ConflictError
from blackthorn.ids import Address
from blackthorn.link.activation.exchange import Verifier
from blackthorn.ports.inbound.aliases import AliasKind
from blackthorn.ports.store import Command, Query


class PinTakenError(ConflictError):
    """Another user has this PIN: draw another one."""


class NameTakenError(ConflictError):
    """The address is that of an alias or a list, whose mail the user would take over."""

    def __init__(self, address: Address, kind: AliasKind) -> None:
        article = "an" if kind is AliasKind.ALIAS else "a"
        super().__init__(f"{address} is {article} {kind} already")
        self.kind = kind


@dataclass(frozen=True, slots=True)
class NewCode:
    """A fresh code as it is stored; `expires_ms` is Unix time in milliseconds."""

    nameplate: str
    verifier: Verifier
    expires_ms: int


@dataclass(frozen=True, slots=True)
class ListedUser:
    """One line of `blackthorn user list`.

    `code` is the state of the user's unused code, empty without one.
    """

    address: str
    pin: str
    devices: int
    created_ms: int
    code: Literal["open", "expired", ""]
    code_expires_ms: int | None
    market: str
    language: str


@dataclass(frozen=True, slots=True)
class Home:
    """A user's market (ISO 3166-1 alpha-2, or ZZ: not stated) and language of notices (BCP 47)."""

    market: str = "ZZ"
    language: str = "en"


NOT_STATED: Final = Home()


class FindUser(Query[bool]):
    address: Address


class NameplateTaken(Query[bool]):
    """Whether a stored code has this nameplate."""

    nameplate: str


class ListUsers(Query[list[ListedUser]]):
    """At most `limit` users, sorted by address, above `after`."""

    now_ms: int
    after: str
    limit: int


class AddUser(Command[None]):
    """A user with a code.

    Raises ConflictError for a taken address, NameTakenError for that of an alias or a list,
    PinTakenError for the PIN.
    """

    address: Address
    pin: str
    now_ms: int
    code: NewCode
    home: Home = NOT_STATED


class RenewCode(Command[None]):
    """Replace the user's unused code. Raises AbsentError without such a user."""

    address: Address
    code: NewCode
