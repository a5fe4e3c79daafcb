"""The audit of a log by its tiles: every entry is read and everything is computed again.

1. The checkpoint has the log's signature and the quorum of the policy.
2. Each bundle of entries has the hashes of its tile, and each tile is what the entries give.
3. The entries keep the rules of the directory (`directory.audit.Replay`).
4. They are just the ones that the checkpoint signs.

The first thing that does not hold is raised, with its place: the path of a tile, the index of
an entry. So a log that passes has told the auditor all that it has signed.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from blackthorn.audit.sources import Source, need, need_tile
from blackthorn.directory import limits
from blackthorn.directory.audit import Replay
from blackthorn.errors import VerificationError
from blackthorn.tlog import tiles
from blackthorn.tlog.merkle import MerkleLog, leaf_hash
from blackthorn.tlog.policy import Policy, parse_policy
from blackthorn.tlog.verify import Checkpoint, VerifiedCheckpoint, verify_checkpoint

Progress = Callable[[int, int], None]
"""Called with how many entries of how many have been replayed."""


def silent(done: int, total: int) -> None:
    """The callback of a caller who shows no progress."""


@dataclass
class LedgerAudit:
    """What was read so far: all of the log once `audit` has returned."""

    policy: Policy
    verified: VerifiedCheckpoint
    log: MerkleLog = field(default_factory=MerkleLog)
    replay: Replay = field(default_factory=Replay)
    entries: list[bytes] = field(default_factory=list)
    """Kept for evidence, as long as they fit a file of it."""

    @property
    def checkpoint(self) -> Checkpoint:
        """What was audited against."""
        return self.verified.checkpoint

    def keep(self, entries: Sequence[bytes]) -> None:
        """Keep entries for evidence, or none at all when they are too many."""
        if self.log.size == len(self.entries) < limits.MAX_EVIDENCE_BYTES // _LEAST_ENTRY:
            self.entries += entries


_LEAST_ENTRY: Final = 128
"""What an entry takes at least in a file of evidence, in base64."""


def read_policy(source: Source) -> Policy:
    """The policy that the log itself shows. Raises SecurityError, VerificationError."""
    return parse_policy(need(source, "policy"))


def begin(source: Source, policy: Policy) -> LedgerAudit:
    """Rule 1: the newest checkpoint, accepted by the policy. Raises VerificationError."""
    note = need(source, "checkpoint")
    with _at("checkpoint"):
        return LedgerAudit(policy, verify_checkpoint(note, policy))


def audit(source: Source, audited: LedgerAudit, progress: Progress) -> None:
    """Rules 2 to 4. Raises VerificationError or SecurityError with the place of what is wrong."""
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


def read_bundle(source: Source, bundle: tiles.Tile) -> list[bytes]:
    """The entries of a bundle, whose level 0 tile says the same. Raises with the place."""
    tile = tiles.Tile(0, bundle.index, bundle.width)
    data = need_tile(source, bundle)
    with _at(bundle.path):
        entries = _parse_either(data, bundle)
    hashes = _hashes(need_tile(source, tile), tile)
    for place, (entry, digest) in enumerate(zip(entries, hashes, strict=True), bundle.start):
        if leaf_hash(entry) != digest:
            raise VerificationError(
                "T38", f"entry {place} in {bundle.path} has not its hash in {tile.path}"
            )
    return entries


def _parse_either(data: bytes, bundle: tiles.Tile) -> list[bytes]:
    """The bundle's entries, from its own bytes or from the beginning of the full one."""
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
    """A tile above the leaves is what the entries give."""
    shown = b"".join(_hashes(need_tile(source, tile), tile))
    if shown != tiles.tile_hashes(log, tile):
        spanned = tiles.FULL ** (tile.level or 0)
        wrong = next(
            at for at in range(tile.width) if shown[32 * at :][:32] != _node(log, tile, at)
        )
        first = (tile.start + wrong) * spanned
        raise VerificationError(
            "T35",
            f"{tile.path}: hash {wrong} is not that of entries {first} to {first + spanned - 1}",
        )


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
