"""OpenPGP version 6 keys and signatures with a given date (RFC 9580, 5.2.4 and 5.5.4).

pysequoia dates what it makes by the machine's clock, and everybody refuses what a fast clock made.
So a new key is dated anew: the times and fingerprints in its packets are replaced, and its own
signatures made again. Only for keys of `openpgp_open.generate_user_key`: Ed25519 signs, SHA-512.
"""

import hashlib
import secrets
from dataclasses import dataclass
from typing import Final

from blackthorn.crypto.openpgp.packets import packet, packets, subpacket, subpackets
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519

_VERSION: Final = 6
_SIGNATURE, _PRIMARY, _SUBKEY, _USER_ID = 2, 5, 7, 13
"""Tags of the packets in a secret key."""
_ED25519, _SHA512 = 27, 10
_CREATED, _EMBEDDED, _ISSUER = 2, 32, 33
"""Types of subpackets."""
_BINARY: Final = 0x00
_SALT_BYTES: Final = 32
_HEADER_BYTES: Final = 8
"""Version, type, algorithms, and the length of the hashed subpackets."""


@dataclass(frozen=True, slots=True)
class _Key:
    """The body of one secret key packet."""

    body: bytes

    @property
    def created(self) -> bytes:
        return self.body[1:5]

    @property
    def _public_bytes(self) -> int:
        return 10 + int.from_bytes(self.body[6:10], "big")

    @property
    def hashed(self) -> bytes:
        """The public key as signatures and fingerprints hash it."""
        public = self.body[: self._public_bytes]
        return b"\x9b" + len(public).to_bytes(4, "big") + public

    @property
    def issuer(self) -> bytes:
        """The body of an issuer subpacket: version and fingerprint."""
        return bytes([_VERSION]) + hashlib.sha256(self.hashed).digest()

    @property
    def signs(self) -> bool:
        return (self.body[0], self.body[5]) == (_VERSION, _ED25519)

    def sign(self, header: bytes, data: bytes, salt: bytes) -> bytes:
        """The end of a signature packet: two octets of the hash, salt, signature."""
        if not self.signs:
            raise ValueError("not an Ed25519 key of version 6")
        seed = self.body[self._public_bytes + 1 :]  # behind the octet that says: not locked
        trailer = header + bytes([_VERSION, 0xFF]) + len(header).to_bytes(4, "big")
        digest = hashlib.sha512(salt + data + trailer).digest()
        return digest[:2] + bytes([len(salt)]) + salt + ED25519.sign(Secret(seed), digest)

    def dated(self, created: bytes) -> "_Key":
        return _Key(self.body[:1] + created + self.body[5:])


def created(key: bytes) -> int:
    """When a binary key or certificate of version 6 was made, Unix seconds.

    Raises ValueError for other bytes.
    """
    _, body = next(packets(key), (0, b""))
    if len(body) < 5 or body[0] != _VERSION:
        raise ValueError("not an OpenPGP key of version 6")
    return int.from_bytes(body[1:5], "big")


def redate(key: bytes, at: int) -> bytes:
    """A new secret key as if it had been made at `at`, Unix seconds. Raises ValueError."""
    when = at.to_bytes(4, "big")
    found_packets = list(packets(key))
    old = [_Key(body) for tag, body in found_packets if tag in (_PRIMARY, _SUBKEY)]
    issuers = {each.issuer: each.dated(when).issuer for each in old}
    found = bytearray()
    primary = newest = _Key(b"")
    user = b""
    for tag, body in found_packets:
        made = body
        if tag in (_PRIMARY, _SUBKEY):
            newest = _Key(body).dated(when)
            primary = newest if tag == _PRIMARY else primary
            made = newest.body
        elif tag == _USER_ID:
            user = b"\xb4" + len(body).to_bytes(4, "big") + body
        elif tag == _SIGNATURE:
            data = primary.hashed + (user if newest is primary else newest.hashed)
            made = _signed_again(body, data, primary, newest, when, issuers)
        found += packet(tag, made)
    return bytes(found)


def sign(message: bytes, key: bytes) -> bytes:
    """A detached binary signature, one packet, dated as the key itself. Raises ValueError."""
    keys = [_Key(body) for tag, body in packets(key) if tag in (_PRIMARY, _SUBKEY)]
    signer = [each for each in keys if each.signs][
        -1:
    ]  # the signing subkey stands behind the primary
    if not signer:
        raise ValueError("no Ed25519 key of version 6")
    fields = subpacket(_CREATED, signer[0].created) + subpacket(_ISSUER, signer[0].issuer)
    header = bytes([_VERSION, _BINARY, _ED25519, _SHA512]) + len(fields).to_bytes(4, "big") + fields
    end = signer[0].sign(header, message, secrets.token_bytes(_SALT_BYTES))
    return packet(_SIGNATURE, header + bytes(4) + end)


def _signed_again(
    signature: bytes,
    data: bytes,
    signer: _Key,
    subkey: _Key,
    when: bytes,
    issuers: dict[bytes, bytes],
) -> bytes:
    """A signature with another date, and an embedded one by the subkey likewise."""
    if signature[0] != _VERSION or signature[3] != _SHA512:
        raise ValueError("a signature of the key is of another kind")
    end = _HEADER_BYTES + int.from_bytes(signature[4:8], "big")
    header = bytearray(signature[:end])
    for kind, start, stop in list(subpackets(header, _HEADER_BYTES)):
        value = bytes(header[start:stop])
        if kind == _CREATED:
            value = when
        elif kind == _ISSUER:
            value = issuers[value]
        elif kind == _EMBEDDED:
            value = _signed_again(value, data, subkey, subkey, when, issuers)
        header[start:stop] = value
    salt = end + 4 + int.from_bytes(signature[end : end + 4], "big") + 3
    unhashed = signature[end : salt - 3]
    again = signer.sign(bytes(header), data, signature[salt : salt + _SALT_BYTES])
    return bytes(header) + unhashed + again
