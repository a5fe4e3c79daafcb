"""The raw rows of the ledger, for an audit of the database.

A value of another type than the schema's, in a damaged file, is returned as it is.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing


@dataclass(frozen=True, slots=True)
class EpochRow:
    """A row of `ledger_epoch`."""

    size: int
    root: bytes
    note: bytes | None
    published: int


StatementRow = tuple[int, int, bytes, str, int, bytes, int | None]
"""Number, seq, head, kind, flags, statement, place."""


@dataclass(frozen=True, slots=True)
class UserRows:
    """All rows of one user's ledger, in order."""

    user: int
    address: str
    label: tuple[bytes, bytes, bytes] | None
    """Index, VRF proof, salt."""
    leaves: list[tuple[int, bytes, int, int, int]]
    """Version, head, seq, flags, place."""
    statements: list[StatementRow]
    certificates: list[tuple[int, bytes]]
    """Seq, certificate."""
    compatible: list[tuple[int, bytes, int]]
    """Seq, certificate, copies."""


class LedgerRows:
    """Reads over one connection; every method may raise StorageError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @storing
    def epochs(self) -> list[EpochRow]:
        query = "SELECT size, root, note, published FROM ledger_epoch ORDER BY size"
        return [EpochRow(*row) for row in self._connection.execute(query)]

    @storing
    def entry_count(self) -> int:
        (count,) = self._all("SELECT count(*) FROM ledger_entry")[0]
        return int(count)

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Place and entry, by place. Raises StorageError while it is read."""
        query = "SELECT place, entry FROM ledger_entry WHERE place >= ? ORDER BY place LIMIT 4096"
        start = -(2**63)
        while rows := self._all(query, start):
            yield from rows
            start = rows[-1][0] + 1

    @storing
    def users(self) -> list[tuple[int, str]]:
        """Row and address of every user in the ledger's tables; "" for an unknown one."""
        return [
            (int(user), str(address or ""))
            for user, address in self._all(
                "SELECT named.user, address FROM (SELECT user FROM ledger_label UNION"
                " SELECT user FROM ledger_leaf UNION SELECT user FROM chain_statement UNION"
                " SELECT user FROM user_certificate UNION"
                " SELECT user FROM compatible_certificate) AS named"
                " LEFT JOIN users ON users.number = named.user ORDER BY named.user"
            )
        ]

    @storing
    def of(self, user: int, address: str) -> UserRows:
        labels = self._all("SELECT map_index, vrf_proof, salt FROM ledger_label WHERE user=?", user)
        return UserRows(
            user,
            address,
            labels[0] if labels else None,
            self._all(
                "SELECT version, head, seq, flags, place FROM ledger_leaf WHERE user = ?"
                " ORDER BY version",
                user,
            ),
            self._all(
                "SELECT number, seq, head, kind, flags, statement, place FROM chain_statement"
                " WHERE user = ? ORDER BY seq",
                user,
            ),
            self._all(
                "SELECT seq, certificate FROM user_certificate WHERE user = ? ORDER BY seq", user
            ),
            self._all(
                "SELECT seq, certificate, copies FROM compatible_certificate WHERE user = ?"
                " ORDER BY seq",
                user,
            ),
        )

    @storing
    def records(self) -> list[tuple[int, int, bytes]]:
        """Number, kind and body of the unpublished typed entries."""
        return self._all("SELECT number, kind, body FROM ledger_record ORDER BY number")

    @storing
    def evidence(self) -> list[bytes]:
        """Notes of a newer state of this ledger."""
        return [note for (note,) in self._all("SELECT note FROM ledger_evidence")]

    @storing
    def _all(self, query: str, *values: Any) -> list[Any]:
        return self._connection.execute(query, values).fetchall()
