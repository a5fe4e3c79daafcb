"""A witness cosigns what the protocol allows, durably.

In this order: judge, commit to the database, raise the anchor, release the signature. A witness
whose database is behind its anchor, or whose clock is behind its last cosignature, signs nothing.
"""

import hashlib
import threading
from collections.abc import Callable
from typing import Final

from blackthorn.errors import SecurityError, UnavailableError, VerificationError
from blackthorn.storage.files.anchor import Anchor, Mark
from blackthorn.storage.files.evidence import EvidenceFolder
from blackthorn.storage.sqlite.stores.witness import Cosigned, WitnessStore
from blackthorn.tlog.checkpoint import Checkpoint, open_checkpoint
from blackthorn.tlog.cosignature import Cosigner, add_lines
from blackthorn.tlog.witness import AddCheckpoint, format_cosignatures, judge, parse_add_checkpoint
from blackthorn.wire.note import Note, VerifierKey, format_note

Examine = Callable[[Checkpoint, VerifierKey], None]
"""An auditor's check: returns when a checkpoint's entries hold, or raises."""


class RestoredError(SecurityError):
    """The witness's state is older than its signatures."""


class ClockError(UnavailableError):
    """The clock is behind the last cosignature."""


def check_marks(store: WitnessStore, anchor: Anchor) -> None:
    """Raises RestoredError when the database is behind the anchor."""
    for mark in anchor.marks:
        _check_mark(store.latest(mark.checkpoint.origin), mark)


def _check_mark(latest: Cosigned | None, mark: Mark) -> None:
    origin, signed = mark.checkpoint.origin, mark.checkpoint.size
    held = 0 if latest is None else latest.checkpoint.size
    same = latest is not None and held == signed and latest.checkpoint != mark.checkpoint
    if latest is None or held < signed or same:
        raise RestoredError(
            f"this witness has signed {origin} at size {signed}, its database holds {held}: it was "
            "restored from a backup, and must not sign any more; make a new witness"
        )


class Witness:
    """Cosigns with one key over one store; thread-safe."""

    def __init__(
        self,
        cosigner: Cosigner,
        store: WitnessStore,
        anchor: Anchor,
        now_s: Callable[[], int],
        evidence: EvidenceFolder,
        examine: Examine | None = None,
    ) -> None:
        check_marks(store, anchor)
        for log in store.logs():  # after a crash the database may be ahead of the anchor
            if (latest := store.latest(log.name)) is not None:
                anchor.rise(latest.checkpoint, latest.at_s)
        self.key: Final = cosigner.vkey
        self._cosigner = cosigner
        self._store = store
        self._anchor = anchor
        self._now_s = now_s
        self._evidence = evidence
        self._examine = examine or (lambda checkpoint, log: None)
        self._one_at_a_time = threading.Lock()

    def add_checkpoint(self, body: bytes) -> bytes:
        """The answer to a request: our signature line.

        Raises WitnessRefusal by the protocol; RestoredError, ClockError or StorageError when this
        witness cannot sign now.
        """
        request = parse_add_checkpoint(body)
        with self._one_at_a_time:
            log = self._store.log(request.origin)
            if log is not None:
                self._keep_fork(request, log)
        if log is not None:
            self._examine_first(request, log)
        with self._one_at_a_time:
            cosigned, line = self._record(request, log)
            self._anchor.rise(cosigned.checkpoint, cosigned.at_s)
        return format_cosignatures([line])

    def latest(self, origin_hash: str) -> bytes | None:
        """The newest cosigned note of the log whose origin has this SHA-256 in hex."""
        with self._one_at_a_time:
            for log in self._store.logs():
                if hashlib.sha256(log.name.encode()).hexdigest() == origin_hash:
                    latest = self._store.latest(log.name)
                    return None if latest is None else latest.note
        return None

    def _record(self, request: AddCheckpoint, log: VerifierKey | None) -> tuple[Cosigned, str]:
        """Judge, sign and commit in one transaction."""
        with self._store.transaction():
            latest = self._store.latest(request.origin)
            if (mark := self._anchor.of(request.origin)) is not None:
                _check_mark(latest, mark)
            known = (latest.checkpoint.size, latest.checkpoint.root) if latest else None
            checkpoint = judge(request, log, known)
            now_s = self._now_s()
            if now_s < (before := max(self._store.newest_s(), self._anchor.newest_s)):
                raise ClockError(
                    f"the clock of this witness is {before - now_s} s behind its last "
                    "cosignature: set the clock"
                )
            line = self._cosigner.cosign(checkpoint, now_s)
            note = add_lines(_only(request.note, log), [line])
            cosigned = Cosigned(checkpoint, now_s, note)
            self._store.remember(cosigned)
        return cosigned, line

    def _examine_first(self, request: AddCheckpoint, log: VerifierKey) -> None:
        """Let an auditor read the entries, without a lock: it may take long."""
        try:
            checkpoint, _ = open_checkpoint(request.note, log)
        except VerificationError:
            return  # the judge refuses it
        self._examine(checkpoint, log)

    def _keep_fork(self, request: AddCheckpoint, log: VerifierKey) -> None:
        """Store both notes when the log has signed two roots of one size."""
        try:
            checkpoint, _ = open_checkpoint(request.note, log)
        except VerificationError:
            return
        held = self._store.of_size(log.name, checkpoint.size)
        if held is not None and held.checkpoint.root != checkpoint.root:
            self._evidence.keep(log, _only(held.note, log), _only(request.note, log))


def _only(note: bytes, log: VerifierKey | None) -> bytes:
    """The note with the log's own line alone."""
    if log is None:
        raise ValueError("the judge refuses an unknown log")
    _, parsed = open_checkpoint(note, log)
    return format_note(Note(parsed.text, tuple(parsed.lines_of(log))))
