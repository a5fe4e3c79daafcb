"""The only encoder and decoder of frames."""

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
    """One frame, for one WebSocket binary message."""
    return _encoder.encode(frame)


def decode(data: bytes | memoryview) -> AnyFrame:
    """A frame of at most MAX_FRAME_BYTES bytes. Raises DecodeError."""
    if len(data) > link_limits.MAX_FRAME_BYTES:
        raise DecodeError(f"the frame has {len(data)} bytes; at most {link_limits.MAX_FRAME_BYTES}")
    try:
        return _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(f"not a link frame: {error}") from None
