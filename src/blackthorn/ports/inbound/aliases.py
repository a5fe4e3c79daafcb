"""The port to aliases and lists. All commands and queries may raise DiskError and DamageError."""

from dataclasses import dataclass
from enum import StrEnum

from blackthorn.ids import Address
from blackthorn.ports.store import Command, Query


class AliasKind(StrEnum):
    ALIAS = "alias"
    """Of one user."""
    LIST = "list"
    """Of several users, each of whom gets a sealed copy."""


@dataclass(frozen=True, slots=True)
class ListedAlias:
    """A name of the domain and the users who get its mail, by address."""

    name: str
    kind: AliasKind
    users: tuple[Address, ...]


class AddAlias(Command[None]):
    """Let users get the mail to `name`; a list gets more members.

    Raises AbsentError when one is no user, ConflictError when the name is a user's, or an alias
    that stands for somebody already, or of the other kind, or has `most` users.
    """

    name: str
    address: Address
    kind: AliasKind
    users: tuple[Address, ...]
    most: int


class RemoveAlias(Command[None]):
    """Remove users from a name, or the whole name without users. Raises AbsentError."""

    name: str
    kind: AliasKind
    users: tuple[Address, ...]


class ListAliases(Query[list[ListedAlias]]):
    """The names of a kind after `after`, by name, at most `limit`."""

    kind: AliasKind
    after: str
    limit: int


class FindAlias(Query[tuple[Address, ...]]):
    """The users of the first of `names` that stands for somebody, or none."""

    names: tuple[str, ...]
