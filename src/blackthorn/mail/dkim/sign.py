"""Signs a mail by relaxed/relaxed canonicalisation (RFC 6376, 3.4), over the bytes sent."""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from blackthorn.mail.authentication.canonical import body_hash, relaxed_field
from blackthorn.mail.authentication.fields import RawField, RawHeader, split

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


@dataclass(frozen=True, slots=True)
class Signer:
    """One key: `sign` returns the signature of bytes by `algorithm` (RFC 6376, 3.3; RFC 8463)."""

    domain: str
    selector: str
    algorithm: str
    sign: Callable[[bytes], bytes]


def signed(content: bytes, signers: Sequence[Signer], now: int) -> bytes:
    """The mail, CRLF, with a DKIM-Signature before it for each signer; `now` in Unix seconds."""
    if not signers:
        return content
    header = split(content)
    chosen = _chosen(header)
    hashed = base64.b64encode(body_hash(content[header.body :], True)[0]).decode()
    made = [_signature(signer, chosen, hashed, now) for signer in signers]
    return b"".join([*made, content])


def _chosen(header: RawHeader) -> list[RawField]:
    """The fields signed, each name from its last on (RFC 6376, 5.4.2)."""
    return [field for name in SIGNED for field in reversed(header.all(name))]


def _signature(signer: Signer, fields: list[RawField], hashed: str, now: int) -> bytes:
    """One field. From is named once more than it is there.

    So no second From can be added without breaking the signature (8.15).
    """
    names = ":".join([*(field.name.decode() for field in fields), "from"])
    start = (
        f"DKIM-Signature: v=1; a={signer.algorithm}; c=relaxed/relaxed; d={signer.domain};\r\n"
        f" s={signer.selector}; t={now};\r\n h={_folded(names)};\r\n bh={hashed};\r\n b="
    ).encode()
    own = relaxed_field(RawField(b"dkim-signature", start)).removesuffix(b"\r\n")
    data = b"".join([*map(relaxed_field, fields), own])
    text = base64.b64encode(signer.sign(data)).decode()
    folded = "\r\n ".join(text[at : at + 72] for at in range(0, len(text), 72))
    return start + folded.encode() + b"\r\n"


def _folded(names: str) -> str:
    """A list of names, with line ends so that no line is longer than 78."""
    lines, line = list[str](), ""
    for name in names.split(":"):
        if len(line) + len(name) > 70:
            lines.append(line)
            line = ""
        line += f"{name}:"
    return "\r\n ".join([*lines, line]).removesuffix(":")
