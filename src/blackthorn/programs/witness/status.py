"""What `blackthorn witness status` tells: read from the folder, also while the witness runs."""

import datetime
from contextlib import closing
from pathlib import Path
from typing import Any

from blackthorn.errors import SecurityError
from blackthorn.programs.witness.folder import WitnessDirectory
from blackthorn.programs.witness.witness import check_marks
from blackthorn.storage.files.anchor import Anchor


def rfc3339(unix_s: int) -> str:
    """A Unix time in UTC, to the second."""
    moment = datetime.datetime.fromtimestamp(unix_s, datetime.UTC)
    return moment.isoformat().replace("+00:00", "Z")


def report(path: Path) -> dict[str, Any]:
    """Key, logs, evidence, and the problem that keeps it from signing, if any.

    Raises UserError without such a folder, StorageError when it cannot be read.
    """
    directory = WitnessDirectory(path)
    key = directory.cosigner().vkey
    with closing(directory.open_store()) as store:
        logs = []
        for log in store.logs():
            latest = store.latest(log.name)
            size = latest.checkpoint.size if latest else 0
            cosigned = rfc3339(latest.at_s) if latest else None
            logs.append({"origin": log.name, "vkey": str(log), "size": size, "cosigned": cosigned})
        try:
            check_marks(store, Anchor.open(directory.anchor))
            problem = None
        except SecurityError as error:
            problem = str(error)
    folder = directory.evidence
    evidence = sorted(each.name for each in folder.iterdir()) if folder.is_dir() else []
    return {
        "name": key.name,
        "vkey": str(key),
        "logs": logs,
        "evidence": evidence,
        "problem": problem,
    }
