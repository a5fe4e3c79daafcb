"""An auditing witness replays the entries before it signs.

A pending checkpoint's entries are under `/pending/` of the log's server; verified ones are not read
again. A log that breaks a rule, hides entries or is another one gets no cosignature; the refusal
names rule and entry.
"""

import threading
from dataclasses import dataclass
from typing import Final

from blackthorn.audit.ledger import read_bundle
from blackthorn.audit.sources import HttpSource, Source
from blackthorn.errors import SecurityError, VerificationError
from blackthorn.governance.ledger_time import new_replay
from blackthorn.tlog.checkpoint import Checkpoint
from blackthorn.tlog.tiles import Tile, tiles_between
from blackthorn.wire.note import VerifierKey

PENDING: Final = "pending/"


@dataclass
class _Below:
    """A folder of another source."""

    source: Source
    folder: str

    def read(self, path: str) -> bytes | None:
        return self.source.read(self.folder + path)


class Auditor:
    """Replays one log; usable from any thread, one at a time."""

    def __init__(self, source: Source) -> None:
        self._source: Final = _Below(source, PENDING)
        self._replay = new_replay()
        self._one_at_a_time = threading.Lock()

    @classmethod
    def at(cls, url: str) -> "Auditor":
        """The auditor of the log at this URL."""
        return cls(HttpSource(url))

    def examine(self, checkpoint: Checkpoint, log: VerifierKey) -> None:
        """Verify the entries of a checkpoint that the log has signed.

        Raises VerificationError or SecurityError when they do not hold, UnavailableError when they
        cannot be read.
        """
        with self._one_at_a_time:
            if checkpoint.size < self._replay.size:
                return  # the witness refuses it, since it knows a larger one
            try:
                self._read_to(checkpoint)
                self._replay.check_checkpoint(checkpoint)
            except SecurityError:
                self._replay = new_replay()  # perhaps only this transfer was altered
                raise
            config = self._replay.config
            if config is None or config.log_vkey != str(log):
                raise VerificationError("D32", "the configuration names another key of the log")

    def _read_to(self, checkpoint: Checkpoint) -> None:
        done = self._replay.size
        for tile in tiles_between(done, checkpoint.size):
            if tile.level is None:
                bundle = Tile(None, tile.index, tile.width)
                for entry in read_bundle(self._source, bundle)[max(done - tile.start, 0) :]:
                    self._replay.feed(entry)
