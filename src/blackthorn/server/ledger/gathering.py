"""Statements and entries for the next epoch, read from the store in pages.

Commands only append while pages are read, so pages fit together; epochs drop rows before reading.
"""

from collections.abc import Callable
from typing import TypeVar

from blackthorn.ports import ledger as ports
from blackthorn.ports.store import Done, Query, Reader, unless_failed
from blackthorn.server.ledger import limits
from blackthorn.server.ledger.epoch_builder import Waiting, by_user

Row = TypeVar("Row", ports.WaitingRecord, ports.WaitingStatement)


def gather(reader: Reader, limit: int, done: Done[Waiting]) -> None:
    """Give `done` at most `limit` unpublished statements, and as many typed entries."""

    def read(records: list[ports.WaitingRecord]) -> None:
        def gathered(statements: list[ports.WaitingStatement]) -> None:
            done(Waiting(by_user(statements), records))

        _ask(reader, ports.WaitingStatements, limit, [], unless_failed(done, gathered))

    _ask(reader, ports.WaitingRecords, limit, [], unless_failed(done, read))


def _ask(
    reader: Reader,
    query: Callable[[int, int], Query[list[Row]]],
    limit: int,
    found: list[Row],
    done: Done[list[Row]],
) -> None:
    page = min(limits.WAITING_PAGE, limit - len(found))
    after = found[-1].number if found else 0

    def read(more: list[Row]) -> None:
        found.extend(more)
        if len(more) == page and len(found) < limit:
            _ask(reader, query, limit, found, done)
        else:
            done(found)

    reader.ask(query(after, page), unless_failed(done, read))
