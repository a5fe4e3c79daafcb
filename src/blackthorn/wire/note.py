"""Signed notes (c2sp.org/signed-note): text, an empty line, signature lines.

Parses and formats notes, signature lines and verifier keys in their one form. Raises only
`VerificationError` (N rules). Never here: verifying a signature.
"""

import base64
import binascii
import hashlib
import re
from dataclasses import dataclass
from typing import Final

from blackthorn.errors import VerificationError
from blackthorn.wire import limits

ED25519: Final = 0x01
"""Signature type of a log: Ed25519 over the text of the note."""

COSIGNATURE_V1: Final = 0x04
"""Signature type of a witness: a time and Ed25519 over it and the text (tlog-cosignature)."""

_KEY_ID_SIZE: Final = 4
_ED25519_KEY_SIZE: Final = 32
_DASH: Final = "\u2014 "
_CONTROL: Final = re.compile(r"[\x00-\x09\x0b-\x1f]")
_NOT_IN_NAMES: Final = re.compile(r"[\s+\x00-\x1f]")
_VKEY: Final = re.compile(r"([^+]*)\+([0-9a-f]{8})\+([0-9A-Za-z+/=]+)")


@dataclass(frozen=True)
class SignatureLine:
    """Key name, 4-byte key id, the signature without it."""

    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    """An unverified text that ends in a newline, and its lines."""

    text: str
    signatures: tuple[SignatureLine, ...]

    def lines_of(self, key: "VerifierKey") -> list[SignatureLine]:
        wanted = (key.name, key.key_id)
        return [line for line in self.signatures if (line.name, line.key_id) == wanted]


@dataclass(frozen=True)
class VerifierKey:
    """The public key of a log or witness; `str` of it is its vkey.

    Signature types other than ED25519 and COSIGNATURE_V1 are kept and never trusted.
    """

    name: str
    algorithm: int
    public: bytes

    def __post_init__(self) -> None:
        check_name(self.name)
        if not 0 <= self.algorithm <= 0xFF:
            raise VerificationError("N10", "the signature type of a key is not a byte")
        if self.algorithm in (ED25519, COSIGNATURE_V1) and len(self.public) != _ED25519_KEY_SIZE:
            raise VerificationError("N12", "an Ed25519 key of a vkey does not have 32 bytes")

    @property
    def key_id(self) -> bytes:
        """Four bytes that distinguish keys of one name."""
        data = self.name.encode() + b"\n" + bytes([self.algorithm]) + self.public
        return hashlib.sha256(data).digest()[:_KEY_ID_SIZE]

    def __str__(self) -> str:
        return format_vkey(self)


def check_name(name: str) -> None:
    """Raises N7 for an invalid key name."""
    if not name or _NOT_IN_NAMES.search(name):
        raise VerificationError("N7", "the name of a key is empty or has a space, plus or control")
    try:
        size = len(name.encode())
    except UnicodeEncodeError as error:
        raise VerificationError("N7", "the name of a key is not Unicode text") from error
    if size > limits.MAX_KEY_NAME_BYTES:
        raise VerificationError("N7", "the name of a key is too long")


def decode_base64(text: str, rule: str = "N8") -> bytes:
    """Standard base64 in its one form. Raises `rule`."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, ValueError) as error:
        raise VerificationError(rule, "the text is not base64") from error
    if encode_base64(data) != text:
        raise VerificationError(rule, "the base64 is not canonical")
    return data


def encode_base64(data: bytes) -> str:
    """Standard base64 with padding (RFC 4648, 4)."""
    return base64.b64encode(data).decode("ascii")


def decode_utf8(data: bytes) -> str:
    """Raises N2, N3."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise VerificationError("N2", "a note is not UTF-8") from error
    if _CONTROL.search(text):
        raise VerificationError("N3", "a note has a control character")
    return text


def parse_note(data: bytes) -> Note:
    """Raises N1 to N9."""
    if len(data) > limits.MAX_NOTE_BYTES:
        raise VerificationError("N1", "a note is too large")
    text = decode_utf8(data)
    # The last empty line divides: the text may have some, the signatures have none.
    cut = text.rfind("\n\n")
    if cut < 0:
        raise VerificationError("N4", "a note has no empty line before its signatures")
    block = text[cut + 2 :]
    if not block.endswith("\n"):
        raise VerificationError("N5", "a note has no signature, or its last line does not end")
    lines = block[:-1].split("\n")
    if len(lines) > limits.MAX_NOTE_SIGNATURES:
        raise VerificationError("N5", "a note has too many signatures")
    return Note(text[: cut + 1], tuple(parse_signature_line(line) for line in lines))


def format_note(note: Note) -> bytes:
    """Raises as `parse_note`."""
    lines = "".join(f"{signature_line(line)}\n" for line in note.signatures)
    try:
        data = f"{note.text}\n{lines}".encode()
    except UnicodeEncodeError as error:
        raise VerificationError("N2", "the text of a note is not Unicode text") from error
    if parse_note(data) != note:
        raise VerificationError("N4", "the text of a note does not end before its signatures")
    return data


def parse_signature_line(text: str) -> SignatureLine:
    """A line without its newline. Raises N6 to N9."""
    parts = text.split(" ", 3)
    if len(parts) != 3 or not text.startswith(_DASH):
        raise VerificationError("N6", "a line under a note is not: dash, name, signature")
    name, encoded = parts[1:]
    check_name(name)
    blob = decode_base64(encoded)
    if len(blob) <= _KEY_ID_SIZE:
        raise VerificationError("N9", "a signature is shorter than the id of its key")
    return SignatureLine(name, blob[:_KEY_ID_SIZE], blob[_KEY_ID_SIZE:])


def signature_line(line: SignatureLine) -> str:
    """A line without its newline. Raises N7, N9."""
    check_name(line.name)
    if len(line.key_id) != _KEY_ID_SIZE or not line.signature:
        raise VerificationError("N9", "a signature line has no key id of 4 bytes or no signature")
    return f"{_DASH}{line.name} {encode_base64(line.key_id + line.signature)}"


def parse_vkey(text: str) -> VerifierKey:
    """`name+id+base64(type, key)`. Raises N7, N8, N10, N11, N12."""
    if len(text) > limits.MAX_VKEY_CHARS:
        raise VerificationError("N10", "a vkey is too long")
    match = _VKEY.fullmatch(text)
    if match is None:
        raise VerificationError("N10", "a vkey is NAME+ID+KEY, with an id of eight hex digits")
    name, key_id, encoded = match.groups()
    data = decode_base64(encoded)
    if len(data) < 2:
        raise VerificationError("N10", "a vkey has no key")
    key = VerifierKey(name, data[0], data[1:])
    if key.key_id.hex() != key_id:
        raise VerificationError("N11", "the id of a vkey is not its key's")
    return key


def format_vkey(key: VerifierKey) -> str:
    return f"{key.name}+{key.key_id.hex()}+{encode_base64(bytes([key.algorithm]) + key.public)}"
