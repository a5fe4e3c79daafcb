"""The auditor: replays every entry of a log and recomputes everything.

Only a replay can check: epochs and their times rise, but for a fall that officers permit; versions
rise by one; heads count right, and their map follows from the mutations; the configuration changes
only by a logged, permitted entry.
Each refusal names the entry's index. A replay that has raised is useless: the log is wrong.
"""

from dataclasses import astuple, dataclass, field
from typing import Any, Final

import cbor2

from blackthorn.directory import head_times, limits
from blackthorn.directory.config import DirectoryConfig, check_successor, decode_config
from blackthorn.directory.entries import ConfigEntry, Head, Mutation, Record, decode_entry
from blackthorn.directory.head_times import Fall, Officers, Step, Steps
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.directory.records import decode_record
from blackthorn.errors import VerificationError
from blackthorn.tlog.frontier import Frontier
from blackthorn.tlog.merkle import leaf_hash
from blackthorn.tlog.verify import Checkpoint

_VERSION: Final = 2


@dataclass(slots=True)
class Tally:
    """Counts of a replay."""

    entries: int = 0
    epochs: int = 0
    mutations: int = 0
    records: int = 0
    configs: int = 0


@dataclass
class Replay:
    """An auditor's replay of one log. `feed` each entry in order, from index 0.

    Without `officers` no fall of the time is permitted.
    """

    config: DirectoryConfig | None = None
    epoch: int = 0
    unix_ms: int = 0
    tally: Tally = field(default_factory=Tally)
    officers: Officers | None = None
    falls: tuple[Fall, ...] = ()
    """The newest falls of the time."""
    _edge: Frontier = field(default_factory=Frontier)
    _tree: PrefixTree = field(default_factory=PrefixTree)
    _versions: dict[bytes, int] = field(default_factory=dict)
    _changes: int = 0
    _changed: dict[bytes, bytes] = field(default_factory=dict)
    """Entries of the map since the last head."""
    _at_head: bool = False
    _steps: Steps = ()
    _records: list[tuple[int, bytes]] = field(default_factory=list)
    """Typed entries since the last head."""

    @property
    def size(self) -> int:
        """Replayed entries."""
        return self._edge.size

    @property
    def root(self) -> bytes:
        return self._edge.root

    @property
    def users(self) -> int:
        return self._tree.users

    def version(self, index: bytes) -> int:
        """The version of the user at `index`, 0 for an absent one."""
        return self._versions.get(index, 0)

    def feed(self, data: bytes) -> None:
        """The next entry. Raises `VerificationError`: D1 to D4, D23 to D31, D41."""
        place = self._edge.size
        try:
            self._take(data)
        except VerificationError as error:
            text = f"entry {place} of the log: {error.text}"
            raise VerificationError(error.rule, text) from error
        self._edge.append(leaf_hash(data))
        self.tally.entries += 1

    def _take(self, data: bytes) -> None:
        entry = decode_entry(data)
        if self.config is None and not isinstance(entry, ConfigEntry):
            raise VerificationError("D23", "a log begins with its configuration")
        if entry.epoch != self.epoch + 1:
            raise VerificationError("D24", f"epoch {entry.epoch} after epoch {self.epoch}")
        self._at_head = isinstance(entry, Head)
        match entry:
            case Mutation():
                self._mutate(entry)
            case Head():
                self._end_epoch(entry)
            case ConfigEntry(record=record):
                new = decode_config(record)
                self.config = new if self.config is None else check_successor(self.config, new)
                self.tally.configs += 1
            case Record(kind=kind, body=body):
                decode_record(kind, body)
                self._records.append((kind, body))
                self.tally.records += 1

    def _mutate(self, entry: Mutation) -> None:
        before = self._versions.get(entry.index, 0)
        if entry.version != before + 1:
            raise VerificationError("D26", f"version {entry.version} of a user after {before}")
        self._versions[entry.index] = entry.version
        self._changed[entry.index] = entry.commitment
        self._changes += 1
        self.tally.mutations += 1

    def _end_epoch(self, head: Head) -> None:
        self._check_time(head)
        if head.changes != self._changes:
            raise VerificationError("D27", f"{self._changes} mutations, counted {head.changes}")
        self._tree = self._tree.updated(self._changed)
        self._changed.clear()
        if head.users != self._tree.users:
            raise VerificationError("D28", f"{self._tree.users} users, counted {head.users}")
        if head.map_root != self._tree.root:
            raise VerificationError("D29", "the root of the map is not what the mutations make")
        if self.config is None or head.config != self.config.digest:
            raise VerificationError("D30", "the head is not of the logged configuration")
        self._steps = head_times.after_head(self._steps, self.epoch, self.unix_ms, head.unix_ms)
        self.epoch, self.unix_ms, self._changes = head.epoch, head.unix_ms, 0
        self.tally.epochs += 1

    def _check_time(self, head: Head) -> None:
        """The time of the head rises, or falls as the officers' entries of its epoch permit."""
        records, self._records = self._records, []
        heal = self.officers.permitted(records, head.unix_ms) if self.officers and records else None
        if head.unix_ms > self.unix_ms:
            return
        if heal is None or self.config is None:
            raise VerificationError("D25", "the time of the head is not later than the one before")
        origin = self.config.origin
        head_times.check_fall(heal, origin, self._steps, self.unix_ms, head.unix_ms)
        fall = Fall(heal.after, head.epoch, head.unix_ms)
        self.falls = (*self.falls, fall)[-limits.MAX_FALLS :]

    def check_checkpoint(self, checkpoint: Checkpoint) -> Checkpoint:
        """The checkpoint, if it matches the replay. Raises `VerificationError` (D32)."""
        if not self._at_head:
            raise VerificationError("D32", "the last entry of the checkpoint is not a head")
        if self.config is None or checkpoint.origin != self.config.origin:
            raise VerificationError("D32", "the checkpoint is of another log")
        if (checkpoint.size, checkpoint.root) != (self.size, self.root):
            text = f"the checkpoint of {checkpoint.size} entries has another root"
            raise VerificationError("D32", text)
        return checkpoint

    def save(self) -> bytes:
        """The state after a head, for `resume`; about 68 bytes per user."""
        if self.config is None or not self._at_head:
            raise ValueError("a replay can only be saved after a head")
        leaves = b"".join(
            index + version.to_bytes(4, "big") + (self._tree.get(index) or b"")
            for index, version in self._versions.items()
        )
        peaks, counts = list(self._edge.peaks), list(astuple(self.tally))
        place = [self.epoch, self.unix_ms, self.size]
        times = [[list(astuple(found)) for found in rows] for rows in (self._steps, self.falls)]
        officers = b"" if self.officers is None else self.officers.save()
        state = [self.config.encode(), *place, peaks, counts, leaves, *times, officers]
        return cbor2.dumps([_VERSION, *state])


_LEAF_BYTES: Final = 32 + 4 + 32


def resume(data: bytes, officers: Officers | None = None) -> Replay:
    """A replay from `save`'s bytes; `officers` are new ones. Raises `VerificationError` (D33)."""
    match _load(data):
        case [2, bytes(record), int(epoch), int(unix_ms), int(size), list(peaks), list(counts),
              bytes(leaves), list(steps), list(falls), bytes(kept)] if (
                  _whole(peaks, counts, leaves) and _are_times([*steps, *falls])):  # fmt: skip
            replay = Replay(decode_config(record), epoch, unix_ms, Tally(*counts), officers)
            if officers is not None:
                officers.load(kept)
            replay._steps = tuple(Step(*row) for row in steps)
            replay.falls = tuple(Fall(*row) for row in falls)
            replay._edge = Frontier(size, peaks)
            replay._at_head = True
            rows = [leaves[at : at + _LEAF_BYTES] for at in range(0, len(leaves), _LEAF_BYTES)]
            replay._versions = {row[:32]: int.from_bytes(row[32:36], "big") for row in rows}
            replay._tree = PrefixTree.of((row[:32], row[36:]) for row in rows)
            return replay
    raise VerificationError("D33", "the saved state of a replay is damaged")


def _whole(peaks: list[Any], counts: list[Any], leaves: bytes) -> bool:
    return (
        all(type(peak) is bytes for peak in peaks)
        and len(counts) == len(Tally.__slots__)
        and all(type(count) is int for count in counts)
        and not len(leaves) % _LEAF_BYTES
    )


def _are_times(rows: list[Any]) -> bool:
    return all(
        type(row) is list and len(row) == 3 and all(type(value) is int for value in row)
        for row in rows
    )


def _load(data: bytes) -> Any:
    if len(data) > limits.MAX_REPLAY_STATE_BYTES:
        return None
    try:
        value = cbor2.loads(data, max_depth=3, allow_indefinite=False, semantic_decoders={})
        return value if cbor2.dumps(value) == data else None
    except Exception:
        return None
