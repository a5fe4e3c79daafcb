"""Notices in SQLite (`ports.governance.notices`)."""

from typing import Any, Final

from blackthorn.ports.governance import notices as port
from blackthorn.storage.sqlite.transaction import Table, Transaction

_ADDRESSEE = "SELECT number, address, market, language FROM users WHERE address = ?"
_PAGE = """
SELECT number, address, market, language,
       NOT EXISTS (SELECT 1 FROM case_notice WHERE case_id = ?3 AND seq = ?4 AND user = number)
       AND (NOT ?5 OR EXISTS (SELECT 1 FROM case_notice WHERE user = number AND case_id = ?3))
FROM users WHERE market = ?1 AND number > ?2 ORDER BY number LIMIT ?6
"""
"""A user who read a notice on a device before its mail was stored needs no mail."""

_STATE = "SELECT read_ms IS NOT NULL FROM case_notice WHERE case_id = ? AND seq = ? AND user = ?"
_KNOWS = "SELECT 1 FROM case_notice WHERE user = ? AND case_id = ? LIMIT 1"
_UNREAD = (
    "SELECT case_id FROM case_notice WHERE user = ? AND seq = 0 AND read_ms IS NULL"
    " ORDER BY case_id LIMIT 16"
)
_NOTE = (
    "INSERT INTO case_notice (case_id, seq, user, sent_ms) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET sent_ms = coalesce(sent_ms, excluded.sent_ms)"
)
_READ = (
    "INSERT INTO case_notice (case_id, seq, user, read_ms) VALUES (?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET read_ms = coalesce(read_ms, excluded.read_ms)"
)


def _addressee(transaction: Transaction, query: port.FindAddressee) -> port.Addressee | None:
    row = transaction.connection.execute(_ADDRESSEE, (query.address,)).fetchone()
    return None if row is None else port.Addressee(*row)


def _unnotified(transaction: Transaction, query: port.FindUnnotified) -> port.AddresseePage:
    values = (query.market, query.after, query.case, query.seq, query.only_known, query.limit)
    rows: list[Any] = transaction.connection.execute(_PAGE, values).fetchall()
    people = [port.Addressee(*row[:4]) for row in rows if row[4]]
    return port.AddresseePage(people, rows[-1][0] if len(rows) == query.limit else None)


def _unnotified_of(transaction: Transaction, query: port.FindUnnotifiedOf) -> list[port.Addressee]:
    found = (_addressee(transaction, port.FindAddressee(each)) for each in query.addresses)
    return [
        person
        for person in found
        if person is not None
        and not _state(
            transaction, port.FindNoticeState(query.case, query.seq, person.number)
        ).notified
    ]


def _state(transaction: Transaction, query: port.FindNoticeState) -> port.NoticeState:
    connection = transaction.connection
    found = connection.execute(_STATE, (query.case, query.seq, query.user)).fetchone()
    knows = connection.execute(_KNOWS, (query.user, query.case)).fetchone()
    return port.NoticeState(
        found is not None, found is not None and bool(found[0]), knows is not None
    )


def _unread(transaction: Transaction, query: port.FindUnread) -> port.Unread | None:
    person = _addressee(transaction, port.FindAddressee(query.address))
    if person is None:
        return None
    rows = transaction.connection.execute(_UNREAD, (person.number,))
    return port.Unread(person, [case for (case,) in rows])


def _undisclosed(transaction: Transaction, query: port.ListUndisclosedCases) -> set[str]:
    found = transaction.connection.execute("SELECT DISTINCT case_id FROM decision WHERE sealed = 1")
    return {case for (case,) in found}


def _note(transaction: Transaction, command: port.NoteNotice) -> None:
    values = (command.case, command.seq, command.user, command.sent_ms)
    transaction.connection.execute(_NOTE, values)


def _read(transaction: Transaction, command: port.NoteNoticeRead) -> None:
    values = (command.case, command.seq, command.user, command.now_ms)
    transaction.connection.execute(_READ, values)


COMMANDS: Final[Table] = {port.NoteNotice: _note, port.NoteNoticeRead: _read}
QUERIES: Final[Table] = {
    port.FindAddressee: _addressee,
    port.FindUnnotified: _unnotified,
    port.FindNoticeState: _state,
    port.FindUnnotifiedOf: _unnotified_of,
    port.FindUnread: _unread,
    port.ListUndisclosedCases: _undisclosed,
}
