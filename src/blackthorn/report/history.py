"""The log's decisions for a report, at the end of an epoch.

Reads every entry from the first. Entries after the last head are not reported yet.
"""

from dataclasses import dataclass, field

from blackthorn.directory.config import DirectoryConfig, decode_config
from blackthorn.directory.entries import ConfigEntry, Head, Record, decode_entry
from blackthorn.errors import VerificationError
from blackthorn.governance.register import KINDS, Register
from blackthorn.tlog import frontier, merkle


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The log at a head: `size` entries, their 32-byte root, times in Unix milliseconds.

    `register` is live: the snapshot is valid until the next entry.
    """

    size: int
    root: bytes
    epoch: int
    unix_ms: int
    first_ms: int
    config: DirectoryConfig
    register: Register


@dataclass
class History:
    """Feed every entry in order; `stand` is the snapshot of the newest head."""

    register: Register = field(default_factory=Register)
    stand: Snapshot | None = None
    _edge: frontier.Frontier = field(default_factory=frontier.Frontier)
    _config: DirectoryConfig | None = None
    _waiting: list[tuple[int, int, bytes]] = field(default_factory=list)
    _broken: VerificationError | None = None

    @property
    def size(self) -> int:
        return self._edge.size

    def feed(self, data: bytes) -> Snapshot | None:
        """Add an entry; a snapshot for a head. Raises VerificationError, then on every call."""
        if self._broken is not None:
            raise self._broken
        try:
            return self._take(data)
        except VerificationError as error:
            text = f"entry {self.size} of the log: {error.text}"
            self._broken = VerificationError(error.rule, text)
            raise self._broken from error

    def _take(self, data: bytes) -> Snapshot | None:
        entry = decode_entry(data)
        stand = None
        match entry:
            case ConfigEntry(record=record):
                self._config = decode_config(record)
            case Record(kind=kind, body=body) if kind in KINDS:
                self._waiting.append((kind, self.size, body))
            case Head():
                for kind, place, body in self._waiting:
                    self.register.add(kind, body, place, entry.unix_ms)
                self._waiting.clear()
        self._edge.append(merkle.leaf_hash(data))
        if isinstance(entry, Head):
            stand = self.stand = self._stand(entry)
        return stand

    def _stand(self, head: Head) -> Snapshot:
        if self._config is None:
            raise VerificationError("D23", "a log begins with its configuration")
        first_ms = head.unix_ms if self.stand is None else self.stand.first_ms
        epoch, now_ms, root = head.epoch, head.unix_ms, self._edge.root
        return Snapshot(self.size, root, epoch, now_ms, first_ms, self._config, self.register)
