"""Packages of directives, served in parts."""

from dataclasses import dataclass, field
from typing import Protocol

from blackthorn.ids import Address
from blackthorn.ports.store import Done


@dataclass(frozen=True, slots=True)
class PackagePart:
    """Some bytes of a package of `total` bytes, and facts of its manifest."""

    total: int
    manifest_hash: bytes
    items: int
    accounts_with_data: int
    data: bytes = field(repr=False)


class Productions(Protocol):
    """Builds a directive's package when an officer first fetches it."""

    def part(
        self, address: Address, case: str, offset: int, length: int, done: Done[PackagePart]
    ) -> None:
        """At most `length` bytes of the package from `offset` on, for this user.

        `done` gets ForbiddenError (not a deciding officer, or not approved), UnavailableError
        (being built, or not in the ledger yet), StorageError.
        """
