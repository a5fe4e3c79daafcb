"""A witness: it cosigns what the protocol allows, once it is durable that it will.

The order is the law here: judge, commit to the database, raise the anchor, and only then let
the signature go. A witness whose database is behind its anchor, or whose clock reads earlier
than its own last cosignature, signs nothing, and says so.
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
"""What an auditor does besides: returns when the entries behind a checkpoint hold, or raises."""


class RestoredError(SecurityError):
    """The state of the witness is older than what it signed."""


class ClockError(UnavailableError):
    """The clock reads earlier than the last cosignature."""


def check_marks(store: WitnessStore, anchor: Anchor) -> None:
    """Raises RestoredError when the database holds less than the anchor says was signed."""
    for mark in anchor.marks:
        _check_mark(store.latest(mark.checkpoint.origin), mark)


def _catch_up(store: WitnessStore, anchor: Anchor) -> None:
    """Raise the anchor where the database is ahead: a crash between the two leaves it so."""
    for log in store.logs():
        if (latest := store.latest(log.name)) is not None:
            anchor.rise(latest.checkpoint, latest.at_s)


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
    """Cosigns with one key over one store; safe to call from several threads."""

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
        _catch_up(store, anchor)
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

        Raises WitnessRefusal as the protocol says; RestoredError, ClockError or StorageError
        when this witness cannot sign now.
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
        """The note that was cosigned last of the log whose origin has this SHA-256 in hex."""
        with self._one_at_a_time:
            for log in self._store.logs():
                if hashlib.sha256(log.name.encode()).hexdigest() == origin_hash:
                    latest = self._store.latest(log.name)
                    return None if latest is None else latest.note
        return None

    def _record(self, request: AddCheckpoint, log: VerifierKey | None) -> tuple[Cosigned, str]:
        """Judge, sign and commit in one transaction, so that no two requests cross."""
        with self._store.transaction():
            latest = self._store.latest(request.origin)
            if (mark := self._anchor.of(request.origin)) is not None:
                _check_mark(latest, mark)
            known = (latest.checkpoint.size, latest.checkpoint.root) if latest else None
            checkpoint = judge(request, log, known)
            now_s = self._now_s()
            if now_s < (before := max(self._store.newest_s(), self._anchor.newest_s)):
                raise ClockError(
                    f"the clock of this witness reads {before - now_s} s before its last "
                    "cosignature: it signs again when the clock is right"
                )
            line = self._cosigner.cosign(checkpoint, now_s)
            note = add_lines(_only(request.note, log), [line])
            cosigned = Cosigned(checkpoint, now_s, note)
            self._store.remember(cosigned)
        return cosigned, line

    def _examine_first(self, request: AddCheckpoint, log: VerifierKey) -> None:
        """Let an auditor read the entries, before any lock is held: it may take long."""
        try:
            checkpoint, _ = open_checkpoint(request.note, log)
        except VerificationError:
            return  # the judge says it in the protocol's words
        self._examine(checkpoint, log)

    def _keep_fork(self, request: AddCheckpoint, log: VerifierKey) -> None:
        """Keep both notes when the log has signed two roots of one size, whatever is answered."""
        try:
            checkpoint, _ = open_checkpoint(request.note, log)
        except VerificationError:
            return
        held = self._store.of_size(log.name, checkpoint.size)
        if held is not None and held.checkpoint.root != checkpoint.root:
            self._evidence.keep(log, _only(held.note, log), _only(request.note, log))


def _only(note: bytes, log: VerifierKey | None) -> bytes:
    """The note with the log's own line alone: what others wrote under it is not ours to pass on."""
    if log is None:
        raise ValueError("the judge lets no unknown log through")
    _, parsed = open_checkpoint(note, log)
    return format_note(Note(parsed.text, tuple(parsed.lines_of(log))))
