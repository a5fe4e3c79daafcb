"""OpenPGP (RFC 9580) with certificates: parse and seal; `crypto.openpgp_open` has secret keys.

pysequoia seals to expired and revoked certificates silently, so `Certificate.check` runs first.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pysequoia

from blackthorn.crypto import limits
from blackthorn.errors import DiskError, InputError

_PUBLIC_KEY = 6
_NOT_VALID = (
    "the OpenPGP certificate is not valid now: it is dated later than this machine's clock (check "
    "both clocks), or signed by a method that is too weak"
)
_NO_KEY = "the OpenPGP certificate has no key that mail can be sealed to: make a new one"


class CertificateError(InputError):
    """The bytes are no OpenPGP certificate that can be sealed to."""


class ExpiredCertificateError(CertificateError):
    """The certificate has expired; its owner can extend it."""


class RevokedCertificateError(CertificateError):
    """Its owner revoked the certificate."""


@contextmanager
def sequoia_errors(error: Exception) -> Iterator[None]:
    """Raise `error`, without its cause, for every error of pysequoia, Rust panics included."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit, MemoryError, GeneratorExit):
        raise
    except BaseException:  # a Rust panic is pyo3's PanicException, not an Exception
        raise error from None


@dataclass(frozen=True, slots=True)
class Certificate:
    """A parsed certificate. `expires` is Unix seconds, None for never."""

    fingerprint: str
    expires: int | None
    revoked: bool
    _sequoia: pysequoia.Cert

    @property
    def sequoia(self) -> pysequoia.Cert:
        """The library's own object, for other modules of `crypto`."""
        return self._sequoia

    @property
    def user_ids(self) -> list[str]:
        """The user ids that the certificate has signed. The library may raise anything."""
        return [str(user_id) for user_id in self._sequoia.user_ids]

    def check(self, now: int) -> None:
        """Raises RevokedCertificateError, ExpiredCertificateError."""
        if self.revoked:
            raise RevokedCertificateError("the OpenPGP certificate is revoked")
        if self.expires is not None and now >= self.expires:
            raise ExpiredCertificateError("the OpenPGP certificate has expired")

    def check_sealing(self) -> None:
        """Raise CertificateError when it has no key that can be sealed to. Takes 0.3 ms."""
        with sequoia_errors(CertificateError(_NO_KEY)):
            pysequoia.encrypt(b"", recipients=[self._sequoia])


def parse_certificate(data: bytes) -> Certificate:
    """A binary certificate, at most MAX_CERTIFICATE_BYTES. Raises CertificateError."""
    if len(data) > limits.MAX_CERTIFICATE_BYTES:
        raise CertificateError(f"the OpenPGP certificate has {len(data)} bytes: too large")
    if _first_tag(data) != _PUBLIC_KEY:
        raise CertificateError("not an OpenPGP certificate in binary form")
    with sequoia_errors(CertificateError("not an OpenPGP certificate")):
        certificate = pysequoia.Cert.from_bytes(data)
        revoked = certificate.is_revoked
    with sequoia_errors(CertificateError(_NOT_VALID)):
        expires = certificate.expiration
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

    `now` is Unix seconds. Raises CertificateError and its kinds.
    """
    certificate.check(now)
    with sequoia_errors(CertificateError(_NO_KEY)):
        return pysequoia.encrypt(content, recipients=[certificate._sequoia])


def seal_file(source: str, target: str, certificate: Certificate, *, now: int) -> None:
    """Seal the file `source`, binary and streamed, into a new file `target`.

    Raises as `seal`, and DiskError, which cannot name the file: pysequoia does not.
    """
    certificate.check(now)
    certificate.check_sealing()
    with sequoia_errors(DiskError("the sealed file could not be written: check the disk")):
        pysequoia.encrypt_file(source, target, recipients=[certificate._sequoia], armor=False)
