"""Rollback detection: was this ledger restored from an older state? Then it stops.

Signing two trees of one size is what witnesses and devices detect. A checkpoint with our signature
that our log lacks, or a witness that has cosigned a larger one, stops publication until an
administrator restores the newer state. A signed note is stored and stops the ledger after a restart
too; a witness's size counts until the restart.
"""

from blackthorn.ports.ledger import KeepEvidence, ReadEvidence
from blackthorn.ports.store import BlockingReader, Writer, ignore
from blackthorn.server.ledger.epochs import Epochs
from blackthorn.tlog.checkpoint import Checkpoint, open_checkpoint
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.wire.note import VerifierKey


class Rollback:
    """Evidence of a newer state; it stops `epochs`."""

    def __init__(self, writer: Writer, key: VerifierKey, epochs: Epochs) -> None:
        self._writer = writer
        self._key = key
        self._epochs = epochs
        self.reason = ""
        """Why the ledger is stopped, or empty."""

    def start(self, store: BlockingReader, log: MerkleLog) -> None:
        """Check the stored evidence. Raises StorageError."""
        for note in store.read(ReadEvidence()):
            checkpoint, _ = open_checkpoint(note, self._key)
            if not _holds(log, checkpoint):
                self._halt(_contradiction(checkpoint, log))

    def shown(self, note: bytes, log: MerkleLog, now_ms: int) -> None:
        """A checkpoint is shown. Raises VerificationError when it is not of this ledger."""
        checkpoint, _ = open_checkpoint(note, self._key)
        if _holds(log, checkpoint):
            return
        self._halt(_contradiction(checkpoint, log))
        self._writer.submit(KeepEvidence(note, now_ms), ignore)  # the ledger is already halted

    def said(self, size: int, log: MerkleLog) -> None:
        """A witness reports the size of its newest cosigned checkpoint."""
        if size > log.size:
            self._halt(
                f"a witness has cosigned {size} entries of the ledger, and there are {log.size}"
            )

    def _halt(self, reason: str) -> None:
        if not self.reason:
            self.reason = f"{reason}: the ledger has stopped; restore its newest state"
        self._epochs.stopped = True


def _holds(log: MerkleLog, checkpoint: Checkpoint) -> bool:
    return checkpoint.size <= log.size and log.root(checkpoint.size) == checkpoint.root


def _contradiction(checkpoint: Checkpoint, log: MerkleLog) -> str:
    if checkpoint.size > log.size:
        return f"this ledger has signed {checkpoint.size} entries, and there are {log.size}"
    return f"this ledger has signed another root of its first {checkpoint.size} entries"
