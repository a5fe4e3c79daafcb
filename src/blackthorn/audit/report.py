"""Reads a log for a report, verified as by `audit ledger`, with its register of decisions.

Faults of decisions are found at their entries, independent of the report.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from blackthorn.audit.database import audit_rows
from blackthorn.audit.ledger import Progress, audit, begin
from blackthorn.audit.ledger_run import open_source, own_folder, read_policy_file
from blackthorn.audit.sources import need
from blackthorn.directory.audit import Replay
from blackthorn.errors import DiskError, UserError, VerificationError, system_error
from blackthorn.governance.ledger_time import LoggedOfficers
from blackthorn.report.history import History, Snapshot
from blackthorn.storage.files import atomic
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.stores.ledger_rows import LedgerRows
from blackthorn.tlog.policy import format_policy, parse_policy

AtHead = Callable[[Snapshot, str], None]
"""Receives each head and the log's own trust policy."""


@dataclass(frozen=True, slots=True)
class LogReading:
    """The newest head, and the text of the log's own trust policy."""

    stand: Snapshot
    policy: str


def read_log(target: str, policy: Path | None, progress: Progress, at_head: AtHead) -> LogReading:
    """Read and verify a log: an address, a mirror or a server's folder.

    Raises SecurityError with the fault's place; UserError, UnavailableError or StorageError if it
    cannot be read.
    """
    if (folder := own_folder(target)) is not None:
        return _rows(folder, policy, progress, at_head)
    return _tiles(target, policy, progress, at_head)


class _HistoryReplay(Replay):
    """A directory replay that also feeds a history of decisions."""

    def __init__(self, history: History, policy: str, at_head: AtHead) -> None:
        super().__init__(officers=LoggedOfficers())
        self._history = history
        self._policy = policy
        self._at_head_of = at_head

    def feed(self, data: bytes) -> None:
        super().feed(data)
        stand = self._history.feed(data)
        if stand is not None:
            self._at_head_of(stand, self._policy)


def _tiles(target: str, policy: Path | None, progress: Progress, at_head: AtHead) -> LogReading:
    history = History()
    with ExitStack() as stack:
        source = open_source(target, stack)
        shown = need(source, "policy")
        own = parse_policy(shown)
        text = shown.decode()
        audited = begin(source, own if policy is None else read_policy_file(policy))
        audited.replay = _HistoryReplay(history, text, at_head)
        audit(source, audited, progress)
    return _read(history, text)


def _rows(
    folder: ServerFolder, policy: Path | None, progress: Progress, at_head: AtHead
) -> LogReading:
    keys = folder.ledger.read_keys()
    own = folder.ledger.read_policy()
    text, history = format_policy(own), History()
    given = own if policy is None else read_policy_file(policy)
    with closing(folder.open_database()) as database:
        database.reading.execute("BEGIN")  # one state of all rows, also while the server runs
        rows = LedgerRows(database.reading)
        audited = audit_rows(rows, keys, given, time.time_ns() // 1_000_000, progress)
        size = audited.verified.checkpoint.size
        for place, entry in rows.entries():
            if place >= size:
                break
            stand = history.feed(entry)
            if stand is not None:
                at_head(stand, text)
    return _read(history, text)


def _read(history: History, policy: str) -> LogReading:
    if history.stand is None or history.stand.size != history.size:
        raise VerificationError("D32", "the last entry of the checkpoint is not a head")
    return LogReading(history.stand, policy)


def no_head(stand: Snapshot, policy: str) -> None:
    """The callback of a reader of the newest head alone."""


def write(folder: Path, files: dict[str, bytes]) -> None:
    """Write a report's files. Raises UserError, DiskError."""
    with system_error(UserError, f"{folder} cannot be made"):
        folder.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        with system_error(DiskError, f"{folder / name} cannot be written"):
            atomic.replace(folder / name, data, 0o644)  # it is published
