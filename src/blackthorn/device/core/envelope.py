"""The envelope around an MLS message: it hides group, epoch and kind from the server.

    group parcel    = 01 ‖ nonce[16] ‖ tag[8] ‖ AES-256-GCM(seal key, nonce, MLSMessage)
    Welcome parcel  = 02 ‖ MLSMessage

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
from blackthorn.errors import DecodeError

GROUP: Final = 0x01
WELCOME: Final = 0x02

EXPORT_LABEL: Final = "blackthorn envelope"
KEY_BYTES: Final = 64
NONCE_BYTES: Final = 16
TAG_BYTES: Final = 8
_HEADER_BYTES: Final = 1 + NONCE_BYTES + TAG_BYTES


UNKNOWN: Final = "no conversation at hand has this envelope"


class EnvelopeError(DecodeError):
    """The parcel is not an envelope, or no key opens it."""


class UnknownEnvelopeError(EnvelopeError):
    """No known key has this tag: unknown conversation, later epoch, or forgery."""


@dataclass(frozen=True, slots=True)
class EnvelopeKey:
    """The envelope key of one epoch; `owner` is (group id, epoch)."""

    owner: tuple[bytes, int]
    key: secret.Secret

    def _tag(self, nonce: bytes) -> bytes:
        return hmac.digest(self.key.expose()[:32], nonce, "sha256")[:TAG_BYTES]

    def seal(self, message: bytes, random: Callable[[int], bytes]) -> bytes:
        """Seal an MLS message into a group parcel, 41 bytes longer."""
        nonce = random(NONCE_BYTES)
        header = bytes([GROUP]) + nonce + self._tag(nonce)
        return header + aead.AES_256_GCM.seal(self.key.expose()[32:], nonce, message, header)

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
    """The MLS message of a Welcome parcel, None for a group parcel. Raises EnvelopeError."""
    if parcel[:1] == bytes([WELCOME]):
        return parcel[1:]
    if parcel[:1] != bytes([GROUP]) or len(parcel) < _HEADER_BYTES + 16:
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
