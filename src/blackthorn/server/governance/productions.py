"""Packages of directives as a service hands them out, part by part."""

from dataclasses import dataclass, field
from typing import Protocol

from blackthorn.ids import Address
from blackthorn.ports.store import Done


@dataclass(frozen=True, slots=True)
class PackagePart:
    """Some bytes of a package of `total` bytes, and what its manifest says."""

    total: int
    manifest_hash: bytes
    items: int
    accounts_with_data: int
    data: bytes = field(repr=False)


class Productions(Protocol):
    """Makes the package of a directive when an officer first asks for it."""

    def part(
        self, address: Address, case: str, offset: int, length: int, done: Done[PackagePart]
    ) -> None:
        """At most `length` bytes of the package from `offset` on, for this user.

        `done` gets ForbiddenError (no officer who decides, or the directive is not approved),
        UnavailableError (it is being made, or the ledger does not show it yet), StorageError.
        """
