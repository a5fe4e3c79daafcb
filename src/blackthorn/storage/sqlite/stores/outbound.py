"""The queue of outbound mail in SQLite (`ports.outbound`), wrapped under its sender's market key.

A large mail lies in pieces of `stores.mail`.
"""

from typing import Any, Final

from blackthorn.errors import ConflictError
from blackthorn.ports.mail import PiecedMail
from blackthorn.ports.outbound.queue import (
    CountQueue,
    Delivery,
    DropMail,
    DueDeliveries,
    DueDomain,
    DueDomains,
    FindSubmission,
    FinishDelivery,
    ListQueue,
    PostponeDelivery,
    PurgeSubmissions,
    QueuedDelivery,
    QueueMail,
    ReadQueued,
    RetryMail,
)
from blackthorn.storage.sqlite.database import Connection
from blackthorn.storage.sqlite.stores.mail import adopt_pieces, market_of_user, read_pieces
from blackthorn.storage.sqlite.transaction import Table, Transaction

_DAY_MS: Final = 86_400_000
_PUT = (
    "INSERT INTO outbound_mail (id, user, queued_ms, size, market, pieces, sealed)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_ROUTE = (
    "INSERT INTO outbound_delivery (mail, domain, tries, next_ms, warned, envelope)"
    " VALUES (?, ?, 0, ?, 0, ?)"
)
_SUBMIT = "INSERT INTO submission (user, token, day, mail) VALUES (?, ?, ?, ?)"
_FIND = "SELECT mail FROM submission WHERE user = ? AND token = ?"
_DUE_DOMAINS: Final = (
    "WITH RECURSIVE known (domain) AS (SELECT min(domain) FROM outbound_delivery WHERE domain > ?1"
    " UNION ALL SELECT (SELECT min(domain) FROM outbound_delivery WHERE domain > known.domain)"
    " FROM known WHERE domain IS NOT NULL)"
    " SELECT domain, first = 0 FROM (SELECT domain, (SELECT min(next_ms) FROM outbound_delivery"
    " WHERE domain = known.domain) AS first FROM known WHERE domain IS NOT NULL)"
    " WHERE first <= ?2 LIMIT ?3"
)
"""Steps from domain to domain by the index, whatever their numbers of rows."""
_DUE = (
    "SELECT outbound_delivery.number, mail, domain, address, tries, queued_ms, size, warned,"
    " dropped, outbound_mail.market, envelope FROM outbound_delivery"
    " JOIN outbound_mail ON id = mail JOIN users ON users.number = user"
    " WHERE domain = ? AND next_ms <= ? ORDER BY next_ms, outbound_delivery.number LIMIT ?"
)
_MARKET = "SELECT market FROM outbound_delivery JOIN outbound_mail ON id = mail WHERE number = ?"
_POSTPONE = (
    "UPDATE outbound_delivery SET next_ms = ?, tries = ?, warned = ?, envelope = ? WHERE number = ?"
)
_READ = "SELECT user, size, market, pieces, sealed FROM outbound_mail WHERE id = ?"
_LIST = (
    "SELECT id, domain, tries, queued_ms, next_ms, size, dropped FROM outbound_mail"
    " JOIN outbound_delivery ON mail = id ORDER BY queued_ms, id, domain LIMIT ? OFFSET ?"
)


def _queue(transaction: Transaction, command: QueueMail) -> None:
    connection, wrapping, mail = transaction.connection, transaction.wrapping, command.mail
    market = market_of_user(connection, mail.user)
    if command.token:
        if connection.execute(_FIND, (mail.user, command.token)).get is not None:
            raise ConflictError("the mail was submitted before")
        day = command.queued_ms // _DAY_MS
        connection.execute(_SUBMIT, (mail.user, command.token, day, command.id))
    pieces, sealed, size = None, b"", 0
    if isinstance(mail, PiecedMail):
        pieces, size = mail.mail, mail.size
        adopt_pieces(connection, mail)
    else:
        sealed, size = bytes(mail.sealed), len(mail.sealed)
    stored = wrapping.wrap(market, sealed)
    row = (command.id, mail.user, command.queued_ms, size, market, pieces, stored)
    connection.execute(_PUT, row)
    for route in command.routes:
        wrapped = wrapping.wrap(market, route.envelope)
        connection.execute(_ROUTE, (command.id, route.domain, command.queued_ms, wrapped))


def _postpone(transaction: Transaction, command: PostponeDelivery) -> None:
    connection = transaction.connection
    market = connection.execute(_MARKET, (command.number,)).get
    if market is not None:
        wrapped = transaction.wrapping.wrap(market, command.envelope)
        values = (command.next_ms, command.tries, command.warned, wrapped, command.number)
        connection.execute(_POSTPONE, values)


def _finish(transaction: Transaction, command: FinishDelivery) -> None:
    connection = transaction.connection
    query = "DELETE FROM outbound_delivery WHERE number = ? RETURNING mail"
    rows: list[Any] = connection.execute(query, (command.number,)).fetchall()
    query = "SELECT EXISTS (SELECT 1 FROM outbound_delivery WHERE mail = ?)"
    for (mail,) in rows:
        if not connection.execute(query, (mail,)).get:
            _delete(connection, mail)


def _delete(connection: Connection, mail: int) -> None:
    query = "DELETE FROM outbound_mail WHERE id = ? RETURNING user, pieces"
    rows: list[Any] = connection.execute(query, (mail,)).fetchall()
    for user, pieces in rows:
        if pieces is not None:  # the purge deletes them, in short commands
            query = "INSERT INTO mail_begun (id, user) VALUES (?, ?) ON CONFLICT DO NOTHING"
            connection.execute(query, (pieces, user))


def _retry(transaction: Transaction, command: RetryMail) -> int:
    query = "UPDATE outbound_delivery SET next_ms = 0 WHERE ?1 IS NULL OR mail = ?1"
    transaction.connection.execute(query, (command.mail,)).fetchall()
    return transaction.connection.changes()


def _drop(transaction: Transaction, command: DropMail) -> bool:
    query = "UPDATE outbound_mail SET dropped = 1 WHERE id = ?"
    transaction.connection.execute(query, (command.mail,)).fetchall()
    return transaction.connection.changes() > 0 and _retry(transaction, RetryMail(command.mail)) > 0


def _purge(transaction: Transaction, command: PurgeSubmissions) -> int:
    query = (
        "DELETE FROM submission WHERE (user, token) IN"
        " (SELECT user, token FROM submission WHERE day < ? LIMIT ?)"
    )
    transaction.connection.execute(query, (command.day, command.limit)).fetchall()
    return transaction.connection.changes()


def _find(transaction: Transaction, query: FindSubmission) -> int | None:
    found: int | None = transaction.connection.execute(_FIND, (query.user, query.token)).get
    return found


def _due_domains(transaction: Transaction, query: DueDomains) -> list[DueDomain]:
    rows = transaction.connection.execute(_DUE_DOMAINS, (query.after, query.now_ms, query.limit))
    return [DueDomain(domain, bool(at_once)) for domain, at_once in rows]


def _due(transaction: Transaction, query: DueDeliveries) -> list[Delivery]:
    values = (query.domain, query.now_ms, query.limit)
    rows: list[Any] = transaction.connection.execute(_DUE, values).fetchall()
    return [_delivery(transaction, *row) for row in rows]


def _delivery(transaction: Transaction, *row: Any) -> Delivery:
    *facts, warned, dropped, market, wrapped = row
    values = (*facts, bool(warned), bool(dropped), transaction.wrapping.unwrap(market, wrapped))
    return Delivery(*values)


def _read(transaction: Transaction, query: ReadQueued) -> bytes | None:
    rows: list[Any] = transaction.connection.execute(_READ, (query.mail,)).fetchall()
    for user, size, market, pieces, sealed in rows:
        if pieces is None:
            return transaction.wrapping.unwrap(market, sealed)
        return b"".join(read_pieces(transaction, user, pieces, 0, size))
    return None


def _list(transaction: Transaction, query: ListQueue) -> list[QueuedDelivery]:
    rows: list[Any] = transaction.connection.execute(_LIST, (query.limit, query.skip)).fetchall()
    return [QueuedDelivery(*(*row[:6], bool(row[6]))) for row in rows]


def _count(transaction: Transaction, query: CountQueue) -> int:
    count: int = transaction.connection.execute("SELECT count(*) FROM outbound_delivery").get
    return count


def move_queued(transaction: Transaction, user: int, market: str, limit: int) -> int:
    """Rewrap at most `limit` of the user's queued mails under `market`; returns how many."""
    connection, wrapping = transaction.connection, transaction.wrapping
    query = "SELECT id, market, sealed FROM outbound_mail WHERE user = ? AND market <> ? LIMIT ?"
    mails: list[Any] = connection.execute(query, (user, market, limit)).fetchall()
    for mail, before, sealed in mails:
        query = "SELECT number, envelope FROM outbound_delivery WHERE mail = ?"
        deliveries: list[Any] = connection.execute(query, (mail,)).fetchall()
        for number, envelope in deliveries:
            fresh = wrapping.wrap(market, wrapping.unwrap(before, envelope))
            query = "UPDATE outbound_delivery SET envelope = ? WHERE number = ?"
            connection.execute(query, (fresh, number))
        fresh = wrapping.wrap(market, wrapping.unwrap(before, sealed))
        query = "UPDATE outbound_mail SET market = ?, sealed = ? WHERE id = ?"
        connection.execute(query, (market, fresh, mail))
    return len(mails)


def purge_queued(connection: Connection, user: int, limit: int) -> int:
    """Delete and overwrite at most `limit` of the user's queued mails; returns how many."""
    query = "SELECT id FROM outbound_mail WHERE user = ? LIMIT ?"
    mails: list[Any] = connection.execute(query, (user, max(0, limit))).fetchall()
    for (mail,) in mails:
        connection.execute("DELETE FROM outbound_delivery WHERE mail = ?", (mail,))
        connection.execute("DELETE FROM outbound_mail WHERE id = ?", (mail,))
    return len(mails)


COMMANDS: Final[Table] = {
    QueueMail: _queue,
    PostponeDelivery: _postpone,
    FinishDelivery: _finish,
    RetryMail: _retry,
    DropMail: _drop,
    PurgeSubmissions: _purge,
}
QUERIES: Final[Table] = {
    FindSubmission: _find,
    DueDomains: _due_domains,
    DueDeliveries: _due,
    ReadQueued: _read,
    ListQueue: _list,
    CountQueue: _count,
}
