"""`blackthorn audit ledger`: a server's own folder row by row, other logs by their tiles.

Both give the same `Result`; nothing is cosigned before everything has passed.
"""

import time
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from blackthorn.audit.database import RowsAudit, audit_rows
from blackthorn.audit.ledger import LedgerAudit, Progress, audit, begin, read_policy
from blackthorn.audit.memory import AuditMemory
from blackthorn.audit.sources import FolderSource, HttpSource, Source
from blackthorn.errors import SecurityError, UserError, VerificationError
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.stores.ledger_rows import LedgerRows
from blackthorn.tlog.policy import Policy, parse_policy
from blackthorn.wire.dates import rfc3339

GIVEN: Final = "given"
OWN: Final = "the log's own"


@dataclass(frozen=True, slots=True)
class Result:
    """A passed audit; `resets` only for a server's own folder.

    `falls` are times to which officers have set the ledger back after a wrong clock.
    """

    origin: str
    entries: int
    users: int
    epochs: int
    changes: int
    records: int
    configurations: int
    resets: int | None
    falls: list[str]
    published: str
    cosignatures: dict[str, str]
    freshest: str | None
    policy: str
    waiting: int | None
    cosigned: str | None

    def as_json(self) -> dict[str, object]:
        return asdict(self)


def run_audit(
    target: str,
    policy: Path | None,
    evidence: Path | None,
    cosign: Callable[[LedgerAudit], str] | None,
    progress: Progress,
) -> Result:
    """Audit an address, a mirror or a server's folder; `cosign` signs a passed one.

    Raises SecurityError with the first fault's place; UserError, UnavailableError or StorageError
    if it cannot be audited.
    """
    given = None if policy is None else read_policy_file(policy)
    memory = None if evidence is None else AuditMemory(evidence)
    rows: RowsAudit | None = None
    if (folder := own_folder(target)) is not None:
        audited, rows = _rows(folder, given, progress)
    else:
        audited = _tiles(target, given, memory, progress)
    if memory is not None:
        memory.compare(audited)
    line = None if cosign is None else cosign(audited)
    return _result(audited, rows, GIVEN if given is not None else OWN, line)


def read_policy_file(path: Path) -> Policy:
    """Raises UserError."""
    try:
        return parse_policy(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except VerificationError as error:
        raise UserError(f"{path}: {error}") from None


def own_folder(target: str) -> ServerFolder | None:
    """The server's folder at `target`, if it is one."""
    folder = ServerFolder(Path(target))
    return folder if "://" not in target and folder.settings.is_file() else None


def _rows(
    folder: ServerFolder, given: Policy | None, progress: Progress
) -> tuple[LedgerAudit, RowsAudit]:
    keys = folder.ledger.read_keys()
    policy = given or folder.ledger.read_policy()
    with closing(folder.open_database()) as database:
        database.reading.execute("BEGIN")  # one state of all rows, also while the server runs
        now_ms = time.time_ns() // 1_000_000
        rows = audit_rows(LedgerRows(database.reading), keys, policy, now_ms, progress)
    return LedgerAudit(policy, rows.verified, rows.log, rows.replay), rows


def _tiles(
    target: str, given: Policy | None, memory: AuditMemory | None, progress: Progress
) -> LedgerAudit:
    with ExitStack() as stack:
        source = open_source(target, stack)
        audited = begin(source, given or read_policy(source))
        try:
            audit(source, audited, progress)
        except VerificationError as error:
            if memory is None or not error.rule.startswith("D"):
                raise
            raise SecurityError(f"{error}; {memory.write_bad_log(audited)}") from error
    return audited


def open_source(target: str, stack: ExitStack) -> Source:
    """An address or a mirror's folder, open until the stack ends.

    Raises UserError when it is neither, or no ledger answers at the address; UnavailableError.
    """
    if "://" in target:
        source = stack.enter_context(HttpSource(target))
        if source.read("checkpoint") is None and source.read("policy") is None:
            raise UserError(
                f"no ledger answers at {target}: a server's ledger has a port of its own, 3102 "
                "unless its settings say another"
            )
        return source
    if (Path(target) / "checkpoint").is_file():
        return FolderSource(Path(target))
    raise UserError(
        f"{target!r} is not an address such as https://HOST:3102, a server's folder or a mirror of "
        "a log"
    )


def _result(audited: LedgerAudit, rows: RowsAudit | None, policy: str, line: str | None) -> Result:
    verified, replay = audited.verified, audited.replay
    tally = replay.tally
    times = {name: rfc3339(at * 1000) for name, at in sorted(verified.times.items())}
    return Result(
        origin=verified.checkpoint.origin,
        entries=verified.checkpoint.size,
        users=replay.users,
        epochs=tally.epochs,
        changes=tally.mutations,
        records=tally.records,
        configurations=tally.configs,
        resets=rows.resets if rows is not None else None,
        falls=[rfc3339(fall.unix_ms) for fall in replay.falls],
        published=rfc3339(replay.unix_ms),
        cosignatures=times,
        freshest=max(times.values(), default=None),
        policy=policy,
        waiting=rows.pending if rows is not None else None,
        cosigned=line,
    )
