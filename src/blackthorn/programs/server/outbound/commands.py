"""`blackthorn mail queue`: list, retry and drop outbound mail, from the server's host."""

import os
import re
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blackthorn.errors import UserError
from blackthorn.ports.outbound.queue import DropMail, ListQueue, RetryMail
from blackthorn.programs.server import configuration
from blackthorn.server.outbound.queue import queue_id
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.engine import host_store

_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True)
class Listed:
    """One delivery of the queue; `state` is new, waiting or dropped."""

    id: str
    state: str
    domain: str
    tries: int
    queued_ms: int
    next_ms: int
    size: int


def listed(path: Path) -> Iterator[Listed]:
    """All deliveries, oldest first. Raises UserError, StorageError."""
    configuration.load(path, os.environ)
    with closing(ServerFolder(path).open_database()) as database:
        store, skip = host_store(database), 0
        while rows := store.read(ListQueue(skip, _PAGE)):
            for row in rows:
                state = "dropped" if row.dropped else "waiting" if row.tries else "new"
                facts = (row.domain, row.tries, row.queued_ms, row.next_ms, row.size)
                yield Listed(queue_id(row.mail), state, *facts)
            skip += len(rows)


def retry(path: Path, which: str) -> int:
    """Make the mail of that id, or `all`, due at once; returns how many deliveries.

    Raises UserError, StorageError.
    """
    mail = None if which == "all" else _number(which)
    configuration.load(path, os.environ)
    with closing(ServerFolder(path).open_database()) as database:
        found = host_store(database).write(RetryMail(mail))
    if not found and mail is not None:
        raise _absent(which)
    return found


def drop(path: Path, which: str) -> None:
    """Give the mail of that id up. Raises UserError, StorageError."""
    mail = _number(which)
    configuration.load(path, os.environ)
    with closing(ServerFolder(path).open_database()) as database:
        if not host_store(database).write(DropMail(mail)):
            raise _absent(which)


def _number(text: str) -> int:
    if not re.fullmatch(r"[0-7][0-9a-f]{15}", text):  # 63 bits, as the database holds them
        raise UserError(f"{text!r} is no id of a mail: `blackthorn mail queue list` shows them")
    return int(text, 16)


def _absent(which: str) -> UserError:
    return UserError(f"no mail {which} is in the queue: it was delivered, or given up")
