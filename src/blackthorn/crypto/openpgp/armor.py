"""ASCII armor (RFC 9580, 6) of certificates and secret keys. Lines end in LF; no checksum."""

import pysequoia

from blackthorn.crypto.openpgp_seal import CertificateError, sequoia_errors
from blackthorn.crypto.secret import Secret


def armor_certificate(data: bytes) -> bytes:
    """A binary certificate as a block of text."""
    return pysequoia.armor(data, pysequoia.ArmorKind.PublicKey).encode()


def read_certificates(data: bytes) -> list[bytes]:
    """The binary certificates of a file, armored or binary, without secret keys.

    Raises CertificateError for other bytes.
    """
    with sequoia_errors(CertificateError("no OpenPGP certificate stands in it")):
        return [bytes(certificate) for certificate in pysequoia.Cert.split_bytes(data)]


def armor_locked_key(data: Secret) -> bytes:
    """A binary secret key, which is under a passphrase, as a block of text."""
    return pysequoia.armor(data.expose(), pysequoia.ArmorKind.SecretKey).encode()
