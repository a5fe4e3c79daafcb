"""ASCII armor (RFC 9580, 6) of certificates and secret keys. Lines end in LF; no checksum."""

import pysequoia

from blackthorn.crypto.secret import Secret


def armor_certificate(data: bytes) -> bytes:
    """A binary certificate as a block of text."""
    return pysequoia.armor(data, pysequoia.ArmorKind.PublicKey).encode()


def armor_locked_key(data: Secret) -> bytes:
    """A binary secret key, which is under a passphrase, as a block of text."""
    return pysequoia.armor(data.expose(), pysequoia.ArmorKind.SecretKey).encode()
