"""The certificate for programs that know neither RFC 9580 nor post-quantum keys ("B").

Version 4, Ed25519Legacy to certify and sign, Cv25519 to encrypt to, Features 1: SEIPD version 1
only (RFC 9580, 5.5.2.2, 5.5.5.5, 5.5.5.6 and 5.2.3.32). GnuPG 2.2, Thunderbird, neomutt and K-9
read what is sealed to it. pysequoia cannot make one: its Features say version 2 as well.

**Not post-quantum**: what is sealed to it opens the day elliptic curves fall.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.decrepit.ciphers.modes import CFB
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES

from blackthorn.crypto.openpgp import packets
from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519

_VERSION: Final = 4
_EDDSA, _ECDH = 22, 18
"""Public key algorithms: EdDSALegacy and ECDH."""
_SHA256, _SHA512, _AES128, _AES256 = 8, 10, 7, 9
_ED25519_OID: Final = bytes.fromhex("092b06010401da470f01")
_CV25519_OID: Final = bytes.fromhex("0a2b060104019755010501")
"""Length and OID (RFC 9580, 9.2)."""
_KDF: Final = bytes([3, 1, _SHA256, _AES128])
"""Parameters that RFC 9580, 11.5.1 asks for with Curve25519Legacy."""

_BINARY, _POSITIVE, _BINDING, _REVOKED = 0x00, 0x13, 0x18, 0x20
"""Types of signatures."""
_CERTIFY_AND_SIGN, _ENCRYPT = 0x03, 0x0C
_SEIPD_V1: Final = 1
_PREFERRED_CIPHERS, _PREFERRED_HASHES, _PREFERRED_COMPRESSIONS, _REASON = 11, 21, 22, 29
_RETIRED: Final = 3

_COUNT: Final = 0xFF
"""S2K count: 65,011,712 octets, the most there is (RFC 9580, 3.7.1.3)."""


@dataclass(frozen=True, slots=True)
class _Key:
    """One key of version 4: its public body, and its secret as it stands in an MPI."""

    public: bytes
    secret: bytes

    @property
    def hashed(self) -> bytes:
        return b"\x99" + len(self.public).to_bytes(2, "big") + self.public

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha1(self.hashed, usedforsecurity=False).digest()

    def locked(self, passphrase: Secret, salt: bytes, iv: bytes) -> bytes:
        """The body of a secret key packet under a passphrase (RFC 9580, 5.5.3: usage 254)."""
        secret = _mpi(self.secret)
        data = secret + hashlib.sha1(secret, usedforsecurity=False).digest()
        encryptor = Cipher(AES(_stretched(passphrase, salt)), CFB(iv)).encryptor()
        s2k = bytes([254, _AES256, 3, _SHA256]) + salt + bytes([_COUNT])
        return self.public + s2k + iv + encryptor.update(data) + encryptor.finalize()

    @property
    def unlocked(self) -> bytes:
        """The body of a secret key packet without a passphrase."""
        secret = _mpi(self.secret)
        return self.public + b"\x00" + secret + (sum(secret) % 65536).to_bytes(2, "big")


@dataclass(frozen=True, slots=True)
class _Certificate:
    """The parts of a key that `generate` has made, in their order."""

    primary: _Key
    subkey: _Key
    user_id: bytes
    certification: bytes
    binding: bytes
    revocation: bytes = b""

    @property
    def public(self) -> bytes:
        return self._whole(
            packets.packet(packets.PUBLIC_KEY, self.primary.public),
            packets.packet(packets.PUBLIC_SUBKEY, self.subkey.public),
        )

    @property
    def secret(self) -> bytes:
        return self._whole(
            packets.packet(packets.SECRET_KEY, self.primary.unlocked),
            packets.packet(packets.SECRET_SUBKEY, self.subkey.unlocked),
        )

    def locked(self, passphrase: Secret, random: Callable[[int], bytes]) -> bytes:
        keys = [
            packets.packet(tag, key.locked(passphrase, random(8), random(16)))
            for tag, key in (
                (packets.SECRET_KEY, self.primary),
                (packets.SECRET_SUBKEY, self.subkey),
            )
        ]
        return self._whole(*keys)

    def _whole(self, primary: bytes, subkey: bytes) -> bytes:
        head = primary + self.revocation + packets.packet(packets.USER_ID, self.user_id)
        return head + self.certification + subkey + self.binding


def generate(address: str, at: int, random: Callable[[int], bytes]) -> tuple[Secret, bytes]:
    """A key and its certificate, binary (about 500 and 430 bytes), dated `at`, Unix seconds.

    `random` gives 64 bytes. It never expires, as certificate A does not.
    """
    when = at.to_bytes(4, "big")
    seed, scalar = random(32), _clamped(random(32))
    point = X25519PrivateKey.from_private_bytes(scalar).public_key().public_bytes_raw()
    signing = ED25519.public_key(Secret(seed))
    head = bytes([_VERSION]) + when
    primary = _Key(head + bytes([_EDDSA]) + _ED25519_OID + _mpi(b"\x40" + signing), seed)
    subkey = _Key(head + bytes([_ECDH]) + _CV25519_OID + _mpi(b"\x40" + point) + _KDF, scalar[::-1])
    user_id = address.encode()
    preferences = (
        packets.subpacket(packets.KEY_FLAGS, bytes([_CERTIFY_AND_SIGN]))
        + packets.subpacket(_PREFERRED_CIPHERS, bytes([_AES256, _AES128]))
        + packets.subpacket(_PREFERRED_HASHES, bytes([_SHA512, _SHA256]))
        + packets.subpacket(_PREFERRED_COMPRESSIONS, b"\x00")
        + packets.subpacket(packets.FEATURES, bytes([_SEIPD_V1]))
    )
    named = primary.hashed + b"\xb4" + len(user_id).to_bytes(4, "big") + user_id
    flags = packets.subpacket(packets.KEY_FLAGS, bytes([_ENCRYPT]))
    made = _Certificate(
        primary,
        subkey,
        user_id,
        _signed(primary, _POSITIVE, when, preferences, named),
        _signed(primary, _BINDING, when, flags, primary.hashed + subkey.hashed),
    )
    return Secret(made.secret), made.public


def lock(key: Secret, passphrase: Secret, random: Callable[[int], bytes]) -> bytes:
    """The binary secret key for another program, under a passphrase. Takes 0.2 s.

    `random` gives 48 bytes. Raises ValueError when `key` is not of `generate`.
    """
    return _parsed(key).locked(passphrase, random)


def revoke(key: Secret, at: int) -> bytes:
    """The certificate with its revocation: replaced or not in use, at `at` (Unix seconds).

    Raises ValueError when `key` is not of `generate`.
    """
    parts = _parsed(key)
    reason = packets.subpacket(_REASON, bytes([_RETIRED]))
    when = at.to_bytes(4, "big")
    revocation = _signed(parts.primary, _REVOKED, when, reason, parts.primary.hashed)
    return _Certificate(
        parts.primary,
        parts.subkey,
        parts.user_id,
        parts.certification,
        parts.binding,
        revocation,
    ).public


def sign(message: bytes, key: Secret, at: int | None = None) -> bytes:
    """A detached binary signature, one packet, dated `at` (Unix seconds) or as the key itself.

    Raises ValueError when `key` is not of `generate`.
    """
    primary = _parsed(key).primary
    when = primary.public[1:5] if at is None else at.to_bytes(4, "big")
    return _signed(primary, _BINARY, when, b"", message)


def encryption_key_id(certificate: bytes) -> bytes:
    """The 8 bytes by which a session key packet names its subkey. Raises ValueError."""
    for tag, body in packets.packets(certificate):
        if tag == packets.PUBLIC_SUBKEY:
            return _Key(body, b"").fingerprint[-8:]
    raise ValueError("the certificate has no subkey")


def _parsed(key: Secret) -> _Certificate:
    """The parts of a key of `generate`: exactly the bytes that it makes."""
    refusal = ValueError("not a key that this program has made for other programs")
    found = list(packets.packets(key.expose()))
    if [tag for tag, _ in found] != [
        packets.SECRET_KEY,
        packets.USER_ID,
        packets.SIGNATURE,
        packets.SECRET_SUBKEY,
        packets.SIGNATURE,
    ]:
        raise refusal
    primary, user_id, certification, subkey, binding = (body for _, body in found)
    made = _Certificate(
        _secret_key(primary),
        _secret_key(subkey),
        user_id,
        packets.packet(packets.SIGNATURE, certification),
        packets.packet(packets.SIGNATURE, binding),
    )
    if made.secret != key.expose():
        raise refusal
    return made


def _secret_key(body: bytes) -> _Key:
    kinds = {_ED25519_OID: b"", _CV25519_OID: _KDF}
    for oid, tail in kinds.items():
        size = 6 + len(oid) + 2 + 33 + len(tail)
        if body[6 : 6 + len(oid)] == oid and len(body) > size + 3:
            return _Key(body[:size], body[size + 3 : -2].rjust(32, b"\x00"))
    raise ValueError("not a key that this program has made for other programs")


def _signed(signer: _Key, kind: int, when: bytes, more: bytes, data: bytes) -> bytes:
    """A signature packet of version 4 over `data` (RFC 9580, 5.2.3 and 5.2.4)."""
    issuer = packets.subpacket(packets.ISSUER_FINGERPRINT, bytes([_VERSION]) + signer.fingerprint)
    hashed = packets.subpacket(packets.CREATED, when) + issuer + more
    head = bytes([_VERSION, kind, _EDDSA, _SHA512]) + len(hashed).to_bytes(2, "big") + hashed
    trailer = bytes([_VERSION, 0xFF]) + len(head).to_bytes(4, "big")
    digest = hashlib.sha512(data + head + trailer).digest()
    unhashed = packets.subpacket(packets.ISSUER, signer.fingerprint[-8:])
    signature = ED25519.sign(Secret(signer.secret), digest)
    end = len(unhashed).to_bytes(2, "big") + unhashed + digest[:2]
    body = head + end + _mpi(signature[:32]) + _mpi(signature[32:])
    return packets.packet(packets.SIGNATURE, body)


def _mpi(number: bytes) -> bytes:
    """A multiprecision integer (RFC 9580, 3.2): its bits, then its octets without leading zeros."""
    value = int.from_bytes(number, "big")
    octets = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return value.bit_length().to_bytes(2, "big") + octets


def _clamped(scalar: bytes) -> bytes:
    """A scalar of RFC 7748, 5, as programs of before RFC 9580 expect it stored."""
    return bytes([scalar[0] & 248]) + scalar[1:31] + bytes([scalar[31] & 127 | 64])


def _stretched(passphrase: Secret, salt: bytes) -> bytes:
    """32 bytes by iterated and salted S2K with SHA-256 (RFC 9580, 3.7.1.3)."""
    count = (16 + (_COUNT & 15)) << ((_COUNT >> 4) + 6)
    unit = salt + passphrase.expose()
    block = unit * (65_536 // len(unit) + 1)
    hashed = hashlib.sha256()
    for _ in range(count // len(block)):
        hashed.update(block)
    hashed.update(block[: count % len(block)])
    return hashed.digest()
