"""The entries of the log, byte for byte. All integers are big-endian.

mutation  01 ‖ epoch u64 ‖ index[32] ‖ version u32 ‖ commitment[32]                       77 B
head      02 ‖ epoch u64 ‖ unix_ms u64 ‖ map_root[32] ‖ users u64 ‖ changes u32 ‖ config[32]
                                                                                          93 B
config    03 ‖ epoch u64 ‖ record (`directory.config`)
record    10 policy, 11 command, 12 directive, 13 market, 14 release, 15 office
          ‖ epoch u64 ‖ body (`directory.records`)
"""

import struct
from dataclasses import dataclass
from typing import Any, Final

from blackthorn.errors import VerificationError
from blackthorn.wire import limits

MUTATION: Final = 0x01
HEAD: Final = 0x02
CONFIG: Final = 0x03
POLICY: Final = 0x10
COMMAND: Final = 0x11
DIRECTIVE: Final = 0x12
MARKET: Final = 0x13
RELEASE: Final = 0x14
OFFICE: Final = 0x15
RECORD_KINDS: Final = frozenset({POLICY, COMMAND, DIRECTIVE, MARKET, RELEASE, OFFICE})

_MUTATION: Final = struct.Struct(">BQ32sI32s")
_HEAD: Final = struct.Struct(">BQQ32sQI32s")
_START: Final = struct.Struct(">BQ")


@dataclass(frozen=True, slots=True)
class Mutation:
    """A user's entry has changed: 32-byte index, version from 1, 32-byte commitment."""

    epoch: int
    index: bytes
    version: int
    commitment: bytes

    def encode(self) -> bytes:
        """77 bytes."""
        return _MUTATION.pack(MUTATION, self.epoch, self.index, self.version, self.commitment)


@dataclass(frozen=True, slots=True)
class Head:
    """The end of an epoch: time, the map's root, users, mutations, configuration."""

    epoch: int
    unix_ms: int
    map_root: bytes
    users: int
    changes: int
    config: bytes

    def encode(self) -> bytes:
        """93 bytes."""
        return _HEAD.pack(
            HEAD, self.epoch, self.unix_ms, self.map_root, self.users, self.changes, self.config
        )


@dataclass(frozen=True, slots=True)
class ConfigEntry:
    """A configuration record, from this epoch on."""

    epoch: int
    record: bytes

    def encode(self) -> bytes:
        return _START.pack(CONFIG, self.epoch) + self.record


@dataclass(frozen=True, slots=True)
class Record:
    """A typed entry, with a body of the kind's schema in `directory.records`."""

    kind: int
    epoch: int
    body: bytes

    def encode(self) -> bytes:
        return _START.pack(self.kind, self.epoch) + self.body


Entry = Mutation | Head | ConfigEntry | Record


def decode_entry(data: bytes) -> Entry:
    """The entry in `data`, its body not decoded. Raises `VerificationError` (D1, D2)."""
    if not data or len(data) > limits.MAX_LEDGER_ENTRY_BYTES:
        raise VerificationError("D1", f"an entry has {len(data)} bytes")
    kind = data[0]
    if kind == MUTATION:
        _, epoch, index, version, commitment = _unpack(_MUTATION, data)
        return Mutation(epoch, index, version, commitment)
    if kind == HEAD:
        return Head(*_unpack(_HEAD, data)[1:])
    if kind != CONFIG and kind not in RECORD_KINDS:
        raise VerificationError("D1", f"an entry is of the unknown type {kind}")
    if len(data) <= _START.size:
        raise VerificationError("D2", "an entry ends before its body")
    _, epoch = _START.unpack_from(data)
    body = data[_START.size :]
    return ConfigEntry(epoch, body) if kind == CONFIG else Record(kind, epoch, body)


def _unpack(layout: struct.Struct, data: bytes) -> tuple[Any, ...]:
    if len(data) != layout.size:
        raise VerificationError("D2", f"an entry has {len(data)} bytes, not {layout.size}")
    return layout.unpack(data)
