"""Outlook's winmail.dat (MS-OXTNEF): its text and its files, bounded.

The package tnefparse is not used: it believes counts that the sender wrote, and writes to the log.
"""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

from blackthorn.errors import InputError
from blackthorn.mail.unpack import limits

SIGNATURE: Final = b"\x78\x9f\x3e\x22"
_BODY, _MESSAGE_PROPERTIES, _CODE_PAGE = 0x800C, 0x9003, 0x9007
_NEW_FILE, _TITLE, _DATA, _FILE_PROPERTIES = 0x9002, 0x8010, 0x800F, 0x9005
_TAG_BODY, _TAG_HTML, _TAG_DATA, _TAG_NAME, _TAG_LONG_NAME = 0x1000, 0x1013, 0x3701, 0x3704, 0x3707
_TAG_SHOWN_NAME, _TAG_RTF = 0x3001, 0x1009
_FIXED: Final = {2: 4, 3: 4, 4: 4, 5: 8, 6: 8, 7: 8, 10: 4, 11: 4, 20: 8, 64: 8, 72: 16, 1: 0}
"""Property type → stored octets, padded to four."""
_FILL: Final = b"\0\r\n"
"""What programs put behind the last attribute."""
_STRING, _UNICODE, _OBJECT, _BINARY = 30, 31, 13, 258


class _DamagedError(InputError):
    """A length that leads outside, a bound exceeded, or what only Outlook reads."""


@dataclass(slots=True)
class TnefFile:
    name: str = ""
    data: bytes = b""


@dataclass(slots=True)
class Tnef:
    """`text` and `html` of the message, where it has such, and its files.

    `complete`: nothing is damaged, above a bound, or an object that only Outlook reads. `rtf`: it
    has a text in RTF, which is not read.
    """

    text: str = ""
    html: str = ""
    files: list[TnefFile] = field(default_factory=list)
    complete: bool = True
    rtf: bool = False


def read_tnef(data: bytes) -> Tnef | None:
    """The content of a winmail.dat; None for anything else. Never raises."""
    if not data.startswith(SIGNATURE):
        return None
    found = Tnef()
    code_page = "cp1252"
    try:
        for identifier, value in _attributes(data):
            if identifier == _CODE_PAGE:
                code_page = _codec(int.from_bytes(value[:4], "little"))
                continue
            if identifier == _NEW_FILE:
                if len(found.files) == limits.MAX_UNPACKED_FILES:
                    raise _DamagedError
                found.files.append(TnefFile())
            with _damage_noted(found):
                _read_attribute(found, identifier, value, code_page)
    except _DamagedError:
        found.complete = False
    return found


@contextmanager
def _damage_noted(found: Tnef) -> Iterator[None]:
    """One damaged attribute costs no other."""
    try:
        yield
    except _DamagedError:
        found.complete = False


def _read_attribute(found: Tnef, identifier: int, value: bytes, code_page: str) -> None:
    if identifier == _BODY:
        found.text = _string(value, code_page)
    elif identifier == _MESSAGE_PROPERTIES:
        _read_message(found, value, code_page)
    elif identifier in (_TITLE, _DATA, _FILE_PROPERTIES):
        if not found.files:
            raise _DamagedError
        _read_file(found.files[-1], identifier, value, code_page)


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    """The attributes: level, identifier, type, length, value, checksum (MS-OXTNEF, 2.1.3.1)."""
    position, end = 6, len(data.rstrip(_FILL))
    for _ in range(limits.MAX_TNEF_ATTRIBUTES):
        if position >= end:
            return
        if position + 9 > len(data):
            raise _DamagedError
        identifier = int.from_bytes(data[position + 1 : position + 3], "little")
        size = int.from_bytes(data[position + 5 : position + 9], "little")
        position += 9
        if position + size > len(data):
            raise _DamagedError
        yield identifier, data[position : position + size]
        position += size + 2
    raise _DamagedError


def _read_message(found: Tnef, value: bytes, code_page: str) -> None:
    for tag, kind, data in _properties(value):
        if tag == _TAG_BODY:
            found.text = _text(kind, data, code_page) or found.text
        elif tag == _TAG_HTML:
            found.html = _text(kind, data, code_page)
        elif tag == _TAG_RTF:
            found.rtf = True


def _read_file(file: TnefFile, identifier: int, value: bytes, code_page: str) -> None:
    if identifier == _TITLE:
        file.name = file.name or _string(value, code_page)
    elif identifier == _DATA:
        file.data = value
    elif identifier == _FILE_PROPERTIES:
        names, objects = {}, 0
        for tag, kind, data in _properties(value):
            if tag in (_TAG_LONG_NAME, _TAG_NAME, _TAG_SHOWN_NAME):
                names[tag] = _text(kind, data, code_page)
            elif tag == _TAG_DATA and data:
                file.data = data
                objects += kind == _OBJECT
        for tag in (_TAG_SHOWN_NAME, _TAG_NAME, _TAG_LONG_NAME):
            file.name = names.get(tag) or file.name
        if objects:
            raise _DamagedError


def _properties(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """The properties of a message or file: tag, type, first value (MS-OXTNEF, 2.1.3.4)."""
    reader = _Reader(data)
    number = reader.number(4)
    if number > limits.MAX_MAPI_PROPERTIES:
        raise _DamagedError
    for _ in range(number):
        kind, tag = reader.number(2), reader.number(2)
        if tag >= 0x8000:
            reader.take(16)
            if reader.number(4) == 0:
                reader.take(4)
            else:
                reader.sized()
        many, kind = kind & 0x1000, kind & ~0x1000
        sized = kind in (_STRING, _UNICODE, _OBJECT, _BINARY)
        count = reader.number(4) if many or sized else 1
        empty = not sized and not _FIXED.get(kind)  # so that a count of them costs no octets
        if count > limits.MAX_MAPI_PROPERTIES or (empty and (many or kind not in _FIXED)):
            raise _DamagedError
        values = [reader.sized() if sized else reader.take(_FIXED[kind]) for _ in range(count)]
        yield tag, kind, values[0] if values else b""


class _Reader:
    def __init__(self, data: bytes) -> None:
        self._data = data
        self._position = 0

    def take(self, size: int) -> bytes:
        end = self._position + size
        if end > len(self._data):
            raise _DamagedError
        taken = self._data[self._position : end]
        self._position = end
        return taken

    def number(self, size: int) -> int:
        return int.from_bytes(self.take(size), "little")

    def sized(self) -> bytes:
        """A value behind its length, padded to four octets."""
        size = self.number(4)
        value = self.take(size)
        self._position += -size % 4
        return value


def _text(kind: int, data: bytes, code_page: str) -> str:
    if kind == _UNICODE:
        return data.decode("utf-16-le", "replace").rstrip("\0")
    return _string(data, code_page)


def _string(data: bytes, code_page: str) -> str:
    return data.rstrip(b"\0").decode(code_page, "replace")


def _codec(number: int) -> str:
    """Python's name of a Windows code page, if it is one of letters."""
    name = {65001: "utf-8", 20127: "cp1252", 28591: "cp1252", 20866: "koi8-r"}.get(number)
    try:
        return name or codecs.lookup(f"cp{number}" if number < 2_000 else "").name
    except LookupError:
        return "cp1252"
