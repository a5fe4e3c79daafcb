"""The envelope round an MLS message: it hides group, epoch and kind from the server.

Specified in docs/specs/envelope.md:

    group parcel    = 01 ‖ nonce[16] ‖ tag[8] ‖ AES-256-GCM(seal key, nonce, MLSMessage)
    Welcome parcel  = 02 ‖ MLSMessage

The 64-byte envelope key is the MLS exporter's of one epoch: 32 bytes of tag key, 32 of seal
key. The tag, HMAC-SHA256(tag key, nonce), lets a member find the conversation by one cheap
hash per epoch it knows; to anybody else it is as random as the nonce.
"""

import hashlib
import hmac
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from blackthorn.crypto.aead import AES_256_GCM, OpenError
from blackthorn.crypto.secret import Secret
from blackthorn.errors import DecodeError

GROUP: Final = 0x01
WELCOME: Final = 0x02

EXPORT_LABEL: Final = "blackthorn envelope"
KEY_BYTES: Final = 64
NONCE_BYTES: Final = 16
TAG_BYTES: Final = 8
_HEADER_BYTES: Final = 1 + NONCE_BYTES + TAG_BYTES


class EnvelopeError(DecodeError):
    """The parcel is no envelope, or none of these keys opens it."""


class UnknownEnvelopeError(EnvelopeError):
    """No key at hand has this tag: another conversation, an epoch to come, or a forgery."""


@dataclass(frozen=True, slots=True)
class EnvelopeKey:
    """The key of one epoch of one conversation; `owner` is whatever the caller finds it by."""

    owner: tuple[bytes, int]
    key: Secret

    def _tag(self, nonce: bytes) -> bytes:
        return hmac.digest(self.key.expose()[:32], nonce, "sha256")[:TAG_BYTES]

    def seal(self, message: bytes, random: Callable[[int], bytes]) -> bytes:
        """A group parcel, 41 bytes longer than the MLS message."""
        nonce = random(NONCE_BYTES)
        header = bytes([GROUP]) + nonce + self._tag(nonce)
        return header + AES_256_GCM.seal(self.key.expose()[32:], nonce, message, header)

    def matches(self, parcel: bytes) -> bool:
        """Whether the tag of the parcel is this key's."""
        tag = parcel[1 + NONCE_BYTES : _HEADER_BYTES]
        return hmac.compare_digest(self._tag(parcel[1 : 1 + NONCE_BYTES]), tag)

    def open(self, parcel: bytes) -> bytes:
        """The MLS message. Raises EnvelopeError."""
        header = parcel[:_HEADER_BYTES]
        nonce = header[1 : 1 + NONCE_BYTES]
        try:
            sealed = parcel[_HEADER_BYTES:]
            return AES_256_GCM.open(self.key.expose()[32:], nonce, sealed, header)
        except OpenError:
            raise EnvelopeError("the envelope was altered") from None


def seal_welcome(message: bytes) -> bytes:
    """A Welcome parcel: its recipients share no key yet, and MLS has sealed it to them."""
    return bytes([WELCOME]) + message


def digest(parcel: bytes) -> bytes:
    """SHA-256 of the whole parcel, 32 bytes: how a device knows it again."""
    return hashlib.sha256(parcel).digest()


def welcome_of(parcel: bytes) -> bytes | None:
    """The MLS message of a Welcome parcel, or None when it is a group parcel.

    Raises EnvelopeError when it is neither.
    """
    if parcel[:1] == bytes([WELCOME]):
        return parcel[1:]
    if parcel[:1] != bytes([GROUP]) or len(parcel) < _HEADER_BYTES + 16:
        raise EnvelopeError("the parcel is no envelope")
    return None


def open_group_parcel(
    parcel: bytes, keys: Iterable[EnvelopeKey]
) -> tuple[tuple[bytes, int], bytes]:
    """The owner of the key that opens the parcel, and the MLS message inside.

    Raises UnknownEnvelopeError when no tag fits, EnvelopeError when one does but the envelope
    was altered. Tags are short: one that fits by chance does not end the search.
    """
    altered: EnvelopeError | None = None
    for key in keys:
        if key.matches(parcel):
            try:
                return key.owner, key.open(parcel)
            except EnvelopeError as error:
                altered = error
    raise altered or UnknownEnvelopeError("no conversation at hand has this envelope")
