"""An auditor's memory between audits: the newest checkpoint of each log.

A log that shrank, or changed its root at the remembered size, is inconsistent; both signed notes
are written as evidence that anyone can verify.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blackthorn.audit.ledger import LedgerAudit
from blackthorn.directory import limits
from blackthorn.directory.evidence.file import Evidence, Field
from blackthorn.errors import DiskError, SecurityError, system_error
from blackthorn.storage.files import atomic
from blackthorn.storage.files.folder import make_folder
from blackthorn.tlog.verify import open_checkpoint

NO_CONFIG: Final = "the log has not even a configuration"


@dataclass
class AuditMemory:
    """A folder with the last checkpoint of each log, and evidence."""

    path: Path

    def compare(self, audited: LedgerAudit) -> None:
        """Compare with the last audit and remember this one. Raises SecurityError."""
        place = self._place(audited.checkpoint.origin)
        before = self._read(place)
        if before is not None:
            self._compare(before, audited)
        with system_error(DiskError, f"{place} cannot be written"):
            make_folder(self.path)
            atomic.replace(place, audited.verified.note)

    def _compare(self, before: bytes, audited: LedgerAudit) -> None:
        earlier, _ = open_checkpoint(before, audited.policy.log)
        now = audited.checkpoint
        notes: dict[str, Field] = {"first": before, "second": audited.verified.note}
        if earlier.size > now.size:
            written = self.write(audited, "rollback", notes)
            text = f"the log had {earlier.size} entries at the last audit, and has {now.size}"
            raise SecurityError(f"{text}; {written}")
        if audited.log.root(earlier.size) != earlier.root:
            kind = "fork" if earlier.size == now.size else "inconsistent"
            if kind == "inconsistent":
                notes["proof"] = list(audited.log.consistency_proof(earlier.size, now.size))
            written = self.write(audited, kind, notes)
            text = f"the first {earlier.size} entries are not those of the last audit"
            raise SecurityError(f"{text}; {written}")

    def write(self, audited: LedgerAudit, kind: str, fields: dict[str, Field]) -> str:
        """Write evidence; says where, or why there is none."""
        config = audited.replay.config
        if config is None:
            return f"no evidence was written: {NO_CONFIG}"
        data = Evidence(kind, config.encode(), fields).encode()
        if len(data) > limits.MAX_EVIDENCE_BYTES:
            return "no evidence was written: it would be too large for a file"
        path = self.path / f"{kind}-{hashlib.sha256(data).hexdigest()[:16]}.json"
        with system_error(DiskError, f"{path} cannot be written"):
            make_folder(self.path)
            atomic.replace(path, data)
        return f"evidence is in {path}"

    def write_bad_log(self, audited: LedgerAudit) -> str:
        """Evidence of entries that break a rule, if they fit a file."""
        if not audited.entries or audited.log.size > len(audited.entries):
            return "no evidence was written: it would be too large for a file"
        fields: dict[str, Field] = {
            "first": audited.verified.note,
            "entries": list(audited.entries),
        }
        return self.write(audited, "bad-log", fields)

    def _place(self, origin: str) -> Path:
        return self.path / f"{hashlib.sha256(origin.encode()).hexdigest()[:16]}.checkpoint"

    def _read(self, place: Path) -> bytes | None:
        try:
            return place.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise DiskError(f"{place} cannot be read: {error.strerror}") from None
