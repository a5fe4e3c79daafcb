"""Was this ledger set back to an older state, as by a backup? Then it must not go on.

A log that signs two trees of one size is what witnesses and devices exist to catch, and no
excuse is taken for it. So a checkpoint with our own signature that our log does not hold, or a
witness that says it has cosigned a larger one, stops the ledger: nothing is published until an
administrator has restored the newer state. A signed note is kept as
evidence and stops the ledger after a restart too, as long as the log does not hold it; what a
witness says without a note counts until the restart.
"""

from collections.abc import Callable

from blackthorn.ports.ledger import KeepEvidence, ReadEvidence
from blackthorn.ports.store import BlockingReader, Writer
from blackthorn.tlog.checkpoint import Checkpoint, open_checkpoint
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.wire.note import VerifierKey


class Rollback:
    """What was shown of a newer state. `stop` is called when there is such."""

    def __init__(self, writer: Writer, key: VerifierKey, stop: Callable[[], None]) -> None:
        self._writer = writer
        self._key = key
        self._stop = stop
        self.reason = ""
        """Why the ledger has stopped, or empty."""

    def start(self, store: BlockingReader, log: MerkleLog) -> None:
        """Look at the evidence that was kept. Raises StorageError."""
        for note in store.read(ReadEvidence()):
            checkpoint, _ = open_checkpoint(note, self._key)
            if not _holds(log, checkpoint):
                self._halt(_contradiction(checkpoint, log))

    def shown(self, note: bytes, log: MerkleLog, now_ms: int) -> None:
        """Somebody shows a checkpoint. Raises VerificationError when it is not of this ledger."""
        checkpoint, _ = open_checkpoint(note, self._key)
        if _holds(log, checkpoint):
            return
        self._halt(_contradiction(checkpoint, log))
        self._writer.submit(KeepEvidence(note, now_ms), _ignore)

    def said(self, size: int, log: MerkleLog) -> None:
        """A witness says that it has cosigned a checkpoint of this size."""
        if size > log.size:
            self._halt(
                f"a witness has cosigned {size} entries of the ledger, and there are {log.size}"
            )

    def _halt(self, reason: str) -> None:
        if not self.reason:
            self.reason = f"{reason}: the ledger has stopped; restore its newest state"
        self._stop()


def _holds(log: MerkleLog, checkpoint: Checkpoint) -> bool:
    return checkpoint.size <= log.size and log.root(checkpoint.size) == checkpoint.root


def _contradiction(checkpoint: Checkpoint, log: MerkleLog) -> str:
    if checkpoint.size > log.size:
        return f"this ledger has signed {checkpoint.size} entries, and there are {log.size}"
    return f"this ledger has signed another root of its first {checkpoint.size} entries"


def _ignore(result: object) -> None:
    """Result ignored: the ledger is already halted."""
