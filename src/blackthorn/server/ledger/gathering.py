"""What waits for the next epoch, read page by page from the store.

Commands only append statements and entries while pages are read; so pages of a growing number
fit together. What is dropped is dropped by the epochs themselves, before they read anew.
"""

from collections.abc import Callable
from functools import partial

from blackthorn.errors import BlackthornError
from blackthorn.ports.ledger import (
    WaitingRecord,
    WaitingRecords,
    WaitingStatement,
    WaitingStatements,
)
from blackthorn.ports.store import Reader
from blackthorn.server.ledger import limits
from blackthorn.server.ledger.epoch_builder import Waiting, by_user

Done = Callable[[Waiting | BlackthornError], None]


def gather(reader: Reader, limit: int, done: Done) -> None:
    """Give `done` at most `limit` statements that wait, and as many typed entries."""
    _ask_records(reader, limit, [], done)


def _ask_records(reader: Reader, limit: int, found: list[WaitingRecord], done: Done) -> None:
    page = min(limits.WAITING_PAGE, limit - len(found))
    after = found[-1].number if found else 0

    def read(more: list[WaitingRecord] | BlackthornError) -> None:
        if isinstance(more, BlackthornError):
            done(more)
            return
        found.extend(more)
        if len(more) == page and len(found) < limit:
            _ask_records(reader, limit, found, done)
        else:
            _ask_statements(reader, limit, [], partial(_gathered, found, done))

    reader.ask(WaitingRecords(after, page), read)


def _ask_statements(
    reader: Reader,
    limit: int,
    found: list[WaitingStatement],
    done: Callable[[list[WaitingStatement] | BlackthornError], None],
) -> None:
    page = min(limits.WAITING_PAGE, limit - len(found))
    after = found[-1].number if found else 0

    def read(more: list[WaitingStatement] | BlackthornError) -> None:
        if isinstance(more, BlackthornError):
            done(more)
            return
        found.extend(more)
        if len(more) == page and len(found) < limit:
            _ask_statements(reader, limit, found, done)
        else:
            done(found)

    reader.ask(WaitingStatements(after, page), read)


def _gathered(
    records: list[WaitingRecord], done: Done, found: list[WaitingStatement] | BlackthornError
) -> None:
    done(found if isinstance(found, BlackthornError) else Waiting(by_user(found), records))
