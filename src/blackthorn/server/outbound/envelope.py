"""The envelope of a delivery (RFC 5321, 2.3.1): stored wrapped, as MessagePack.

It lists only recipients who do not have the mail yet, and those of whose failure the sender is not
told yet.
"""

import msgspec

from blackthorn.errors import DamageError
from blackthorn.server.outbound import limits


class Recipient(msgspec.Struct, frozen=True, array_like=True):
    """One recipient; `status` (RFC 3463) and `diagnostic` once delivery to them has failed."""

    address: str
    status: str = ""
    diagnostic: str = ""

    @property
    def failed(self) -> bool:
        return bool(self.status)

    def fail(self, status: str, diagnostic: str) -> "Recipient":
        """The same, given up: `diagnostic` is cut to MAX_DIAGNOSTIC_CHARS."""
        return Recipient(self.address, status, diagnostic[: limits.MAX_DIAGNOSTIC_CHARS])


class Envelope(msgspec.Struct, frozen=True, array_like=True):
    """The sender's address and the recipients of one domain, one at least."""

    sender: str
    recipients: tuple[Recipient, ...]

    @property
    def waiting(self) -> tuple[Recipient, ...]:
        return tuple(recipient for recipient in self.recipients if not recipient.failed)

    @property
    def failed(self) -> tuple[Recipient, ...]:
        return tuple(recipient for recipient in self.recipients if recipient.failed)


def encode(envelope: Envelope) -> bytes:
    return msgspec.msgpack.encode(envelope)


def decode(data: bytes) -> Envelope:
    """Raises DamageError."""
    try:
        return msgspec.msgpack.decode(data, type=Envelope)
    except msgspec.MsgspecError:
        raise DamageError("an envelope of the queue is damaged") from None
