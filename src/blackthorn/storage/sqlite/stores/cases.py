"""Decisions in SQLite (`ports.governance.cases`): stored, proposed, and the founders.

Their ledger entries are in `stores.ledger`; the decision service writes both in one transaction.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from blackthorn.ids import Address
from blackthorn.ports.governance import cases as port
from blackthorn.storage.rows import values
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import immediate
from blackthorn.storage.sqlite.transaction import Table, Transaction, user_number

_DECISION = (
    "SELECT number, case_id, seq, signed, private, salt, taken_ms, sealed FROM decision"
    " WHERE number > ? ORDER BY number LIMIT ?"
)
_PENDING = "SELECT case_id, signed, private, since_ms FROM decision_pending ORDER BY since_ms"
_FOUNDERS = "SELECT address FROM founder JOIN users ON users.number = founder.user ORDER BY address"
_ENTRIES = (
    "SELECT place, entry FROM ledger_entry WHERE substr(entry, 1, 1) IN (x'12', x'13', x'15')"
    " AND place > ? ORDER BY place LIMIT ?"
)


def _decisions(transaction: Transaction, query: port.ListDecisions) -> list[port.StoredDecision]:
    rows = transaction.connection.execute(_DECISION, (query.after, query.limit))
    return [replace(port.StoredDecision(*row), sealed=bool(row[7])) for row in rows]


def _pending(
    transaction: Transaction, query: port.ListPendingDecisions
) -> list[port.PendingDecision]:
    return [port.PendingDecision(*row) for row in transaction.connection.execute(_PENDING)]


def _founders(transaction: Transaction, query: port.ListFounders) -> list[Address]:
    return [Address(address) for (address,) in transaction.connection.execute(_FOUNDERS)]


def _entries(transaction: Transaction, query: port.ListDecisionEntries) -> list[tuple[int, bytes]]:
    rows = transaction.connection.execute(_ENTRIES, (query.after, query.limit))
    return [(place, entry) for place, entry in rows]


def _store(transaction: Transaction, command: port.StoreDecision) -> None:
    connection, decision = transaction.connection, command.decision
    connection.execute("INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?)", values(decision))
    connection.execute("DELETE FROM decision_pending WHERE case_id = ?", (decision.case,))
    if decision.case == "officers":
        connection.execute("DELETE FROM founder")


def _mark_disclosed(transaction: Transaction, command: port.MarkDisclosed) -> None:
    query = "UPDATE decision SET sealed = 0 WHERE case_id = ? AND seq = ?"
    transaction.connection.executemany(query, command.decisions)


def _propose(transaction: Transaction, command: port.ProposeDecision) -> None:
    query = "SELECT signed FROM decision_pending WHERE case_id = ?"
    command.check(transaction.connection.execute(query, (command.pending.case,)).get or b"")
    transaction.connection.execute(
        "INSERT OR REPLACE INTO decision_pending VALUES (?, ?, ?, ?)", values(command.pending)
    )


COMMANDS: Final[Table] = {
    port.StoreDecision: _store,
    port.MarkDisclosed: _mark_disclosed,
    port.ProposeDecision: _propose,
}
QUERIES: Final[Table] = {
    port.ListDecisions: _decisions,
    port.ListPendingDecisions: _pending,
    port.ListFounders: _founders,
    port.ListDecisionEntries: _entries,
}


def open_founding(connection: Connection, addresses: Sequence[Address]) -> str:
    """Set the users who may found the officers, on the host; returns the refusal, or "".

    Once founded, only officers change officers. Raises StorageError.
    """
    with immediate(connection):
        if connection.execute("SELECT 1 FROM decision WHERE case_id = 'officers'").get is not None:
            return "the officers are founded: from now on two owners appoint others"
        users = [user_number(connection, address) for address in addresses]
        if None in users:
            return f"there is no user {addresses[users.index(None)]}"
        connection.execute("DELETE FROM founder")
        connection.executemany("INSERT INTO founder VALUES (?)", [(user,) for user in users])
    return ""
