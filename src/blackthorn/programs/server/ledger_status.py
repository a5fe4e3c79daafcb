"""`blackthorn ledger status`, whether the server runs or not."""

import asyncio
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from blackthorn.directory import limits as directory_limits
from blackthorn.directory.config import terms_digest
from blackthorn.directory.entries import Head, decode_entry
from blackthorn.directory.head_times import Steps, after_head
from blackthorn.edges.http.witness_client import address_problem
from blackthorn.errors import BlackthornError, DamageError
from blackthorn.governance.package.build import register_key
from blackthorn.ports import ledger
from blackthorn.ports.store import AtOnce, BlockingReader
from blackthorn.programs.server import configuration
from blackthorn.programs.server.certificates.report import certificate_warnings
from blackthorn.programs.server.closure import register_seed
from blackthorn.programs.server.configuration import Configuration
from blackthorn.programs.server.embedded_witness import NOT_INDEPENDENT
from blackthorn.programs.server.health import postmaster_warnings
from blackthorn.programs.server.ledger import ledger_config
from blackthorn.programs.server.outbound.signing import key_warnings
from blackthorn.programs.server.wiring import SystemClock
from blackthorn.programs.witness.status import report as witness_report
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.ledger.head_time import last_right
from blackthorn.server.ledger.ledger import AHEAD
from blackthorn.server.ledger.start import entries_between
from blackthorn.server.mail.recipient_policy import RecipientPolicy
from blackthorn.storage.files.ledger import LedgerFiles
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.engine import host_store
from blackthorn.tlog.checkpoint import open_checkpoint
from blackthorn.tlog.cosignature import verify_line
from blackthorn.tlog.policy import Policy, format_policy
from blackthorn.wire.dates import rfc3339
from blackthorn.wire.note import format_vkey
from blackthorn.wire.words import count

WAITING_SECONDS: Final = 60
"""Time after which a pending checkpoint is a problem."""

NOT_PUBLISHED: Final = (
    "the ledger has not published this policy and these settings yet: restart the server if "
    "you have not since you changed them, and let users accept the policy when this warning is gone"
)


def report(path: Path, environment: dict[str, str]) -> dict[str, Any]:
    """Size, users, last epoch, witnesses, problems and warnings. Raises UserError, StorageError."""
    folder = ServerFolder(path)
    settings = configuration.load(path, environment)
    keys = folder.ledger.read_keys()
    policy = folder.ledger.read_policy()
    with closing(folder.open_database()) as database:
        store = host_store(database)
        checkpoints = store.read(ledger.ReadCheckpoints())
        published = next((each for each in checkpoints if each.published), None)
        pending = next((each for each in checkpoints if not each.published), None)
        heads = {each.size: _head(store, each) for each in checkpoints}
        resets = len(store.read(ledger.ReadResets(0, 2**31)))
        stopped = bool(store.read(ledger.ReadEvidence()))
        cache, enterprise = EnterpriseCache(AtOnce(store)), settings.enterprise
        recipients = RecipientPolicy(
            enterprise.domain, cache, SystemClock(), postmaster=enterprise.postmaster
        )
        warnings = asyncio.run(postmaster_warnings(recipients))
    warnings += certificate_warnings(settings.tls, enterprise.domain, path)
    warnings += key_warnings(folder.dkim.read())
    head = heads[published.size] if published else None
    witnesses, problems = _witnesses(folder.ledger, settings, policy, published)
    if stopped:
        problems.append("the ledger has stopped: its database is an old state; restore the newest")
    config = ledger_config(keys, policy, settings)
    unpublished = head is not None and head.config != config.digest
    slow = False
    if pending is not None:
        slow = time.time() - heads[pending.size].unix_ms / 1000 > WAITING_SECONDS
    if slow or unpublished:
        problems += unreachable(policy)
    if pending is not None and slow:
        since = rfc3339(heads[pending.size].unix_ms)
        waiting = count(pending.size, "entry waits", "entries wait")
        problems.append(f"{waiting} for cosignatures since {since}")
    late = 2 * settings.ledger.heartbeat_seconds + WAITING_SECONDS
    if head is not None and pending is None and time.time() - head.unix_ms / 1000 > late:
        problems.append(f"nothing was published since {rfc3339(head.unix_ms)}")
    if head is not None and head.unix_ms - _now_ms() > directory_limits.HEAD_STEP_MS:
        fault = last_right(_steps(store, published.size if published else 0), _now_ms())
        problems += [] if fault is None else [AHEAD.format(fault)]
    if unpublished:
        warnings.append(NOT_PUBLISHED)
    return {
        "origin": keys.origin,
        "vkey": keys.log_vkey,
        "register": str(register_key(keys.origin, register_seed(keys))),
        "digest": terms_digest(config, format_policy(policy)),
        "size": published.size if published else 0,
        "users": head.users if head else 0,
        "epoch": head.epoch if head else 0,
        "published": rfc3339(head.unix_ms) if head else None,
        "waiting": pending.size if pending else None,
        "pending_resets": resets,
        "quorum": policy.quorum,
        "witnesses": witnesses,
        "problems": problems,
        "warnings": warnings,
    }


def _now_ms() -> int:
    return int(time.time() * 1000)


def _steps(store: BlockingReader, size: int) -> Steps:
    """Where the times of the heads went on by over an hour."""
    steps: Steps = ()
    before: Head | None = None
    for data in entries_between(store, 0, size):
        entry = decode_entry(data)
        if isinstance(entry, Head):
            if before is not None:
                steps = after_head(steps, before.epoch, before.unix_ms, entry.unix_ms)
            before = entry
    return steps


def _head(store: BlockingReader, checkpoint: ledger.Checkpoint) -> Head:
    found = store.read(ledger.ReadEntries(checkpoint.size - 1, 1, 1))
    head = decode_entry(found[0]) if found else None
    if not isinstance(head, Head):
        raise DamageError(f"entry {checkpoint.size - 1} of the ledger is not the head of an epoch")
    return head


def _witnesses(
    files: LedgerFiles, settings: Configuration, policy: Policy, published: ledger.Checkpoint | None
) -> tuple[list[dict[str, Any]], list[str]]:
    """Every witness of the policy with its newest cosignature; and problems."""
    embedded, problems = None, []
    if settings.ledger.witness == "embedded":
        try:
            own = witness_report(files.witness.path)
            embedded = own["vkey"]
            problems += [own["problem"]] if own["problem"] else []
        except BlackthornError as error:
            problems.append(str(error))
    times = cosignature_times(published.note, policy) if published else {}
    found = []
    for witness in policy.witnesses:
        is_embedded = format_vkey(witness.key) == embedded
        at = times.get(witness.name)
        found.append(
            {
                "name": witness.name,
                "vkey": format_vkey(witness.key),
                "url": witness.url,
                "embedded": is_embedded,
                "cosigned": rfc3339(at * 1000) if at else None,
                "remark": NOT_INDEPENDENT if is_embedded else "",
            }
        )
        if not witness.url and not is_embedded:
            problems.append(f"the witness {witness.name} of policy.txt has no address")
    return found, problems


def unreachable(policy: Policy) -> list[str]:
    """Each witness that does not answer at its address, one line each. Asks them now."""
    return [
        f"the witness {witness.name} at {witness.url} {problem}"
        for witness in policy.witnesses
        if witness.url and (problem := address_problem(witness.url))
    ]


def cosignature_times(note: bytes, policy: Policy) -> dict[str, int]:
    """Unix seconds of each witness's cosignature of a note. Raises N and T rules."""
    checkpoint, parsed = open_checkpoint(note, policy.log)
    return {
        witness.name: verify_line(lines[0], witness.key, checkpoint)
        for witness in policy.witnesses
        if (lines := parsed.lines_of(witness.key))
    }
