"""The bytes of a frame, and a frame from bytes: nothing else decodes what comes on the link."""

import msgspec

from blackthorn.errors import DecodeError
from blackthorn.link import limits as link_limits
from blackthorn.link.frames.accounts import AccountsFrame
from blackthorn.link.frames.connection import ConnectionFrame
from blackthorn.link.frames.decisions import DecisionsFrame
from blackthorn.link.frames.ledger import LedgerFrame
from blackthorn.link.frames.mail import MailFrame
from blackthorn.link.frames.messaging import MessagingFrame
from blackthorn.link.frames.pairing import PairingFrame

AnyFrame = (
    AccountsFrame
    | ConnectionFrame
    | DecisionsFrame
    | LedgerFrame
    | MailFrame
    | MessagingFrame
    | PairingFrame
)

_encoder = msgspec.msgpack.Encoder()
_decoder: msgspec.msgpack.Decoder[AnyFrame] = msgspec.msgpack.Decoder(AnyFrame)


def encode(frame: AnyFrame) -> bytes:
    """The bytes of one frame, for one WebSocket binary message."""
    return _encoder.encode(frame)


def decode(data: bytes | memoryview) -> AnyFrame:
    """One frame of at most MAX_FRAME_BYTES bytes.

    Raises DecodeError when the bytes are no frame, or break a bound.
    """
    if len(data) > link_limits.MAX_FRAME_BYTES:
        raise DecodeError(f"the frame has {len(data)} bytes; at most {link_limits.MAX_FRAME_BYTES}")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not a link frame: {error}") from None
