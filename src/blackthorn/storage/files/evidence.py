"""The folder of a witness's proofs of a log's forks, one JSON file each."""

import hashlib
from collections.abc import Callable
from pathlib import Path

from blackthorn.errors import DiskError, system_error
from blackthorn.storage.files import atomic, limits
from blackthorn.storage.files.folder import make_folder
from blackthorn.wire.note import VerifierKey

Fork = Callable[[VerifierKey, bytes, bytes], bytes]
"""Makes the evidence of two notes of one log, of one size and with two roots."""


class EvidenceFolder:
    """The folder at `path`, made with the first file. A proof is stored once."""

    def __init__(self, path: Path, fork: Fork) -> None:
        self._path = path
        self._fork = fork

    def keep(self, log: VerifierKey, first: bytes, second: bytes) -> None:
        """Write the file durably, within MAX_EVIDENCE_FILES. Raises DiskError."""
        data = self._fork(log, first, second)
        name = f"fork-{hashlib.sha256(data).hexdigest()[:16]}.json"
        with system_error(DiskError, f"{self._path} cannot be written"):
            make_folder(self._path)
            names = {file.name for file in self._path.iterdir()}
            if name not in names and len(names) < limits.MAX_EVIDENCE_FILES:
                atomic.write_new(self._path / name, data)
