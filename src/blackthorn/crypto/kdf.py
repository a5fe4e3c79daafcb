"""HKDF (RFC 5869) over the standard library's HMAC."""

import hmac
from typing import Final

SHA256: Final = "sha256"
SHA384: Final = "sha384"
SHA512: Final = "sha512"


def hkdf_extract(hash_name: str, salt: bytes, ikm: bytes) -> bytes:
    """HKDF-Extract: a pseudorandom key as long as the hash."""
    return hmac.digest(salt, ikm, hash_name)


def hkdf_expand(hash_name: str, key: bytes, info: bytes, length: int) -> bytes:
    """HKDF-Expand. Raises `ValueError` beyond 255 times the hash's length."""
    block = hmac.digest(key, info + b"\x01", hash_name)
    if length <= len(block):
        return block[:length]
    if length > 255 * len(block):
        raise ValueError("HKDF-Expand cannot give more than 255 blocks")
    output = bytearray(block)
    counter = 2
    while len(output) < length:
        block = hmac.digest(key, block + info + counter.to_bytes(1, "big"), hash_name)
        output += block
        counter += 1
    return bytes(output[:length])
