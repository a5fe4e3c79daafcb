"""`blackthorn audit ledger`: which log, against which policy, and what came of it.

A server's own folder is audited row by row, everything else by its tiles. Whatever is audited,
the result is the same few numbers, and nothing is cosigned before all of it has passed.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from blackthorn.audit.database import RowsAudited, audit_rows
from blackthorn.audit.fork_evidence import fork_evidence
from blackthorn.audit.ledger import Audited, audit, begin, read_policy
from blackthorn.audit.memory import AuditMemory
from blackthorn.audit.sources import FolderSource, HttpSource, Source
from blackthorn.errors import SecurityError, UserError, VerificationError
from blackthorn.programs.server import configuration
from blackthorn.programs.server.folder import ServerDirectory
from blackthorn.programs.witness.folder import WitnessDirectory
from blackthorn.programs.witness.status import rfc3339
from blackthorn.programs.witness.witness import EvidenceFolder, Witness
from blackthorn.storage.files.anchor import Anchor
from blackthorn.storage.sqlite.stores.ledger_rows import LedgerRows
from blackthorn.tlog.policy import Policy, parse_policy
from blackthorn.tlog.witness import AddCheckpoint, WitnessRefusal, format_add_checkpoint

GIVEN: Final = "given"
OWN: Final = "the log's own"


@dataclass(frozen=True, slots=True)
class Result:
    """What an audit that found nothing wrong tells. `resets` are known of an own folder only."""

    origin: str
    entries: int
    users: int
    epochs: int
    changes: int
    records: int
    configurations: int
    resets: int | None
    published: str
    cosignatures: dict[str, str]
    freshest: str | None
    policy: str
    waiting: int | None
    cosigned: str | None

    def as_json(self) -> dict[str, object]:
        """For --json."""
        return asdict(self)


def run_audit(
    target: str, policy: Path | None, evidence: Path | None, cosign: Path | None, console: Console
) -> Result:
    """Audit an address, a mirror or a server's folder; progress goes to `console`.

    Raises SecurityError with the place of the first thing that is wrong; UserError,
    UnavailableError or StorageError when it cannot be audited.
    """
    given = None if policy is None else read_policy_file(policy)
    memory = None if evidence is None else AuditMemory(evidence)
    folder = Path(target)
    if "://" not in target and (folder / configuration.FILE_NAME).is_file():
        audited, rows = _own_folder(folder, given, console)
    else:
        audited, rows = _tiles(target, given, memory, console), None
    if memory is not None:
        memory.compare(audited)
    line = None if cosign is None else _cosign(audited, cosign)
    return _result(audited, rows, GIVEN if given is not None else OWN, line)


def read_policy_file(path: Path) -> Policy:
    """The trust policy in a file. Raises UserError."""
    try:
        return parse_policy(path.read_bytes())
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    except VerificationError as error:
        raise UserError(f"{path}: {error}") from None


def _own_folder(path: Path, given: Policy | None, console: Console) -> tuple[Audited, RowsAudited]:
    directory = ServerDirectory(path)
    keys = directory.ledger.read_keys()
    policy = given or directory.ledger.read_policy()
    with closing(directory.open_database()) as database, progress_bar(console) as progress:
        database.reading.execute("BEGIN")  # one state of all rows, also while the server runs
        now_ms = time.time_ns() // 1_000_000
        rows = audit_rows(LedgerRows(database.reading), keys, policy, now_ms, progress)
    return Audited(policy, rows.verified, rows.log, rows.replay), rows


def _tiles(
    target: str, given: Policy | None, memory: AuditMemory | None, console: Console
) -> Audited:
    with ExitStack() as stack:
        source = open_source(target, stack)
        progress = stack.enter_context(progress_bar(console))
        audited = begin(source, given or read_policy(source))
        try:
            audit(source, audited, progress)
        except VerificationError as error:
            if memory is None or not error.rule.startswith("D"):
                raise
            raise SecurityError(f"{error}; {memory.write_bad_log(audited)}") from error
    return audited


def open_source(target: str, stack: ExitStack) -> Source:
    """An address or a mirror's folder, open until the stack ends. Raises UserError."""
    if "://" in target:
        return stack.enter_context(HttpSource(target))
    if (Path(target) / "checkpoint").is_file():
        return FolderSource(Path(target))
    raise UserError(f"{target!r} is no address, no server's folder and no mirror of a log")


@contextmanager
def progress_bar(console: Console) -> Iterator["Bar"]:
    """Tells on the console how far a replay is."""
    bar = Progress(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("entries"),
        console=console,
        disable=not console.is_terminal,
    )
    with bar:
        yield Bar(bar, console)


class Bar:
    """A bar at a terminal; one plain line when piped."""

    def __init__(self, bar: Progress, console: Console) -> None:
        self._bar = bar
        self._console = console
        self._task = bar.add_task("", total=None)
        self._told = False

    def __call__(self, done: int, total: int) -> None:
        """So many entries of so many have been replayed."""
        self._bar.update(self._task, completed=done, total=total)
        if not self._console.is_terminal and not self._told:
            self._told = True
            self._console.print(f"replaying {total} entries", markup=False)


def _cosign(audited: Audited, path: Path) -> str:
    """Cosign with an auditor's own key, by the rules of witnesses. Raises SecurityError, …"""
    directory = WitnessDirectory(path)
    cosigner = directory.cosigner()
    directory.lock()
    checkpoint = audited.checkpoint
    with closing(directory.open_store()) as store:
        if store.log(checkpoint.origin) is None:
            raise UserError(
                f"this auditor does not know the log: `blackthorn witness add-log {path} "
                f"{audited.policy.log}`"
            )
        latest = store.latest(checkpoint.origin)
        old = latest.checkpoint.size if latest is not None else 0
        if old > checkpoint.size:
            raise SecurityError(
                f"this auditor has cosigned {old} entries, and the log shows {checkpoint.size}"
            )
        proof = tuple(audited.log.consistency_proof(old, checkpoint.size))
        request = AddCheckpoint(old, proof, audited.verified.note)
        auditor = Witness(
            cosigner,
            store,
            Anchor.open(directory.anchor),
            lambda: int(time.time()),
            EvidenceFolder(directory.evidence, fork_evidence),
        )
        try:
            return auditor.add_checkpoint(format_add_checkpoint(request)).decode().rstrip("\n")
        except WitnessRefusal as refusal:
            raise SecurityError(f"the auditor does not cosign: {refusal}") from refusal


def _result(audited: Audited, rows: RowsAudited | None, policy: str, line: str | None) -> Result:
    verified, replay = audited.verified, audited.replay
    tally = replay.tally
    times = {name: rfc3339(at) for name, at in sorted(verified.times.items())}
    return Result(
        origin=verified.checkpoint.origin,
        entries=verified.checkpoint.size,
        users=replay.users,
        epochs=tally.epochs,
        changes=tally.mutations,
        records=tally.records,
        configurations=tally.configs,
        resets=rows.resets if rows is not None else None,
        published=rfc3339(replay.unix_ms // 1000),
        cosignatures=times,
        freshest=max(times.values(), default=None),
        policy=policy,
        waiting=rows.pending if rows is not None else None,
        cosigned=line,
    )
