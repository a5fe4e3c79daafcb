"""OpenPGP (RFC 9580) towards certificates: inspect one, seal to one. Opens nothing.

The server's side seals by this module. Secret keys live in `crypto.openpgp_open`, which the
server's side can never import. pysequoia would seal to expired and to revoked certificates
without a word, so `Certificate.check` is asked before every seal.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pysequoia

from blackthorn.crypto import limits
from blackthorn.errors import DiskError, InputError

_PUBLIC_KEY = 6
_NO_KEY = "the OpenPGP certificate has no key that mail can be sealed to: make a new one"


class CertificateError(InputError):
    """The bytes are no OpenPGP certificate that can be sealed to."""


class ExpiredCertificateError(CertificateError):
    """The certificate's time is over; its owner can extend it."""


class RevokedCertificateError(CertificateError):
    """Its owner has taken the certificate back."""


@contextmanager
def sequoia_errors(error: Exception) -> Iterator[None]:
    """Turn whatever pysequoia raises, Rust panics included, into `error`, without its text."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit):
        raise
    except BaseException:  # a Rust panic arrives as pyo3's PanicException, no Exception
        raise error from None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A parsed certificate. `expires` is Unix seconds, or None when it never does."""

    fingerprint: str
    expires: int | None
    revoked: bool
    _sequoia: pysequoia.Cert

    def check(self, now: int) -> None:
        """Raise RevokedCertificateError or ExpiredCertificateError when it is that at `now`."""
        if self.revoked:
            raise RevokedCertificateError("the OpenPGP certificate is revoked")
        if self.expires is not None and now >= self.expires:
            raise ExpiredCertificateError("the OpenPGP certificate has expired")

    def check_sealing(self) -> None:
        """Raise CertificateError when it has no key that can be sealed to. Takes 0.3 ms."""
        with sequoia_errors(CertificateError(_NO_KEY)):
            pysequoia.encrypt(b"", recipients=[self._sequoia])


def parse_certificate(data: bytes) -> Certificate:
    """The certificate in `data` (binary, at most MAX_CERTIFICATE_BYTES bytes).

    Raises CertificateError when it is none; a secret key is none.
    """
    if len(data) > limits.MAX_CERTIFICATE_BYTES:
        raise CertificateError(f"the OpenPGP certificate has {len(data)} bytes: too large")
    if _first_tag(data) != _PUBLIC_KEY:
        raise CertificateError("not an OpenPGP certificate in binary form")
    with sequoia_errors(CertificateError("not an OpenPGP certificate")):
        certificate = pysequoia.Cert.from_bytes(data)
        expires = certificate.expiration
        revoked = certificate.is_revoked
    return Certificate(
        certificate.fingerprint,
        None if expires is None else int(expires.timestamp()),
        revoked,
        certificate,
    )


def _first_tag(data: bytes) -> int:
    """The tag of the first packet, in either format (RFC 9580, 4.2)."""
    head = data[0] if data else 0
    return head & 0x3F if head & 0x40 else (head & 0x3F) >> 2


def seal(content: bytes, certificate: Certificate, *, now: int) -> bytes:
    """`content` sealed to the certificate: an armored OpenPGP message (RFC 9580, 6).

    Raises ExpiredCertificateError, RevokedCertificateError, or CertificateError when it has no
    key to seal to. `now` is Unix seconds.
    """
    certificate.check(now)
    with sequoia_errors(CertificateError(_NO_KEY)):
        return pysequoia.encrypt(content, recipients=[certificate._sequoia])


def seal_file(source: str, target: str, certificate: Certificate, *, now: int) -> None:
    """The file at path `source` sealed to the certificate, binary, into a new file `target`.

    Streamed: memory does not grow with the file. Raises as `seal` does, and DiskError when
    a file cannot be read or written, without saying which: pysequoia does not tell.
    """
    certificate.check(now)
    certificate.check_sealing()
    with sequoia_errors(DiskError("the sealed file could not be written: check the disk")):
        pysequoia.encrypt_file(source, target, recipients=[certificate._sequoia], armor=False)
