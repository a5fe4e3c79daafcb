"""Whether a mail is sealed: PGP/MIME (RFC 3156, 4) around nothing but encrypted OpenPGP packets.

Bytes are looked at, not what the sender says of them. Whether they can be opened, and by whom,
cannot be seen here.
"""

import binascii
from typing import Final

from blackthorn.errors import ForbiddenError
from blackthorn.mail import limits
from blackthorn.mail.mime.fields import Field, first
from blackthorn.mail.mime.structure import Part, parse

_HIDDEN_SUBJECTS: Final = (b"", b"...", b"[...]", b"encrypted message", b"[encrypted]")
"""What programs write outside for a subject that is sealed inside (RFC 9788, 3.2.1), lower case."""

_READABLE_FIELDS: Final = (b"thread-topic", b"keywords", b"comments", b"content-description")
"""Outer fields that repeat what is to be sealed."""

_BEGIN: Final = b"-----BEGIN PGP MESSAGE-----"
_END: Final = b"-----END PGP MESSAGE-----"

_ALPHABET: Final = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

_SESSION_KEYS: Final = (1, 3)
"""Packets with a session key for a certificate or a password (RFC 9580, 5.1 and 5.3)."""
_ENCRYPTED: Final = (18, 20)
"""Encrypted and integrity protected data (5.13), and GnuPG's with AEAD."""
_IGNORED: Final = (10, 21)
"""Marker and padding (5.8, 5.14)."""


class NotSealedError(ForbiddenError):
    """The mail can be read on its way; the text says by what, and what to do."""


def check_sealed(content: bytes, parsed: Part | None = None) -> None:
    """Raises NotSealedError unless the mail, with CRLF line ends, is sealed; MailRefusedError.

    `parsed` is its tree of parts, if it was parsed before.
    """
    root = parsed or parse(content)
    if root.type != b"multipart/encrypted":
        raise NotSealedError("the mail is not encrypted: turn on encryption and send it again")
    _check_structure(root)
    _check_outside(root.fields)
    _check_between(content, root)
    body = root.children[1]
    packets = dearmor(content[body.start : body.end])
    if packets is None or not _is_encrypted(packets):
        raise NotSealedError("the mail's encrypted part holds something else than one message")


def _check_structure(root: Part) -> None:
    types = [part.type for part in root.children]
    protocol = root.parameters.get(b"protocol", b"").lower()
    if protocol != b"application/pgp-encrypted" or types != [
        b"application/pgp-encrypted",
        b"application/octet-stream",
    ]:
        raise NotSealedError("the mail is not encrypted as PGP/MIME (RFC 3156)")
    if root.children[1].encoding not in (b"", b"7bit", b"8bit", b"binary"):
        raise NotSealedError("the mail's encrypted part has a transfer encoding")


def _check_outside(fields: list[Field]) -> None:
    if first(fields, b"subject").strip().lower() not in _HIDDEN_SUBJECTS:
        text = "the mail's subject is not encrypted: turn on encrypted subjects and send it again"
        raise NotSealedError(text)
    for name, value in fields:
        if name in _READABLE_FIELDS and value:
            raise NotSealedError(f"the mail's field {name.decode()} is not encrypted: leave it out")


def _check_between(content: bytes, root: Part) -> None:
    """Nothing stands before, between or behind the two parts but what RFC 3156 writes there."""
    version, body = root.children
    told = content[version.start : version.end].strip().lower()
    before = content[root.start : version.start].split(b"\r\n--", 1)[0]
    after = content[body.end :].strip().partition(b"\r\n")[2]
    harmless = before.startswith(b"--") or not before.strip() or _is_notice(before)
    if told != b"version: 1" or not harmless or after.strip():
        raise NotSealedError("the mail holds something beside its encrypted part")


def _is_notice(preamble: bytes) -> bool:
    """Whether it is the one sentence that mail programs write for others without MIME."""
    text = preamble.strip()
    return text.lower().startswith(b"this is a") and len(text) <= 100 and b"\n" not in text


class Armored:
    """The bytes behind base64 text, decoded where they are asked for: most are never looked at."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        padding = len(text) - len(text.rstrip(b"="))
        self._size = len(text) // 4 * 3 - padding

    def __len__(self) -> int:
        return self._size

    def read(self, position: int, size: int) -> bytes:
        """At most `size` bytes from `position` on."""
        start, stop = position // 3, -(-(position + size) // 3)
        decoded = binascii.a2b_base64(self._text[start * 4 : stop * 4])
        return decoded[position - start * 3 : position - start * 3 + size]

    def byte(self, position: int) -> int:
        """The byte there, which exists."""
        return self.read(position, 1)[0]


def dearmor(text: bytes) -> Armored | None:
    """The packets of one armored message (RFC 9580, 6.2) with nothing around it, or None."""
    text = text.strip()
    if not text.startswith(_BEGIN) or not text.endswith(_END):
        return None
    inner = text[len(_BEGIN) : -len(_END)].replace(b"\r\n", b"\n")
    headers, blank, data = inner.partition(b"\n\n")
    if not blank or any(line and b": " not in line for line in headers.split(b"\n")):
        return None
    data, _, checksum = data.rstrip(b"\n").partition(b"\n=")
    data = data.replace(b"\n", b"")
    wrong = data.translate(None, _ALPHABET)
    if len(checksum) > 4 or len(data) % 4 or not data or not data.endswith(wrong):
        return None
    return Armored(data) if wrong in (b"", b"=", b"==") else None


def _is_encrypted(packets: Armored) -> bool:
    """Session keys, then one packet of encrypted data that ends the message (RFC 9580, 10.3)."""
    position, keys, encrypted = 0, 0, False
    while position < len(packets):
        found = _packet(packets, position)
        if found is None:
            return False
        tag, end = found
        if tag in _ENCRYPTED and keys and not encrypted:
            encrypted = True
        elif tag in _SESSION_KEYS and not encrypted:
            keys += 1
            if keys > limits.MAX_SESSION_KEYS:
                return False
        elif tag not in _IGNORED:
            return False
        position = end
    return encrypted


def _packet(packets: Armored, position: int) -> tuple[int, int] | None:
    """The type of the packet there and where it ends; None when it is none, or ends beyond."""
    header = packets.byte(position)
    if not header & 0x80:
        return None
    try:
        if header & 0x40:
            tag, end = header & 0x3F, _new_end(packets, position + 1)
        else:
            tag, end = (header & 0x3C) >> 2, _old_end(packets, position, header & 3)
    except IndexError:
        return None
    return (tag, end) if position < end <= len(packets) else None


def _new_end(packets: Armored, position: int) -> int:
    """Where a body with lengths of the new format ends, its partial ones too (4.2.1)."""
    while True:
        one = packets.byte(position)
        if one < 192:
            return position + 1 + one
        if one < 224:
            return position + 2 + ((one - 192) << 8) + packets.byte(position + 1) + 192
        if one == 255:
            return position + 5 + int.from_bytes(packets.read(position + 1, 4), "big")
        position += 1 + (1 << (one & 0x1F))
        if one & 0x1F < 9:  # RFC 9580, 4.2.1.4: the first is 512 bytes at least
            raise IndexError("a partial length is too short")


def _old_end(packets: Armored, position: int, kind: int) -> int:
    """Where the body of a packet of the old format ends (4.2.2); the fourth kind ends with all."""
    if kind == 3:
        return len(packets)
    size = 1 << kind
    length = int.from_bytes(packets.read(position + 1, size), "big")
    return position + 1 + size + length
