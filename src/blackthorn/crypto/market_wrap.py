"""Encryption of stored bytes under a market's key: XChaCha20-Poly1305 in chunks of 64 KiB.

    wrapped = 20 random bytes ‖ chunk … ‖ last chunk        each chunk has a 16-byte tag behind it

A chunk's nonce is the 20 bytes ‖ its index (u32, big-endian); its associated data is one byte, 1
for the last chunk and 0 for others, which detects truncation. There is always a last chunk, empty
for an empty text. Chunks open independently. libsodium is called through PyNaCl's binding, since
the wrappers copy each text three times and every message passes here.
"""

import hashlib
from typing import Any, Final

from nacl._sodium import ffi, lib  # type: ignore[import-not-found]

from blackthorn.crypto.secret import Secret
from blackthorn.errors import DamageError

_LIB: Final[Any] = lib
_FFI: Final[Any] = ffi
_seal: Final = _LIB.crypto_aead_xchacha20poly1305_ietf_encrypt
_open: Final = _LIB.crypto_aead_xchacha20poly1305_ietf_decrypt
_at: Final = _FFI.from_buffer
_NULL: Final = _FFI.NULL

KEY_BYTES: Final = 32
PREFIX_BYTES: Final = 20
CHUNK_BYTES: Final = 65_536
TAG_BYTES: Final = 16
WRAPPED_CHUNK_BYTES: Final = CHUNK_BYTES + TAG_BYTES

_FINGERPRINT: Final = b"blackthorn-market-key-v1\0"
_FIRST: Final = bytes(4)


class WrapError(DamageError):
    """The stored bytes do not open: another key, or altered."""


def fingerprint(key: Secret) -> bytes:
    """32 bytes that name the key without revealing it: SHA-256 over a label and the key."""
    return hashlib.sha256(_FINGERPRINT + key.expose()).digest()


def wrapped_size(size: int) -> int:
    """The wrapped size in bytes of `size` bytes."""
    return PREFIX_BYTES + size + TAG_BYTES * _chunks(size)


def wrap(key: Secret, data: bytes | bytearray | memoryview, prefix: bytes) -> bytes:
    """`data` under the 32-byte key: 36 bytes more, and 16 for each further 64 KiB.

    `prefix` are 20 random bytes, never those of another text.
    """
    size = len(data)
    if size > CHUNK_BYTES:
        return prefix + _wrap_chunks(key.expose(), data, prefix)
    out = bytearray(size + TAG_BYTES)
    text = data if type(data) is bytes else bytes(data)
    _seal(_at(out), _NULL, text, size, b"\1", 1, _NULL, prefix + _FIRST, key.expose())
    return prefix + out


def unwrap(key: Secret, wrapped: bytes) -> bytes:
    """Raises WrapError."""
    chunks = memoryview(wrapped)[PREFIX_BYTES:]
    return unwrap_chunks(key, wrapped[:PREFIX_BYTES], chunks, 0, last=True)


def unwrap_chunks(
    key: Secret, prefix: bytes, chunks: bytes | memoryview, first: int, *, last: bool
) -> bytes:
    """Unwrap `chunks` from index `first`; `last`: they end the text. Raises WrapError."""
    exposed = key.expose()
    size = len(chunks)
    count = max(1, -(-size // WRAPPED_CHUNK_BYTES))
    if len(prefix) != PREFIX_BYTES or size - (count - 1) * WRAPPED_CHUNK_BYTES < TAG_BYTES:
        raise WrapError("stored data is truncated: restore it from a backup")
    out = bytearray(size - count * TAG_BYTES)
    source, target = _at(chunks), _at(out)
    for number in range(count):
        start = number * WRAPPED_CHUNK_BYTES
        length = min(WRAPPED_CHUNK_BYTES, size - start)
        mark = b"\1" if last and number == count - 1 else b"\0"
        nonce = prefix + (first + number).to_bytes(4, "big")
        place = target + number * CHUNK_BYTES
        if _open(place, _NULL, _NULL, source + start, length, mark, 1, nonce, exposed):
            raise WrapError("stored data does not open with this market's key")
    return bytes(out)


def _chunks(size: int) -> int:
    return max(1, -(-size // CHUNK_BYTES))


def _wrap_chunks(key: bytes, data: bytes | bytearray | memoryview, prefix: bytes) -> bytes:
    total = _chunks(len(data))
    out = bytearray(len(data) + total * TAG_BYTES)
    source, target = _at(data), _at(out)
    for number in range(total):
        start = number * CHUNK_BYTES
        length = min(CHUNK_BYTES, len(data) - start)
        mark = b"\1" if number == total - 1 else b"\0"
        nonce = prefix + number.to_bytes(4, "big")
        place = target + number * WRAPPED_CHUNK_BYTES
        _seal(place, _NULL, source + start, length, mark, 1, _NULL, nonce, key)
    return bytes(out)
