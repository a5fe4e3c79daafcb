"""`blackthorn witness status`, also while the witness runs."""

from contextlib import closing
from pathlib import Path
from typing import Any

from blackthorn.errors import SecurityError
from blackthorn.programs.witness.witness import check_marks
from blackthorn.storage.files.anchor import Anchor
from blackthorn.storage.files.witness import WitnessFolder
from blackthorn.wire.dates import rfc3339


def report(path: Path) -> dict[str, Any]:
    """Key, logs, evidence, and the problem that prevents signing, if any.

    Raises UserError without such a folder, StorageError when it cannot be read.
    """
    folder = WitnessFolder(path)
    key = folder.cosigner().vkey
    with closing(folder.open_store()) as store:
        logs = []
        for log in store.logs():
            latest = store.latest(log.name)
            size = latest.checkpoint.size if latest else 0
            cosigned = rfc3339(latest.at_s * 1000) if latest else None
            logs.append({"origin": log.name, "vkey": str(log), "size": size, "cosigned": cosigned})
        try:
            check_marks(store, Anchor.open(folder.anchor))
            problem = None
        except SecurityError as error:
            problem = str(error)
    evidence = folder.evidence
    files = sorted(file.name for file in evidence.iterdir()) if evidence.is_dir() else []
    return {"name": key.name, "vkey": str(key), "logs": logs, "evidence": files, "problem": problem}
