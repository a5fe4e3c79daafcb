"""Kept MTA-STS policies in SQLite (`ports.outbound.policies`)."""

from typing import Any, Final

from blackthorn.ports.outbound.policies import FindPolicy, KeepPolicy, KeptPolicy
from blackthorn.storage.sqlite.transaction import Table, Transaction


def _keep(transaction: Transaction, command: KeepPolicy) -> None:
    policy = command.policy
    query = "DELETE FROM sts_policy WHERE until_ms < ?"
    transaction.connection.execute(query, (command.now_ms,)).fetchall()
    transaction.connection.execute(
        "INSERT OR REPLACE INTO sts_policy (domain, id, until_ms, mode, servers)"
        " VALUES (?, ?, ?, ?, ?)",
        (policy.domain, policy.id, policy.until_ms, policy.mode, " ".join(policy.servers)),
    )


def _find(transaction: Transaction, query: FindPolicy) -> KeptPolicy | None:
    text = "SELECT domain, id, until_ms, mode, servers FROM sts_policy WHERE domain = ?"
    rows: list[Any] = transaction.connection.execute(text, (query.domain,)).fetchall()
    found = [KeptPolicy(*(*row[:4], tuple(row[4].split()))) for row in rows]
    return found[0] if found else None


COMMANDS: Final[Table] = {KeepPolicy: _keep}
QUERIES: Final[Table] = {FindPolicy: _find}
