"""Decisions in SQLite (`ports.cases.CaseStore`): taken, pending, and who may found the officers.

The ledger's entries that show a decision are `storage.sqlite.stores.ledger`'s; the office makes
both one transaction.
"""

from collections.abc import Sequence
from typing import Any

from blackthorn.ids import Address
from blackthorn.ports.cases import PendingDecision, StoredDecision
from blackthorn.ports.writer import Job
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing

_DECISION = (
    "SELECT number, case_id, seq, signed, private, salt, taken_ms, sealed FROM decision"
    " WHERE number > ? ORDER BY number LIMIT ?"
)
_ENTRIES = (
    "SELECT entry FROM ledger_entry WHERE substr(entry, 1, 1) IN (x'12', x'13', x'15')"
    " ORDER BY place"
)


class SqliteCases:
    """The decisions over the reading connection; jobs run on the writer's."""

    def __init__(self, reading: Connection) -> None:
        self._reading = reading

    @storing
    def decisions(self, after: int, limit: int) -> list[StoredDecision]:
        """See `ports.cases.CaseStore`."""
        rows: list[Any] = self._reading.execute(_DECISION, (after, limit)).fetchall()
        return [_decision(row) for row in rows]

    @storing
    def pending(self) -> list[PendingDecision]:
        """See `ports.cases.CaseStore`."""
        rows = self._reading.execute(
            "SELECT case_id, signed, private, since_ms FROM decision_pending ORDER BY since_ms"
        )
        return [PendingDecision(*row) for row in rows]

    @storing
    def founders(self) -> list[Address]:
        """See `ports.cases.CaseStore`."""
        rows = self._reading.execute(
            "SELECT address FROM founder JOIN users ON users.number = founder.user ORDER BY address"
        )
        return [Address(address) for (address,) in rows]

    @storing
    def entries(self) -> list[bytes]:
        """See `ports.cases.CaseStore`."""
        return [entry for (entry,) in self._reading.execute(_ENTRIES)]

    def take(self, decision: StoredDecision) -> Job[None]:
        """See `ports.cases.CaseStore`."""

        def job(transaction: Connection) -> None:
            transaction.execute(
                "INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    decision.number,
                    decision.case,
                    decision.seq,
                    decision.signed,
                    decision.private,
                    decision.salt,
                    decision.taken_ms,
                    int(decision.sealed),
                ),
            )
            transaction.execute("DELETE FROM decision_pending WHERE case_id = ?", (decision.case,))
            if decision.case == "officers":
                transaction.execute("DELETE FROM founder")

        return job

    def unseal(self, shown: Sequence[tuple[str, int]]) -> Job[None]:
        """See `ports.cases.CaseStore`."""

        def job(transaction: Connection) -> None:
            transaction.executemany(
                "UPDATE decision SET sealed = 0 WHERE case_id = ? AND seq = ?", shown
            )

        return job

    def propose(self, pending: PendingDecision) -> Job[None]:
        """See `ports.cases.CaseStore`."""

        def job(transaction: Connection) -> None:
            transaction.execute(
                "INSERT OR REPLACE INTO decision_pending VALUES (?, ?, ?, ?)",
                (pending.case, pending.signed, pending.private, pending.since_ms),
            )

        return job


def _decision(row: Any) -> StoredDecision:
    number, case, seq, signed, private, salt, taken_ms, sealed = row
    return StoredDecision(number, case, seq, signed, private, salt, taken_ms, bool(sealed))


@storing
def open_founding(connection: Connection, addresses: Sequence[Address]) -> str:
    """Name who may found the officers, on the host; why not, or "".

    Once they are founded only officers change officers, whoever has the host.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("SELECT 1 FROM decision WHERE case_id = 'officers'").get is not None:
            refusal = "the officers are founded: from now on two owners appoint others"
        else:
            connection.execute("DELETE FROM founder")
            refusal = ""
            for address in addresses:
                connection.execute(
                    "INSERT INTO founder SELECT number FROM users WHERE address = ?", (address,)
                )
                if not connection.changes():
                    refusal = f"there is no user {address}"
        connection.execute("ROLLBACK" if refusal else "COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return refusal
