"""The start of the ledger: read the rows, recompute what was signed, and compare.

A mismatch is a DamageError that names the entries: restore a backup; the witnesses detect one that
is too old.
"""

from collections.abc import Iterator

from blackthorn.directory.entries import Head, Mutation, decode_entry
from blackthorn.directory.head_times import Steps, after_head
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.errors import DamageError, VerificationError
from blackthorn.ports import ledger as ports
from blackthorn.ports.store import BlockingReader
from blackthorn.server.ledger import limits
from blackthorn.server.ledger.epoch_builder import Openings, Tip
from blackthorn.tlog.checkpoint import open_checkpoint
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.wire.note import VerifierKey

CHUNK = 4_096
"""Entries read from the database at once."""

Signed = tuple[ports.Checkpoint, Tip]


def load(
    store: BlockingReader, key: VerifierKey, openings: Openings
) -> tuple[MerkleLog, Signed | None, Signed | None]:
    """The log, its published end, and its pending one, signed by `key`. StorageError."""
    checkpoints = store.read(ports.ReadCheckpoints())
    log, map_ = MerkleLog(), _Map()
    tips: list[Signed] = []
    for checkpoint in checkpoints:
        for entry in entries_between(store, log.size, checkpoint.size):
            map_.feed(log.append(entry), entry)
        _check(store, log, checkpoint, key)
        tips.append((checkpoint, map_.tip(checkpoint.size)))
    if store.read(ports.ReadEntries(log.size, 1, 1)):
        raise DamageError(f"entry {log.size} of the ledger stands behind its last checkpoint")
    _check_leaves(store, map_, openings)
    published = next((tip for tip in tips if tip[0].published), None)
    pending = next((tip for tip in tips if not tip[0].published), None)
    return log, published, pending


def entries_between(store: BlockingReader, start: int, end: int) -> Iterator[bytes]:
    """Entries of the log from `start` to before `end`. Raises DamageError."""
    while start < end:
        query = ports.ReadEntries(start, min(CHUNK, end - start), limits.MAX_ENTRIES_BYTES)
        found = store.read(query)
        if not found:
            raise DamageError(f"entry {start} of the ledger is missing: restore a backup")
        yield from found
        start += len(found)


def _check(
    store: BlockingReader, log: MerkleLog, checkpoint: ports.Checkpoint, key: VerifierKey
) -> None:
    if log.root(checkpoint.size) != checkpoint.root:
        raise DamageError(_where(store, log))
    try:
        signed, _ = open_checkpoint(checkpoint.note, key)
    except VerificationError as error:
        text = f"the checkpoint of {checkpoint.size} entries is not by this ledger's key: {error}"
        raise DamageError(text) from error
    if (signed.size, signed.root) != (checkpoint.size, checkpoint.root):
        raise DamageError(f"the checkpoint of {checkpoint.size} entries signs something else")


def _where(store: BlockingReader, log: MerkleLog) -> str:
    start = 0
    for size, root in _roots(store):
        if size > log.size or log.root(size) != root:
            break
        start = size
    else:
        size = log.size
    return (
        f"entries {start} to {min(size, log.size) - 1} of the ledger are not those that were "
        "signed: restore a backup"
    )


def _roots(store: BlockingReader) -> Iterator[tuple[int, bytes]]:
    after = 0
    while found := store.read(ports.ReadRoots(after, CHUNK)):
        yield from found
        after = found[-1][0]


def _check_leaves(store: BlockingReader, map_: "_Map", openings: Openings) -> None:
    """The map commits to the leaves that lookups are answered from."""
    for label, leaf in _newest_leaves(store):
        known = map_.leaves.get(label.index)
        if known != (leaf.version, openings.commitment(label, leaf)):
            raise DamageError(
                f"the leaf of entry {leaf.place} of the ledger is not the one that was logged: "
                "restore a backup, and the ledger.keys that belong to it"
            )


def _newest_leaves(store: BlockingReader) -> Iterator[tuple[ports.Label, ports.Leaf]]:
    after = 0
    while found := store.read(ports.NewestLeaves(after, CHUNK)):
        yield from found
        after = found[-1][0].user


class _Map:
    """The newest leaf of every index, and the newest head."""

    def __init__(self) -> None:
        self.leaves: dict[bytes, tuple[int, bytes]] = {}
        self._changed: dict[bytes, bytes] = {}
        self._tree = PrefixTree()
        self._head: tuple[int, Head, bytes] | None = None
        self._steps: Steps = ()

    def feed(self, place: int, data: bytes) -> None:
        try:
            entry = decode_entry(data)
        except VerificationError as error:
            raise DamageError(f"entry {place} of the ledger is damaged: {error}") from error
        if isinstance(entry, Mutation):
            self.leaves[entry.index] = (entry.version, entry.commitment)
            self._changed[entry.index] = entry.commitment
        elif isinstance(entry, Head):
            if self._head is not None:
                before = self._head[1]
                self._steps = after_head(self._steps, before.epoch, before.unix_ms, entry.unix_ms)
            self._head = (place, entry, data)

    def tip(self, size: int) -> Tip:
        """The end of the epoch that the last entry closes. Raises DamageError."""
        if self._head is None or self._head[0] != size - 1:
            raise DamageError(f"entry {size - 1} of the ledger is not the head of an epoch")
        self._tree = self._tree.updated(self._changed)
        self._changed.clear()
        place, head, data = self._head
        if self._tree.root != head.map_root:
            raise DamageError(f"the map is not the one of entry {place} of the ledger")
        return Tip(size, data, head.epoch, head.unix_ms, head.config, self._tree, self._steps)
