"""Finds rows of parcels in any bytes, by the form of SQLite's records (File Format, 1.6 and 2.1).

It needs no page: a row is found in a page in use, a free one, a gap in a page, or the write-ahead
log. Not found: a row whose first bytes are overwritten, and what overflows a page alone.
"""

import re
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import apsw

from blackthorn.errors import UserError, system_error
from blackthorn.storage.sqlite.database import PAGE_BYTES, Connection, migrations
from blackthorn.storage.sqlite.failure import storing

Bytes = Any
"""`bytes`, or a file mapped into memory."""

MARK_BYTES: Final = 16

_WHOLE_BYTES: Final = (PAGE_BYTES - 12) * 64 // 255 - 23
"""A longer row of an index overflows its page."""

_INTEGER, _BLOB, _MARKET = rb"[\x01-\x06\x08\x09]", rb"[\x80-\xff]{0,3}[\x00-\x7f]", rb"[\x0d\x11]"
_MAILBOX: Final = re.compile(
    rb"(?=([\x07-\x0a]%b%b[\x00-\x04\x08\x09](?:\x00%b%b|%b%b\x00)))"
    % (_INTEGER, _INTEGER, _MARKET, _INTEGER, _BLOB, _MARKET),
    re.DOTALL,
)
_SHARED: Final = re.compile(rb"(?=([\x05-\x08]\x00%b%b%b))" % (_MARKET, _INTEGER, _BLOB), re.DOTALL)
_SIZES: Final = {0: 0, 1: 1, 2: 2, 3: 3, 4: 4, 5: 6, 6: 8, 8: 0, 9: 0}

_MAILBOX_ROWS: Final = "SELECT device, seq, shared, sealed FROM mailbox"
_SHARED_ROWS: Final = "SELECT 0, 0, id, sealed FROM shared_parcel"
_MARKETS: Final = "SELECT code FROM market UNION SELECT market FROM users"
_LARGEST: Final = (
    "SELECT max(coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'devices'), 0),"
    " coalesce((SELECT max(number) FROM devices), 0))"
)


class Row(NamedTuple):
    """A row of `mailbox`, or with device 0 of `shared_parcel`.

    `mark` are the first bytes of what is sealed, empty when the shared parcel of that id holds it.
    """

    device: int
    seq: int
    shared: int
    mark: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """Rows that a database lists, its markets, and its largest number of a device."""

    rows: frozenset[Row]
    markets: frozenset[bytes]
    devices: int


def listed(database: Path) -> Listed:
    """What the database lists; it is not altered. Raises UserError, StorageError."""
    log = database.with_name(database.name + "-wal")
    with (
        system_error(UserError, f"{database} cannot be read"),
        TemporaryDirectory(prefix="blackthorn-") as name,
    ):
        if log.exists() and log.stat().st_size:  # reading it would write beside it
            for file in (database, log):
                shutil.copy(file, Path(name) / file.name)
            return _listed(str(Path(name) / database.name), apsw.SQLITE_OPEN_READWRITE)
        flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
        return _listed(f"{database.absolute().as_uri()}?immutable=1", flags)


@storing
def _listed(name: str, flags: int) -> Listed:
    with closing(apsw.Connection(name, flags=flags)) as connection:
        if connection.pragma("user_version") != migrations()[-1][0]:
            raise UserError("the copy is of another version of blackthorn: use that program")
        rows = {
            Row(device, seq, shared or 0, (sealed or b"")[:MARK_BYTES])
            for query in (_MAILBOX_ROWS, _SHARED_ROWS)
            for device, seq, shared, sealed in connection.execute(query)
        }
        return Listed(frozenset(rows), _markets(connection), connection.execute(_LARGEST).get)


def _markets(connection: Connection) -> frozenset[bytes]:
    return frozenset({b""} | {code.encode() for (code,) in connection.execute(_MARKETS)})


def carve(data: Bytes, known: Listed) -> Iterator[Row]:
    """Every row in the bytes whose market and device `known` names."""
    for pattern, read in ((_MAILBOX, _mailbox_row), (_SHARED, _shared_row)):
        for found in pattern.finditer(data):
            row = read(data, found.start(), found[1], known)
            if row is not None:
                yield row


def _mailbox_row(data: Bytes, start: int, header: bytes, known: Listed) -> Row | None:
    if header[0] == len(header) + 1:  # a row that says its sender
        header = bytes(data[start : start + header[0]])
    fields = _fields(start, header)
    if fields is None or fields[3][0] in range(1, 12) or fields[-1][0] == 7:
        return None
    device, seq, _, sealed, market, shared = fields[:6]
    size = len(header) + sum(field[2] for field in fields)
    length = _varint(size)
    if data[start - len(length) : start] != length or bool(sealed[0]) == bool(shared[0]):
        return None
    numbers = [_integer(data, field) for field in (device, seq, shared)]
    row = Row(numbers[0], numbers[1], numbers[2], _mark(data, sealed))
    if not 0 < row.device <= known.devices or row.seq <= 0:
        return None
    if size <= _WHOLE_BYTES and _bytes(data, market) not in known.markets:
        return None
    return row


def _shared_row(data: Bytes, start: int, header: bytes, known: Listed) -> Row | None:
    fields = _fields(start, header)
    if fields is None or fields[3][0] < 12:
        return None
    _, market, waiting, sealed = fields
    length = _varint(len(header) + sum(field[2] for field in fields))
    if _bytes(data, market) not in known.markets or _integer(data, waiting) <= 0:
        return None
    for count in range(1, 10):
        before = start - count
        number = data[before:start]
        if data[before - len(length) : before] == length and _is_varint(number):
            return Row(0, 0, _value(number), _mark(data, sealed))
    return None


Field = tuple[int, int, int]
"""Serial type, place and size of a value."""


def _fields(start: int, header: bytes) -> list[Field] | None:
    """The fields of a record; None for an impossible header."""
    if header[0] != len(header):
        return None
    place, kind, fields = start + len(header), 0, list[Field]()
    for byte in header[1:]:
        kind = kind << 7 | byte & 0x7F
        if byte & 0x80:
            continue
        if kind in (7, 10, 11) or (kind >= 12 and kind % 2 == 0 and not fields):
            return None
        size = _SIZES[kind] if kind < 12 else (kind - 12) // 2
        fields.append((kind, place, size))
        place, kind = place + size, 0
    return fields


def _integer(data: Bytes, field: Field) -> int:
    kind, place, size = field
    return int(kind == 9) if not size else int.from_bytes(data[place : place + size], signed=True)


def _bytes(data: Bytes, field: Field) -> bytes:
    return bytes(data[field[1] : field[1] + field[2]])


def _mark(data: Bytes, field: Field) -> bytes:
    return bytes(data[field[1] : field[1] + min(field[2], MARK_BYTES)])


def _varint(number: int) -> bytes:
    """SQLite's variable-length integer of at most 28 bits."""
    groups = [number & 0x7F]
    while number := number >> 7:
        groups.append(number & 0x7F | 0x80)
    return bytes(reversed(groups))


def _is_varint(data: bytes) -> bool:
    """Whether the bytes are exactly one variable-length integer."""
    ends = len(data) == 9 or (bool(data) and data[-1] < 0x80)
    return ends and all(byte & 0x80 for byte in data[:-1])


def _value(data: bytes) -> int:
    """The signed value of one variable-length integer; a ninth byte has eight bits."""
    value = 0
    for byte in data[:8]:
        value = value << 7 | byte & 0x7F
    if len(data) == 9:
        value = value << 8 | data[8]
    return value - (1 << 64) if value >= 1 << 63 else value
