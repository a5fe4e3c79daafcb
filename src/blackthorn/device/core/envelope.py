"""The envelope around an MLS message: it hides group, epoch and kind from the server.

    group parcel    = 01 ‖ nonce[16] ‖ tag[8] ‖ AES-256-GCM(seal key, nonce, MLSMessage)
    Welcome parcel  = 02 ‖ MLSMessage
    part parcel     = 03 ‖ nonce[16] ‖ tag[8] ‖ AES-256-GCM(seal key, nonce,
                                                SHA-256(MLSMessage)[32] ‖ place[1] ‖ half)

The 64-byte key is exported from one epoch: 32 bytes tag key, 32 bytes seal key. The tag,
HMAC-SHA256(tag key, nonce), lets a member find the conversation with one hash per known epoch. See
docs/specs/envelope.md.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from blackthorn.crypto import aead, secret
from blackthorn.device.core import limits
from blackthorn.errors import DecodeError
from blackthorn.link.parcels import PART, is_part

GROUP: Final = 0x01
WELCOME: Final = 0x02

EXPORT_LABEL: Final = "blackthorn envelope"
KEY_BYTES: Final = 64
NONCE_BYTES: Final = 16
TAG_BYTES: Final = 8
_HEADER_BYTES: Final = 1 + NONCE_BYTES + TAG_BYTES
_PARCEL_OVERHEAD: Final = _HEADER_BYTES + 16
_NAME_BYTES: Final = 32


UNKNOWN: Final = "no conversation at hand has this envelope"


class EnvelopeError(DecodeError):
    """The parcel is not an envelope, or no key opens it."""


class UnknownEnvelopeError(EnvelopeError):
    """No known key has this tag: unknown conversation, later epoch, or forgery."""


class TooLargeError(EnvelopeError):
    """The message fits no posting."""


@dataclass(frozen=True, slots=True)
class Part:
    """One half of a message; `name` is the message's SHA-256, `place` 0 or 1."""

    name: bytes
    place: int
    half: bytes


@dataclass(frozen=True, slots=True)
class EnvelopeKey:
    """The envelope key of one epoch; `owner` is (group id, epoch)."""

    owner: tuple[bytes, int]
    key: secret.Secret

    def _tag(self, nonce: bytes) -> bytes:
        return hmac.digest(self.key.expose()[:32], nonce, "sha256")[:TAG_BYTES]

    def seal(self, message: bytes, random: Callable[[int], bytes], kind: int = GROUP) -> bytes:
        """Seal an MLS message into a group parcel, 41 bytes longer."""
        nonce = random(NONCE_BYTES)
        header = bytes([kind]) + nonce + self._tag(nonce)
        return header + aead.AES_256_GCM.seal(self.key.expose()[32:], nonce, message, header)

    def seal_all(self, message: bytes, random: Callable[[int], bytes]) -> list[bytes]:
        """A group parcel, or two parts of a larger message. Raises TooLargeError."""
        if len(message) <= limits.MAX_WHOLE_BYTES:
            return [self.seal(message, random)]
        if len(message) > limits.MAX_PARTED_BYTES:
            raise TooLargeError("the message is too large")
        name, middle = hashlib.sha256(message).digest(), len(message) // 2
        halves = enumerate((message[:middle], message[middle:]))
        return [self.seal(name + bytes([place]) + half, random, PART) for place, half in halves]

    def matches(self, parcel: bytes) -> bool:
        tag = parcel[1 + NONCE_BYTES : _HEADER_BYTES]
        return hmac.compare_digest(self._tag(parcel[1 : 1 + NONCE_BYTES]), tag)

    def open(self, parcel: bytes) -> bytes:
        """The MLS message. Raises EnvelopeError."""
        header = parcel[:_HEADER_BYTES]
        nonce = header[1 : 1 + NONCE_BYTES]
        try:
            sealed = parcel[_HEADER_BYTES:]
            return aead.AES_256_GCM.open(self.key.expose()[32:], nonce, sealed, header)
        except aead.OpenError:
            raise EnvelopeError("the envelope was altered") from None


def seal_welcome(message: bytes) -> bytes:
    """A Welcome parcel. MLS encrypts it; its recipients share no envelope key yet."""
    return bytes([WELCOME]) + message


def digest(parcel: bytes) -> bytes:
    """SHA-256 of the whole parcel, 32 bytes."""
    return hashlib.sha256(parcel).digest()


def welcome_of(parcel: bytes) -> bytes | None:
    """The MLS message of a Welcome parcel, None for one of a group. Raises EnvelopeError."""
    if parcel[:1] == bytes([WELCOME]):
        return parcel[1:]
    sealed = parcel[:1] == bytes([GROUP]) or is_part(parcel)
    if not sealed or len(parcel) < _PARCEL_OVERHEAD:
        raise EnvelopeError("the parcel is no envelope")
    return None


def open_group_parcel(
    parcel: bytes, keys: Iterable[EnvelopeKey]
) -> tuple[tuple[bytes, int], bytes]:
    """The owner of the matching key, and the MLS message.

    Raises UnknownEnvelopeError without a matching tag, EnvelopeError for an altered envelope. Tags
    are short, so an accidental match does not end the search.
    """
    altered: EnvelopeError | None = None
    for key in keys:
        if key.matches(parcel):
            try:
                return key.owner, key.open(parcel)
            except EnvelopeError as error:
                altered = error
    raise altered or UnknownEnvelopeError(UNKNOWN)


def read_part(opened: bytes) -> Part:
    """What a part parcel has, once it is opened. Raises EnvelopeError."""
    if len(opened) <= _NAME_BYTES + 1 or opened[_NAME_BYTES] > 1:
        raise EnvelopeError("the parcel is no part of a message")
    return Part(opened[:_NAME_BYTES], opened[_NAME_BYTES], opened[_NAME_BYTES + 1 :])


def whole(first: Part, second: Part) -> bytes:
    """The message of two halves. Raises EnvelopeError unless they are its halves."""
    message = first.half + second.half
    if len(message) > limits.MAX_PARTED_BYTES or hashlib.sha256(message).digest() != first.name:
        raise EnvelopeError("the two parts are not of one message")
    return message
