"""Audits a log by its tiles: reads every entry and recomputes everything.

1. The checkpoint has the log's signature and the policy's quorum.
2. Bundles match their tiles, and tiles match the entries.
3. The entries keep the directory's rules (`directory.audit.Replay`).
4. They are exactly the checkpoint's, and its head is not ahead of the quorum's time. Times of heads
   rise, so none before it is, but for those that officers' entries name (D41).

The first fault is raised with its place: a tile's path or an entry's index.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from blackthorn.audit.sources import Source, need, need_tile
from blackthorn.directory import limits
from blackthorn.directory.audit import Replay
from blackthorn.directory.checks import check_head_time
from blackthorn.errors import VerificationError
from blackthorn.governance.ledger_time import new_replay
from blackthorn.tlog import tiles
from blackthorn.tlog.merkle import MerkleLog, leaf_hash
from blackthorn.tlog.policy import Policy, parse_policy
from blackthorn.tlog.verify import Checkpoint, VerifiedCheckpoint, verify_checkpoint

Progress = Callable[[int, int], None]
"""Receives the numbers of replayed and of all entries."""


def silent(done: int, total: int) -> None:
    """A progress callback that shows nothing."""


@dataclass
class LedgerAudit:
    """The entries read so far; all once `audit` has returned."""

    policy: Policy
    verified: VerifiedCheckpoint
    log: MerkleLog = field(default_factory=MerkleLog)
    replay: Replay = field(default_factory=new_replay)
    entries: list[bytes] = field(default_factory=list)
    """Kept for evidence while they fit its file."""

    @property
    def checkpoint(self) -> Checkpoint:
        return self.verified.checkpoint

    def keep(self, entries: Sequence[bytes]) -> None:
        """Keep entries for evidence unless they are too many."""
        if self.log.size == len(self.entries) < limits.MAX_EVIDENCE_BYTES // _LEAST_ENTRY:
            self.entries += entries


_LEAST_ENTRY: Final = 128
"""The least size of an entry in a file of evidence, in base64."""


def read_policy(source: Source) -> Policy:
    """The log's own policy. Raises SecurityError, VerificationError."""
    return parse_policy(need(source, "policy"))


def begin(source: Source, policy: Policy) -> LedgerAudit:
    """Rule 1: the newest checkpoint. Raises VerificationError."""
    note = need(source, "checkpoint")
    with _at("checkpoint"):
        return LedgerAudit(policy, verify_checkpoint(note, policy))


def audit(source: Source, audited: LedgerAudit, progress: Progress) -> None:
    """Rules 2 to 4. Raises VerificationError or SecurityError with the place."""
    size = audited.checkpoint.size
    for tile in tiles.tiles_between(0, size):
        if tile.level is None:
            entries = read_bundle(source, tile)
            audited.keep(entries)
            for entry in entries:
                audited.replay.feed(entry)
                audited.log.append(entry)
            progress(audited.log.size, size)
    for tile in tiles.tiles_between(0, size):
        if tile.level is not None and tile.level > 0:
            _check_tile(source, tile, audited.log)
    audited.replay.check_checkpoint(audited.checkpoint)
    if audited.verified.quorum_time:
        check_head_time(audited.replay.unix_ms, audited.verified.quorum_time * 1000)


def read_bundle(source: Source, bundle: tiles.Tile) -> list[bytes]:
    """The entries of a bundle, checked against its level 0 tile. Raises with the place."""
    tile = tiles.Tile(0, bundle.index, bundle.width)
    data = need_tile(source, bundle)
    with _at(bundle.path):
        entries = _parse_either(data, bundle)
    hashes = _hashes(need_tile(source, tile), tile)
    for place, (entry, digest) in enumerate(zip(entries, hashes, strict=True), bundle.start):
        if leaf_hash(entry) != digest:
            text = f"entry {place} in {bundle.path} does not match its hash in {tile.path}"
            raise VerificationError("T38", text)
    return entries


def _parse_either(data: bytes, bundle: tiles.Tile) -> list[bytes]:
    """From the bundle itself or the beginning of the full one."""
    try:
        return tiles.parse_bundle(data, bundle.width)
    except VerificationError:
        return tiles.parse_bundle(data, tiles.FULL)[: bundle.width]


def _hashes(data: bytes, tile: tiles.Tile) -> list[bytes]:
    full = len(data) > tile.width * 32
    with _at(tile.path):
        return tiles.parse_tile(data, tiles.Tile(tile.level, tile.index) if full else tile)[
            : tile.width
        ]


def _check_tile(source: Source, tile: tiles.Tile, log: MerkleLog) -> None:
    """A tile above the leaves matches the entries."""
    shown = b"".join(_hashes(need_tile(source, tile), tile))
    if shown != tiles.tile_hashes(log, tile):
        spanned = tiles.FULL ** (tile.level or 0)
        wrong = next(
            at for at in range(tile.width) if shown[32 * at :][:32] != _node(log, tile, at)
        )
        first = (tile.start + wrong) * spanned
        last = first + spanned - 1
        text = f"{tile.path}: hash {wrong} is not that of entries {first} to {last}"
        raise VerificationError("T35", text)


def _node(log: MerkleLog, tile: tiles.Tile, at: int) -> bytes:
    start = tile.start + at
    return log.hashes(tiles.HEIGHT * (tile.level or 0), start, start + 1)


@contextmanager
def _at(place: str) -> Iterator[None]:
    """Put the place before the text of a broken rule."""
    try:
        yield
    except VerificationError as error:
        raise VerificationError(error.rule, f"{place}: {error.text}") from error
