"""Traces of mail from outside in SQLite (`ports.inbound.traces`)."""

from dataclasses import astuple, replace
from typing import Any, Final

from blackthorn.ports.inbound import traces
from blackthorn.storage.sqlite.transaction import Table, Transaction

_SPARE: Final = 100
"""Old traces deleted with each group besides as many as come."""


def _keep(transaction: Transaction, command: traces.KeepTraces) -> None:
    connection = transaction.connection
    connection.executemany(
        "INSERT OR REPLACE INTO mail_trace"
        " (id, received_ms, done_ms, size, copies, tls, verdict, place, reply)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [astuple(trace) for trace in command.traces],
    )
    connection.execute(
        "DELETE FROM mail_trace WHERE id IN"
        " (SELECT id FROM mail_trace WHERE received_ms < ? ORDER BY received_ms LIMIT ?)",
        (command.before_ms, len(command.traces) + _SPARE),
    )


def _trace(transaction: Transaction, query: traces.FindTrace) -> traces.MailTrace | None:
    row: Any = transaction.connection.execute(
        "SELECT id, received_ms, done_ms, size, copies, tls, verdict, place, reply"
        " FROM mail_trace WHERE id = ?",
        (query.id,),
    ).fetchone()
    return None if row is None else replace(traces.MailTrace(*row), tls=bool(row[5]))


COMMANDS: Final[Table] = {traces.KeepTraces: _keep}
QUERIES: Final[Table] = {traces.FindTrace: _trace}
