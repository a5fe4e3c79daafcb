"""The body of a composed mail as a MIME entity (RFC 2045, 2046): text, then attachments.

All parts are 7-bit, but for a forwarded original, whose bytes stay as they came.
"""

import base64
import quopri
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from mimetypes import MimeTypes
from typing import Final
from urllib.parse import quote as percent

from blackthorn.errors import UserError
from blackthorn.mail.compose import limits
from blackthorn.mail.compose.fields import Field, encode
from blackthorn.mail.compose.flowed import flow
from blackthorn.mail.render.names import file_name
from blackthorn.wire.units import MIB

_TYPES: Final = MimeTypes(filenames=())
"""The standard library's own table: the same type on every machine."""
_UNKNOWN: Final = "application/octet-stream"
_PIECE: Final = 60
"""Characters of a parameter's piece (RFC 2231, 3), so that its line is short."""


@dataclass(frozen=True, slots=True)
class File:
    """A file to attach: its name as the person has it, and its bytes."""

    name: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Entity:
    """A MIME entity: the value of its Content-Type, its other fields, and its body."""

    type: str
    fields: tuple[Field, ...]
    body: bytes = field(repr=False)

    def encode(self) -> bytes:
        return encode([("Content-Type", self.type), *self.fields]) + b"\r\n" + self.body


def compose(
    text: str,
    files: Sequence[File] = (),
    original: bytes | None = None,
    *,
    flowed: bool = True,
    random: Callable[[int], bytes],
) -> Entity:
    """The entity of a text, with files, and with a forwarded mail. Raises UserError: too large."""
    if len(files) > limits.MAX_ATTACHED_FILES:
        raise UserError(f"a mail has at most {limits.MAX_ATTACHED_FILES} attachments")
    if len(text.encode("utf-8", "replace")) > limits.MAX_TEXT_BYTES:
        most = limits.MAX_TEXT_BYTES // MIB
        raise UserError(f"the text has more than {most} MiB: attach it as a file")
    check_size(sum(len(file.data) for file in files), len(original or b""))
    parts = [_text(text, flowed)] if text or not (files or original) else []
    parts += [_attached(file) for file in files]
    if original is not None:
        parts.append(_forwarded(original))
    return parts[0] if len(parts) == 1 and text else _mixed(parts, random)


def _text(text: str, flowed: bool) -> Entity:
    lines = text.replace("\r\n", "\n").replace("\r", "\n").replace("\0", "")
    written = flow(lines) if flowed else "".join(f"{line}\r\n" for line in _plain_lines(lines))
    data = written.encode("utf-8", "replace")
    kind = 'text/plain; charset="utf-8"' + ("; format=flowed" if flowed else "")
    if data.isascii() and _is_short(data):
        return Entity(kind, (("Content-Transfer-Encoding", "7bit"),), data)
    quoted = quopri.encodestring(data.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    packed = _base64(data)
    if len(quoted) <= len(packed):
        return Entity(kind, (("Content-Transfer-Encoding", "quoted-printable"),), quoted)
    return Entity(kind, (("Content-Transfer-Encoding", "base64"),), packed)


def _plain_lines(text: str) -> list[str]:
    return text.rstrip("\n").split("\n")


def _is_short(data: bytes) -> bool:
    """Whether all lines are within the 998 octets of RFC 5322, 2.1.1."""
    return all(len(line) <= 998 for line in data.split(b"\r\n"))


def _base64(data: bytes) -> bytes:
    return base64.encodebytes(data).replace(b"\n", b"\r\n")


def _attached(file: File) -> Entity:
    name = file_name(file.name) or "unnamed"
    kind = _TYPES.guess_type(name)[0] or _UNKNOWN
    if kind.startswith(("multipart/", "message/")):
        kind = _UNKNOWN  # these have no base64 (RFC 2046, 5.2.1)
    fields = (
        ("Content-Transfer-Encoding", "base64"),
        ("Content-Disposition", "attachment" + parameter("filename", name)),
    )
    return Entity(kind, fields, _base64(file.data))


def _forwarded(original: bytes) -> Entity:
    """An original as it came (RFC 2046, 5.2.1: such a part has no base64)."""
    how = "binary"
    if _is_short(original):
        how = "7bit" if original.isascii() else "8bit"
    fields = (("Content-Transfer-Encoding", how), ("Content-Disposition", "attachment"))
    ending = b"" if original.endswith(b"\r\n") else b"\r\n"
    return Entity("message/rfc822", fields, original + ending)


def _mixed(parts: Sequence[Entity], random: Callable[[int], bytes]) -> Entity:
    boundary = "blackthorn-" + random(18).hex()  # in no part, but by a guess of 144 bits
    mark = f"--{boundary}".encode()
    body = b"".join(mark + b"\r\n" + part.encode() + b"\r\n" for part in parts)
    return Entity(f'multipart/mixed;\r\n boundary="{boundary}"', (), body + mark + b"--\r\n")


def parameter(name: str, value: str) -> str:
    """A parameter of a field, folded before it: as it is, or in pieces of RFC 2231."""
    if value.isascii() and len(value) <= _PIECE and not set('"\\') & set(value):
        return f'; {name}="{value}"' if len(value) < 40 else f';\r\n {name}="{value}"'
    encoded = percent(value, safe="")
    pieces: list[str] = []
    start = 0
    while start < len(encoded):
        end = min(start + _PIECE, len(encoded))
        if end < len(encoded) and "%" in encoded[end - 2 : end]:
            end = encoded.rindex("%", end - 2, end)  # an octet's two digits stay together
        pieces.append(encoded[start:end])
        start = end
    if len(pieces) == 1:
        return f";\r\n {name}*=utf-8''{pieces[0]}"
    first, *others = pieces
    lines = [f" {name}*0*=utf-8''{first}"]
    lines += [f" {name}*{number}*={piece}" for number, piece in enumerate(others, 1)]
    return ";\r\n" + ";\r\n".join(lines)


def check_size(files: int, original: int = 0) -> None:
    """Raises UserError for more bytes of files, or of a forwarded mail, than a mail may have."""
    size = files * 78 // 57 + original  # 57 bytes are a line of base64
    if size > limits.MAX_COMPOSED_BYTES:
        most = limits.MAX_COMPOSED_BYTES // MIB
        raise UserError(
            f"with its attachments the mail has {-(-size // MIB)} MiB, more than the {most} that a "
            "mail may have: send less, or a link to it"
        )
