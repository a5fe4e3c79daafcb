"""The auditor's part of a witness that audits: it replays the entries before anything is signed.

The entries of a checkpoint that waits for its witnesses lie below `/pending/` of the log's
server; what has passed once is not read again. A log that breaks a rule, hides entries or is
another one gets no cosignature, and the refusal says which rule at which entry.
"""

import threading
from dataclasses import dataclass
from typing import Final

from blackthorn.audit.ledger import read_bundle
from blackthorn.audit.sources import HttpSource, Source
from blackthorn.directory.audit import Replay
from blackthorn.errors import SecurityError, VerificationError
from blackthorn.tlog.checkpoint import Checkpoint
from blackthorn.tlog.tiles import Tile, tiles_between
from blackthorn.wire.note import VerifierKey

PENDING: Final = "pending/"


@dataclass
class _Below:
    """A source below a folder of another."""

    source: Source
    folder: str

    def read(self, path: str) -> bytes | None:
        return self.source.read(self.folder + path)


class Auditor:
    """Replays one log, served at `url`; called from any thread, it works for one at a time."""

    def __init__(self, source: Source) -> None:
        self._source: Final = _Below(source, PENDING)
        self._replay = Replay()
        self._one_at_a_time = threading.Lock()

    @classmethod
    def at(cls, url: str) -> "Auditor":
        """The auditor of the log at this address."""
        return cls(HttpSource(url))

    def examine(self, checkpoint: Checkpoint, log: VerifierKey) -> None:
        """Returns when the entries of the checkpoint hold.

        Raises VerificationError or SecurityError when they do not, UnavailableError when they
        cannot be read. The log has signed the checkpoint.
        """
        with self._one_at_a_time:
            if checkpoint.size < self._replay.size:
                return  # the witness knows a larger one, and says so in the protocol's words
            try:
                self._read_to(checkpoint)
                self._replay.check_checkpoint(checkpoint)
            except SecurityError:
                self._replay = Replay()  # it may be what was sent once, not what was signed
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
