"""Audits a server's own database: everything derivable is recomputed from signed data.

Log and roots from entries, map entries from leaves, leaves from chains, chains from statements, map
positions from addresses. RowDamageError names a wrong row; users are named by row number only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from blackthorn.crypto import vrf
from blackthorn.directory.audit import Replay
from blackthorn.directory.entries import Head, Mutation, decode_entry
from blackthorn.directory.records import decode_record
from blackthorn.errors import SecurityError, VerificationError
from blackthorn.governance.ledger_time import new_replay
from blackthorn.identity.chain import Terms, UnverifiedChain, VerifiedChain, extend, replay
from blackthorn.identity.keys import VerifyKeys
from blackthorn.identity.openpgp import OpenPGP, verify_certificate
from blackthorn.identity.statements import Body, RevokeDevice, SetCompatible, SetOpenPGP, decode
from blackthorn.ids import Address
from blackthorn.ports.ledger import LOGGED_KINDS, Label, Leaf
from blackthorn.server.ledger.changes import kind_of
from blackthorn.server.ledger.epoch_builder import Openings
from blackthorn.server.ledger.ledger import LedgerKeys
from blackthorn.storage.sqlite.stores.ledger_rows import (
    EpochRow,
    LedgerRows,
    StatementRow,
    UserRows,
)
from blackthorn.tlog.checkpoint import open_checkpoint
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.policy import Policy
from blackthorn.tlog.verify import VerifiedCheckpoint, verify_checkpoint

Progress = Callable[[int, int], None]


class RowDamageError(SecurityError):
    """A row differs from what was signed; the text begins with the row."""


@contextmanager
def _in_row(name: str) -> Iterator[None]:
    """Raise RowDamageError, with the row's name, for a rule broken in the block."""
    try:
        yield
    except (VerificationError, vrf.VrfError) as error:
        raise RowDamageError(f"{name}: {error}") from error


@dataclass
class RowsAudit:
    """An audited database; `resets` counts those of all chains."""

    verified: VerifiedCheckpoint
    replay: Replay
    log: MerkleLog
    resets: int = 0
    pending: int | None = None


def audit_rows(
    rows: LedgerRows, keys: LedgerKeys, policy: Policy, now_ms: int, progress: Progress
) -> RowsAudit:
    """Recompute everything. Raises RowDamageError, VerificationError or StorageError."""
    found = _Log(rows, policy)
    audited = found.audit(progress)
    users = _Users(rows, keys, found, now_ms)
    audited.resets = users.audit()
    _check_waiting(rows)
    return audited


class _Log:
    """Entries and epochs."""

    def __init__(self, rows: LedgerRows, policy: Policy) -> None:
        self._rows = rows
        self._policy = policy
        self.log = MerkleLog()
        self.replay = new_replay()
        self.mutations: dict[int, Mutation] = {}
        self.heads: dict[int, Head] = {}
        """By the size of the log behind them."""

    def audit(self, progress: Progress) -> RowsAudit:
        epochs = self._rows.epochs()
        published = [epoch for epoch in epochs if epoch.published == 1]
        if not published:
            raise RowDamageError("ledger_epoch: nothing is published")
        newest = published[-1]
        self._check_epoch_rows(epochs, newest)
        verified = self._open(newest)
        failure = self._replay(progress)
        self._check_roots(epochs, verified, failure)
        if failure is not None:
            raise failure
        pending = self._pending(epochs, newest)
        return RowsAudit(verified, self.replay, self.log, pending=pending)

    def _open(self, newest: EpochRow) -> VerifiedCheckpoint:
        place = f"ledger_epoch of size {newest.size}"
        with _in_row(f"{place}, note"):
            verified = verify_checkpoint(newest.note or b"", self._policy)
        if (verified.checkpoint.size, verified.checkpoint.root) != (newest.size, newest.root):
            raise RowDamageError(f"{place}: its note signs another size or root")
        return verified

    def _check_epoch_rows(self, epochs: list[EpochRow], newest: EpochRow) -> None:
        """Notes and flags are on the newest epochs alone."""
        for epoch in epochs:
            place = f"ledger_epoch of size {epoch.size}"
            if epoch.size < newest.size and (epoch.note is not None or epoch.published != 1):
                raise RowDamageError(f"{place}: an older epoch has a note or is not published")
            if epoch.size > newest.size and (epoch.note is None or epoch.published != 0):
                raise RowDamageError(f"{place}: a waiting epoch has no note or is marked otherwise")
        if len([epoch for epoch in epochs if epoch.size > newest.size]) > 1:
            raise RowDamageError(f"ledger_epoch: several epochs wait behind size {newest.size}")

    def _replay(self, progress: Progress) -> SecurityError | None:
        """Feed all entries; an error is returned, to be judged with the roots."""
        total = self._rows.entry_count()
        for place, entry in self._rows.entries():
            if place != self.log.size or type(entry) is not bytes:
                raise RowDamageError(f"ledger_entry {self.log.size}: missing, or not bytes")
            self.log.append(entry)
            try:
                self.replay.feed(entry)
                decoded = decode_entry(entry)
            except VerificationError as error:
                self._append_rest(place + 1)
                return RowDamageError(f"ledger_entry {place}: {error}")
            if isinstance(decoded, Mutation):
                self.mutations[place] = decoded
            elif isinstance(decoded, Head):
                self.heads[place + 1] = decoded
            progress(self.log.size, total)
        return None

    def _append_rest(self, start: int) -> None:
        for place, entry in self._rows.entries():
            if place >= start and type(entry) is bytes:
                self.log.append(entry)

    def _check_roots(
        self, epochs: list[EpochRow], verified: VerifiedCheckpoint, failure: SecurityError | None
    ) -> None:
        """The entries give the signed roots; else find from which epoch they differ."""
        signed = verified.checkpoint
        whole = self.log.size >= signed.size and self.log.root(signed.size) == signed.root
        start = 0
        for epoch in epochs:
            there = epoch.size <= self.log.size and self.log.root(epoch.size) == epoch.root
            if not there and whole and epoch.size <= signed.size:
                raise RowDamageError(f"ledger_epoch of size {epoch.size}: its root is another")
            if not there:
                text = f"ledger_entry {start} to {epoch.size - 1}: not the ones that were signed"
                raise RowDamageError(text if failure is None else f"{text}; {failure}")
            start = epoch.size
        if whole and failure is None:
            self._check_ends(epochs)

    def _check_ends(self, epochs: list[EpochRow]) -> None:
        sizes = [epoch.size for epoch in epochs]
        if sizes != list(self.heads):
            wrong = min(set(sizes) ^ set(self.heads))
            raise RowDamageError(f"ledger_epoch of size {wrong}: missing, or not behind a head")
        if self.log.size != sizes[-1]:
            raise RowDamageError(f"ledger_entry {sizes[-1]}: behind the last epoch")

    def _pending(self, epochs: list[EpochRow], newest: EpochRow) -> int | None:
        last = epochs[-1]
        if last is newest:
            return None
        place = f"ledger_epoch of size {last.size}"
        with _in_row(f"{place}, note"):
            checkpoint, note = open_checkpoint(last.note or b"", self._policy.log)
        if (checkpoint.size, checkpoint.root) != (last.size, last.root):
            raise RowDamageError(f"{place}: its note signs another size or root")
        if len(note.signatures) != 1:
            raise RowDamageError(f"{place}: it waits for witnesses and has their signatures")
        return last.size

    def logged_ms(self, place: int) -> int | None:
        """When the entry at `place` was logged."""
        return next((head.unix_ms for size, head in self.heads.items() if size > place), None)


class _Users:
    """Labels, leaves, statements and certificates."""

    def __init__(self, rows: LedgerRows, keys: LedgerKeys, log: _Log, now_ms: int) -> None:
        self._rows = rows
        self._vrf = vrf.public_key(keys.vrf)
        self._openings = Openings(keys.opening)
        self._log = log
        self._now_ms = now_ms
        self._made: dict[int, int] = {}
        """Place of a mutation → its user."""

    def audit(self) -> int:
        """The number of resets."""
        resets = 0
        indices: dict[bytes, int] = {}
        for user, address in self._rows.users():
            rows = self._rows.of(user, address)
            if rows.label is not None:
                indices[rows.label[0]] = user
                self._check_label(rows)
            chain = self._check_statements(rows)
            self._check_leaves(rows)
            _check_places(rows)
            self._check_certificates(rows, chain)
            resets += len(chain.resets) if chain is not None else 0
        for place, mutation in self._log.mutations.items():
            if place not in self._made and mutation.index in indices:
                user = indices[mutation.index]
                raise RowDamageError(f"ledger_leaf of user {user}: none is of entry {place}")
        return resets

    def _check_label(self, rows: UserRows) -> None:
        assert rows.label is not None
        index, proof, _ = rows.label
        with _in_row(f"ledger_label of user {rows.user}"):
            beta = vrf.verify(self._vrf, proof, rows.address.encode())
        if beta[:32] != index:
            raise RowDamageError(f"ledger_label of user {rows.user}: the place is another's")

    def _check_leaves(self, rows: UserRows) -> None:
        """Each leaf matches its entry and its chain."""
        by_seq = {row[1]: row for row in rows.statements}
        for number, (version, head, seq, flags, place) in enumerate(rows.leaves, 1):
            name = f"ledger_leaf {version} of user {rows.user}"
            if rows.label is None or version != number:
                raise RowDamageError(f"{name}: there is no label, or a version is missing")
            index, proof, salt = rows.label
            label = Label(rows.user, Address(rows.address), index, proof, salt)
            leaf = Leaf(rows.user, version, head, seq, flags, place)
            mutation = self._log.mutations.get(place)
            if mutation is None or mutation.index != index or mutation.version != version:
                raise RowDamageError(f"{name}: entry {place} is not its own")
            statement = by_seq.get(seq)
            if statement is None or (statement[2], statement[4]) != (head, flags):
                raise RowDamageError(f"{name}: statement {seq} says something else")
            if self._openings.commitment(label, leaf) != mutation.commitment:
                name = f"ledger_label of user {rows.user}"
                raise RowDamageError(f"{name}: its salt does not open entry {place}")
            self._made[place] = rows.user

    def _check_statements(self, rows: UserRows) -> VerifiedChain | None:
        """Each statement continues the chain; its row repeats it."""
        chain: VerifiedChain | None = None
        order = -1
        for expected, row in enumerate(rows.statements, 1):
            number, seq, head, kind, flags, statement, _ = row
            name = f"chain_statement {seq} of user {rows.user}"
            if seq != expected:
                raise RowDamageError(f"chain_statement {expected} of user {rows.user}: missing")
            with _in_row(name):
                signed = decode(statement)
                said = kind_of(signed)
                chain = self._continue(chain, rows.address, row, said)
            if (chain.head, chain.flags, said) != (head, flags, kind):
                raise RowDamageError(f"{name}: head, kind or flags are not the statement's")
            if number <= order:
                raise RowDamageError(f"{name}: its number is not behind the one before")
            order = number
        return chain

    def _continue(
        self, chain: VerifiedChain | None, address: str, row: StatementRow, kind: str
    ) -> VerifiedChain:
        """The chain with this row's statement, logged with its entry."""
        _, seq, _, _, _, statement, place = row
        moment = self._now_ms
        if place is not None:
            moment = self._log.logged_ms(place) or moment
        elif kind == "cancel" and chain is not None and chain.resets:
            moment = chain.resets[-1].logged_ms  # its logging time is not known yet
        logged = {seq: moment} if kind in LOGGED_KINDS else {}
        config = self._log.replay.config
        assert config is not None
        now_ms = max(self._now_ms, chain.now_ms if chain is not None else 0)
        terms = Terms(VerifyKeys(*config.enrolment), config.reset_delay_ms, now_ms, logged)
        if chain is None:
            return replay(UnverifiedChain(address, (statement,)), terms)
        return extend(chain, (statement,), terms)

    def _check_certificates(self, rows: UserRows, chain: VerifiedChain | None) -> None:
        """Each certificate is the stated one."""
        if chain is None:
            return  # no statement names a certificate from before the chain
        bodies = {row[1]: decode(row[5]).statement.body for row in rows.statements}
        for seq, certificate in rows.certificates:
            name = f"user_certificate {seq} of user {rows.user}"
            body = bodies.get(seq)
            if seq and not isinstance(body, SetOpenPGP):
                raise RowDamageError(f"{name}: the statement names none")
            if isinstance(body, SetOpenPGP):
                stated = OpenPGP(rows.address, body.fingerprint, body.digest, body.proof, seq)
                with _in_row(name):
                    verify_certificate(stated, certificate)
        for seq, certificate, copies in rows.compatible:
            _check_compatible(rows, seq, bodies.get(seq), certificate, copies)


def _check_compatible(
    rows: UserRows, seq: int, body: Body | None, certificate: bytes, copies: int
) -> None:
    """The certificate for other programs is the stated one, or none."""
    name = f"compatible_certificate {seq} of user {rows.user}"
    named = body.certificate if isinstance(body, SetCompatible) else None
    if not isinstance(body, SetCompatible | RevokeDevice) or bool(named) != bool(certificate):
        raise RowDamageError(f"{name}: the statement says otherwise")
    if copies != (isinstance(body, SetCompatible) and body.copies):
        raise RowDamageError(f"{name}: the statement says otherwise of copies")
    if named is not None:
        stated = OpenPGP(rows.address, named.fingerprint, named.digest, named.proof, seq)
        with _in_row(name):
            verify_certificate(stated, certificate)


def _check_places(rows: UserRows) -> None:
    """A statement is marked with the entry of the first leaf that covers it."""
    for _, seq, _, _, _, _, place in rows.statements:
        reached = (at for _, _, newest, _, at in rows.leaves if newest >= seq)
        if place != next(reached, None):
            name = f"chain_statement {seq} of user {rows.user}"
            raise RowDamageError(f"{name}: it is marked as of another entry")


def _check_waiting(rows: LedgerRows) -> None:
    """Pending typed entries have the fields of their kind."""
    for number, kind, body in rows.records():
        with _in_row(f"ledger_record {number}"):
            decode_record(kind, body)
