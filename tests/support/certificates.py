"""A user's certificate without a key to seal to, as a defective or hostile device may make it."""

import hashlib

import pysequoia

from blackthorn.crypto.openpgp_open import generate_user_key, sign_detached
from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.identity.openpgp import certificate_message
from blackthorn.identity.statements import SetOpenPGP


def unsealable(address: str) -> tuple[bytes, SetOpenPGP]:
    """The certificate, and the body that states it truthfully."""
    secret, whole = generate_user_key(address)
    packets = pysequoia.packet.PacketPile.from_bytes(whole)
    certificate = b"".join(map(bytes, list(packets)[:-2]))  # not the sealing subkey, its binding
    digest = hashlib.sha256(certificate).digest()
    fingerprint = parse_certificate(certificate).fingerprint.lower()
    proof = sign_detached(certificate_message(address, fingerprint, digest), secret)
    return certificate, SetOpenPGP(fingerprint, digest, proof)
