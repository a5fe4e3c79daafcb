"""MIMI content (draft-ietf-mimi-content-08) inside an MLS application message.

One part of type text/plain, in deterministic CBOR (RFC 8949, 4.2.1). Decoding is bounded. Two
extensions of our own carry the time and a count, which rises with each message of a device in a
conversation and so reveals dropped messages.
"""

import hashlib
from dataclasses import dataclass, field
from typing import Any, Final

import cbor2

from blackthorn.device.conversations import limits
from blackthorn.errors import DecodeError
from blackthorn.ids import Address
from blackthorn.wire import address, cbor

SALT_BYTES: Final = 16
RENDER: Final = 1
SINGLE_PART: Final = 1
PLAIN_TEXT: Final = "text/plain;charset=utf-8"
SENT: Final = "blackthorn/sent"
COUNT: Final = "blackthorn/count"


class ContentError(DecodeError):
    """Not MIMI content, or of a type that is not supported."""


@dataclass(frozen=True, slots=True)
class TextContent:
    """One text message. `sent_ms` is the sender's clock, Unix milliseconds; `count` from 1."""

    salt: bytes
    text: str = field(repr=False)
    sent_ms: int
    count: int


def encode(content: TextContent) -> bytes:
    """Encode deterministically: equal messages give equal bytes."""
    part = [RENDER, "", SINGLE_PART, PLAIN_TEXT, content.text.encode("utf-8", "replace")]
    extensions = {SENT: content.sent_ms, COUNT: content.count}
    return cbor2.dumps([content.salt, None, b"", None, None, extensions, part], canonical=True)


def load(data: bytes) -> Any:
    """The CBOR value of a message. Raises ContentError."""
    if len(data) > limits.MAX_CONTENT_BYTES:
        raise ContentError("the content is too large")
    refusal = ContentError("the content is not CBOR")
    return cbor.load(data, limits.MAX_CONTENT_DEPTH, refusal)


def decode(data: bytes) -> TextContent:
    """The text message in `data`. Raises ContentError."""
    match load(data):
        case [bytes(salt), _, bytes(), _, _, dict(extensions), [*part]] if len(salt) == SALT_BYTES:
            sent = _count(extensions.get(SENT))
            return TextContent(salt, _text(part), sent, _count(extensions.get(COUNT)))
    raise ContentError("the content is not MIMI content")


def _text(part: list[Any]) -> str:
    match part:
        case [int(), str(), 1, str(kind), bytes(body)] if kind.partition(";")[0] == "text/plain":
            try:
                return body.decode()
            except UnicodeDecodeError:
                raise ContentError("the text is not UTF-8") from None
    raise ContentError("the content is of a kind that cannot be shown here")


def _count(value: Any) -> int:
    return value if type(value) is int and 0 <= value < 2**53 else 0


def message_id(content: bytes, sender: Address, conversation: bytes, salt: bytes) -> bytes:
    """The 32-byte message id: 01 and 31 bytes of SHA-256 over sender, room, content and salt.

    All members compute the same id; no message can take another one's.
    """
    local_part, _, domain = sender.rpartition("@")
    sender_uri = f"mimi://{domain}/u/{local_part}".encode()
    room_uri = f"mimi://{address.domain_of(sender)}/r/{conversation.hex()}".encode()
    parts = (sender_uri, room_uri, content, salt)
    framed = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return b"\x01" + hashlib.sha256(framed).digest()[:31]
