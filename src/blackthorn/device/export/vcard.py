"""contacts.vcf: the user's contacts as vCard 4.0 (RFC 6350)."""

import base64
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

_FOLD_OCTETS: Final = 75
"""RFC 6350, 3.2: a longer line is folded."""

_ESCAPES: Final = str.maketrans({"\\": "\\\\", ",": "\\,", ";": "\\;", "\n": "\\n"})


@dataclass(frozen=True, slots=True)
class ExportContact:
    """A contact. `verified`: compared in person. `certificate`: binary or empty."""

    address: str
    verified: bool = False
    certificate: bytes = field(default=b"", repr=False)


def cards(contacts: Iterable[ExportContact]) -> Iterator[bytes]:
    for contact in contacts:
        yield b"".join(_folded(line) for line in _lines(contact))


def escape(text: str) -> str:
    """Escape a text value (RFC 6350, 3.4); control characters are removed, line ends stay."""
    plain = text.replace("\r\n", "\n").replace("\r", "\n")
    kept = (c for c in plain if c in "\t\n" or not (ord(c) < 32 or 127 <= ord(c) < 160))
    return "".join(kept).encode("utf-8", "replace").decode().translate(_ESCAPES)


def _lines(contact: ExportContact) -> Iterator[str]:
    name = f"mailto:{contact.address}".encode("utf-8", "replace").decode()
    mark = "verified" if contact.verified else "not verified"
    yield "BEGIN:VCARD"
    yield "VERSION:4.0"
    yield f"UID:{uuid.uuid5(uuid.NAMESPACE_URL, name).urn}"
    yield f"FN:{escape(contact.address)}"
    yield f"EMAIL:{escape(contact.address)}"
    yield f"CATEGORIES:Blackthorn,{mark}"
    if contact.verified:
        yield "NOTE:You compared this person's identity in person."
    if contact.certificate:
        key = base64.b64encode(contact.certificate).decode()
        yield f"KEY:data:application/pgp-keys;base64,{key}"
    yield "END:VCARD"


def _folded(line: str) -> bytes:
    """Fold a line at 75 octets without splitting a character."""
    rest, lines, room = line.encode(), [], _FOLD_OCTETS
    while len(rest) > room:
        cut = room
        while rest[cut] & 0xC0 == 0x80:
            cut -= 1
        lines.append(rest[:cut])
        rest, room = rest[cut:], _FOLD_OCTETS - 1
    return b"\r\n ".join([*lines, rest]) + b"\r\n"
