"""The log's decisions as a report reads them: at the end of an epoch.

Fed with every entry from the first. A report is made at a head, which has the epoch's time and its
witnesses; entries after the last head are in no report yet.
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

    `register` is the live one: a stand is of use until the next entry is fed.
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
    """`feed` each entry in its order; `stand` is the newest head's."""

    register: Register = field(default_factory=Register)
    stand: Snapshot | None = None
    _edge: frontier.Frontier = field(default_factory=frontier.Frontier)
    _config: DirectoryConfig | None = None
    _waiting: list[tuple[int, int, bytes]] = field(default_factory=list)
    _broken: VerificationError | None = None

    @property
    def size(self) -> int:
        """Entries fed."""
        return self._edge.size

    def feed(self, data: bytes) -> Snapshot | None:
        """The next entry; a stand when it is a head. Raises `VerificationError`, then for good."""
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
