"""ECVRF-EDWARDS25519-SHA512-TAI (RFC 9381, suite 0x03): a keyed hash with public proofs.

Private keys are 32-byte seeds (RFC 8032), public keys Ed25519 points; a proof has 80 bytes, the
output 64. Arithmetic is libsodium's. Encoding to a point tries counters, so timing depends on the
input: nothing here is constant-time. Stricter than the RFC: a Gamma off the main subgroup, which no
honest prover makes, is refused.
"""

import hashlib
from functools import lru_cache
from typing import Final

from nacl import bindings as sodium

from blackthorn.crypto.secret import Secret

PROOF_SIZE: Final = 80

_SUITE: Final = b"\x03"
_FIELD: Final = 2**255 - 19
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_IDENTITY: Final = b"\x01" + bytes(31)
_SIGN: Final = 1 << 255


class VrfError(ValueError):
    """The proof does not verify, or the key is invalid."""


def public_key(private: Secret) -> bytes:
    """The 32-byte public key of a 32-byte private one."""
    return sodium.crypto_sign_seed_keypair(private.expose())[0]


def prove(private: Secret, alpha: bytes) -> tuple[bytes, bytes]:
    """The 64-byte output for `alpha` and its 80-byte proof (5.1)."""
    expanded = hashlib.sha512(private.expose()).digest()
    scalar = _clamp(expanded[:32])
    public = public_key(private)
    point = _encode_to_curve(public, alpha)
    gamma = sodium.crypto_scalarmult_ed25519_noclamp(scalar, point)
    nonce = sodium.crypto_core_ed25519_scalar_reduce(hashlib.sha512(expanded[32:] + point).digest())
    u = sodium.crypto_scalarmult_ed25519_base_noclamp(nonce)
    v = sodium.crypto_scalarmult_ed25519_noclamp(nonce, point)
    challenge = _challenge(public, point, gamma, u, v)
    product = sodium.crypto_core_ed25519_scalar_mul(challenge + bytes(16), scalar)
    response = sodium.crypto_core_ed25519_scalar_add(nonce, product)
    return _output(gamma), gamma + challenge + response


@lru_cache(maxsize=4_096)  # a device looks the same people up again and again
def verify(public: bytes, pi: bytes, alpha: bytes) -> bytes:
    """The 64-byte output that the proof proves for `alpha` (5.3); raises `VrfError`."""
    if len(public) != 32 or len(pi) != PROOF_SIZE:
        raise VrfError("a VRF key has 32 bytes, a VRF proof has 80")
    gamma, challenge, response = pi[:32], pi[32:48], pi[48:]
    if int.from_bytes(response, "little") >= _ORDER:
        raise VrfError("the response of the VRF proof is not a reduced scalar")
    if not sodium.crypto_core_ed25519_is_valid_point(public):
        raise VrfError("the VRF key is not in the main subgroup")
    if not sodium.crypto_core_ed25519_is_valid_point(gamma):
        raise VrfError("Gamma of the VRF proof is not in the main subgroup")
    scalar = challenge + bytes(16)
    point = _encode_to_curve(public, alpha)
    try:
        u = sodium.crypto_core_ed25519_sub(
            sodium.crypto_scalarmult_ed25519_base_noclamp(response),
            sodium.crypto_scalarmult_ed25519_noclamp(scalar, public),
        )
        v = sodium.crypto_core_ed25519_sub(
            sodium.crypto_scalarmult_ed25519_noclamp(response, point),
            sodium.crypto_scalarmult_ed25519_noclamp(scalar, gamma),
        )
    except RuntimeError as error:
        # libsodium refuses a scalar of zero, which an honest proof has once in 2**128.
        raise VrfError("the VRF proof has a scalar of zero") from error
    if _challenge(public, point, gamma, u, v) != challenge:
        raise VrfError("the VRF proof does not verify")
    return _output(gamma)


def _clamp(half: bytes) -> bytes:
    """The secret scalar of RFC 8032, 5.1.5."""
    scalar = bytearray(half)
    scalar[0] &= 0xF8
    scalar[31] = scalar[31] & 0x7F | 0x40
    return bytes(scalar)


def _encode_to_curve(salt: bytes, alpha: bytes) -> bytes:
    """Try and increment (5.4.1.1): the first counter whose hash is a point, times the cofactor."""
    head = _SUITE + b"\x01" + salt + alpha
    for counter in range(256):
        candidate = hashlib.sha512(head + bytes((counter, 0))).digest()[:32]
        if int.from_bytes(candidate, "little") % _SIGN >= _FIELD:
            continue
        try:
            point = _times_cofactor(candidate)
        except RuntimeError:
            continue
        if point != _IDENTITY:
            return point
    raise VrfError("no counter encodes the input to a point")


def _times_cofactor(point: bytes) -> bytes:
    """Eight times a point, by doublings: libsodium multiplies no points off the subgroup."""
    for _ in range(3):
        point = sodium.crypto_core_ed25519_add(point, point)
    return point


def _challenge(*points: bytes) -> bytes:
    """The first 16 bytes of the hash of five points (5.4.3)."""
    return hashlib.sha512(_SUITE + b"\x02" + b"".join(points) + b"\x00").digest()[:16]


def _output(gamma: bytes) -> bytes:
    return hashlib.sha512(_SUITE + b"\x03" + _times_cofactor(gamma) + b"\x00").digest()
