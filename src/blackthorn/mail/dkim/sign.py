"""Signs a mail by relaxed/relaxed canonicalisation (RFC 6376, 3.4), over the bytes sent."""

import base64
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

SIGNED: Final = (
    b"from",
    b"reply-to",
    b"subject",
    b"date",
    b"to",
    b"cc",
    b"message-id",
    b"in-reply-to",
    b"references",
    b"mime-version",
    b"content-type",
    b"content-transfer-encoding",
    b"autocrypt",
)
"""Fields that are signed where they stand (RFC 6376, 5.4.1)."""

_FIELD: Final = re.compile(rb"([!-9;-~]+)[ \t]*:((?:[^\r\n]|\r\n[ \t])*)\r\n")
_BLANKS: Final = re.compile(rb"[ \t]+")
_LINE_END_BLANKS: Final = re.compile(rb"[ \t]+\r\n")


@dataclass(frozen=True, slots=True)
class Signer:
    """One key: `sign` returns the signature of bytes by `algorithm` (RFC 6376, 3.3; RFC 8463)."""

    domain: str
    selector: str
    algorithm: str
    sign: Callable[[bytes], bytes]


def signed(content: bytes, signers: Sequence[Signer], now: int) -> bytes:
    """The mail, CRLF, with a DKIM-Signature before it for each signer; `now` in Unix seconds."""
    header, _, body = content.partition(b"\r\n\r\n")
    fields = [(found[1].lower(), found[2]) for found in _FIELD.finditer(header + b"\r\n")]
    chosen = _chosen(fields)
    hashed = base64.b64encode(hashlib.sha256(canonical_body(body)).digest()).decode()
    made = [_signature(signer, chosen, hashed, now) for signer in signers]
    return b"".join([*made, content])


def _chosen(fields: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes | None]]:
    """The fields signed, each name from its last on (5.4.2), then From once more, which is absent.

    So no second From can be added without breaking the signature (8.15).
    """
    found: list[tuple[bytes, bytes | None]] = []
    for name in SIGNED:
        found += [(name, value) for known, value in reversed(fields) if known == name]
    return [*found, (b"from", None)]


def _signature(
    signer: Signer, fields: list[tuple[bytes, bytes | None]], body_hash: str, now: int
) -> bytes:
    names = ":".join(name.decode() for name, _ in fields)
    start = (
        f" v=1; a={signer.algorithm}; c=relaxed/relaxed; d={signer.domain};\r\n"
        f" s={signer.selector}; t={now};\r\n h={_folded(names)};\r\n bh={body_hash};\r\n b="
    ).encode()
    lines = [canonical_field(name, value) for name, value in fields if value is not None]
    data = b"".join(lines) + canonical_field(b"dkim-signature", start)[:-2]
    text = base64.b64encode(signer.sign(data)).decode()
    folded = "\r\n ".join(text[at : at + 72] for at in range(0, len(text), 72))
    return b"DKIM-Signature:" + start + folded.encode() + b"\r\n"


def _folded(names: str) -> str:
    """A list of names, with line ends so that no line is longer than 78."""
    lines, line = list[str](), ""
    for name in names.split(":"):
        if len(line) + len(name) > 70:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return "\r\n ".join([*lines, line]).removesuffix(":")


def canonical_field(name: bytes, value: bytes) -> bytes:
    """A field in relaxed form (3.4.2); the name is in lower case."""
    return name + b":" + _BLANKS.sub(b" ", value.replace(b"\r\n", b"")).strip(b" \t") + b"\r\n"


def canonical_body(body: bytes) -> bytes:
    """The body in relaxed form (3.4.4): no blanks at a line's end, one between words."""
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    if b" " in body or b"\t" in body:
        body = _LINE_END_BLANKS.sub(b"\r\n", _BLANKS.sub(b" ", body))
    end = len(body)
    while body.startswith(b"\r\n", end - 4) and body.startswith(b"\r\n", end - 2) and end >= 4:
        end -= 2
    body = body[:end]
    return b"" if body == b"\r\n" else body
