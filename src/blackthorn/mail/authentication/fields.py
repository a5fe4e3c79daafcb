"""The header of a mail as it was sent: each field's name and raw value, for signatures.

`mail.mime.fields` reads the same lines unfolded; here every octet counts (RFC 6376, 3.4.1).
"""

import re
from dataclasses import dataclass
from typing import Final

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:")


@dataclass(frozen=True, slots=True)
class RawField:
    """`raw` is all of the field with its CRLF, `name` in lower case."""

    name: bytes
    raw: bytes

    @property
    def value(self) -> bytes:
        """What follows the colon, folds and CRLF included."""
        return self.raw[self.raw.index(b":") + 1 :]

    @property
    def unfolded(self) -> bytes:
        return self.value.replace(b"\r\n", b"").strip()


@dataclass(frozen=True, slots=True)
class RawHeader:
    """Fields from the top, and where the body begins.

    `malformed`: a line is no field; then no signature counts.
    """

    fields: tuple[RawField, ...]
    body: int
    malformed: bool

    def all(self, name: bytes) -> list[RawField]:
        """The fields of a lower-case name, from the top."""
        return [each for each in self.fields if each.name == name]


def split(content: bytes) -> RawHeader:
    """The header of a scanned mail (its lines end in CRLF)."""
    if content.startswith(b"\r\n"):
        return RawHeader((), 2, False)
    end = content.find(b"\r\n\r\n")
    body = len(content) if end < 0 else end + 4
    lines = content[: len(content) if end < 0 else end + 2].splitlines(keepends=True)
    # splitlines also cuts at a lone CR, which no scanned mail has
    fields: list[tuple[bytes, list[bytes]]] = []
    malformed = False
    for line in lines:
        found = _FIELD.match(line)
        if line[:1] in (b" ", b"\t") and fields:
            fields[-1][1].append(line)
        elif found is not None:
            fields.append((found[1].lower(), [line]))
        elif not (line.startswith(b"From ") and not fields):
            malformed = True
    raw = tuple(RawField(name, b"".join(pieces)) for name, pieces in fields)
    return RawHeader(raw, body, malformed)


def without(content: bytes, header: RawHeader, gone: list[RawField]) -> bytes:
    """The mail without some of its fields."""
    if not gone:
        return content
    left = {id(each) for each in gone}
    kept = b"".join(each.raw for each in header.fields if id(each) not in left)
    ends = content[: header.body].endswith(b"\r\n\r\n")
    return kept + (b"\r\n" if ends else b"") + content[header.body :]
