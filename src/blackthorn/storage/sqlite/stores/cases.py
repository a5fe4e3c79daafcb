"""Decisions in SQLite (`ports.cases`): taken, pending, and who may found the officers.

The ledger's entries that show a decision are `storage.sqlite.stores.ledger`'s; the decision
service makes both one transaction.
"""

from collections.abc import Sequence
from dataclasses import astuple, replace
from typing import Final

from blackthorn.ids import Address
from blackthorn.ports import cases as port
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.failure import storing
from blackthorn.storage.sqlite.transaction import Table, Transaction

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
    connection.execute("INSERT INTO decision VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(decision))
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
        "INSERT OR REPLACE INTO decision_pending VALUES (?, ?, ?, ?)", astuple(command.pending)
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
