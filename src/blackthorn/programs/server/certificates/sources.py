"""Where the certificate comes from: files of the administrator's, ACME, or the server itself."""

import datetime
import secrets
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from blackthorn.crypto import certificates
from blackthorn.crypto.certificates import Certificate, CertificateError, Fault, Problem
from blackthorn.crypto.secret import Secret
from blackthorn.edges import public_tls
from blackthorn.errors import DecodeError
from blackthorn.programs.server.certificates import limits
from blackthorn.programs.server.settings.tls import TlsSettings
from blackthorn.storage.files.certificates import MAX_PEM_BYTES, CertificateFiles

_END: Final = b"-----END PRIVATE KEY-----\n"


class Kind(StrEnum):
    """Of a source."""

    FILES = "files"
    ACME = "acme"
    SELF_SIGNED = "self-signed"


@dataclass(frozen=True, slots=True)
class Source:
    """Two PEM files; the same one holds chain and key when the server made it."""

    kind: Kind
    certificate: Path
    key: Path


@dataclass(frozen=True, slots=True)
class Loaded:
    """A certificate that a listener can use, with what peers would refuse of it."""

    source: Source
    certificate: Certificate
    known: bool
    """Whether its chain leads to an authority of this machine's, or holds its own root."""
    names: Sequence[str]
    context: ssl.SSLContext

    def problems(self, now: datetime.datetime) -> list[Problem]:
        """What peers refuse of it; of a self-signed one not that nobody vouches for it."""
        return certificates.problems(self.certificate, self.names, now, self.known)


def configured(tls: TlsSettings, server: Path) -> Source:
    """The source that the settings name."""
    files = CertificateFiles(server)
    if tls.certificate:
        return Source(Kind.FILES, server / tls.certificate, server / tls.key)
    if tls.acme:
        return Source(Kind.ACME, files.acme, files.acme)
    return own(server)


def own(server: Path) -> Source:
    """The self-signed certificate's."""
    file = CertificateFiles(server).self_signed
    return Source(Kind.SELF_SIGNED, file, file)


def load(source: Source, names: Sequence[str]) -> Loaded:
    """Read the certificate for `names`. Raises CertificateError when it cannot be used at all."""
    chain, key = _read(source.certificate), Secret(_read(source.key))
    certificate = certificates.parse(chain, key)
    try:
        context = public_tls.load_context(source.certificate, source.key)
    except DecodeError as error:
        raise CertificateError(Problem(Fault.UNREADABLE, str(error))) from None
    known = (
        certificate.ends_in_root
        or source.kind is Kind.ACME  # whose authority gave the whole chain
        or public_tls.leads_to_known_authority(context, public_tls.system_authorities())
    )
    return Loaded(source, certificate, known, names, context)


def make_own(
    server: Path, names: Sequence[str], now: datetime.datetime, *, anew: bool = False
) -> None:
    """Make the self-signed certificate anew when it is missing, ends soon or lacks a name.

    Or if `anew`. Its key stays, so that a peer that pinned it still knows it. Raises DiskError.
    """
    files = CertificateFiles(server)
    stored = files.read(files.self_signed)
    if stored is not None:
        try:
            before = certificates.parse(stored, Secret(stored))
            sound = not certificates.problems(before, names, now, True)
            if sound and not ends_soon(before, now) and not anew:
                return
        except DecodeError:
            stored = None
    key = key_of(stored) if stored else certificates.make_key(secrets.token_bytes)
    made = certificates.make_self_signed(key, names, secrets.token_bytes, now)
    files.write(files.self_signed, key.expose() + made)


def key_of(stored: bytes) -> Secret:
    """The key at the start of a file that this server has written."""
    return Secret(stored[: stored.index(_END) + len(_END)])


def ends_soon(certificate: Certificate, now: datetime.datetime) -> bool:
    """Whether its end is to be warned of."""
    life = certificate.not_after - certificate.not_before
    left = certificate.not_after - now
    return left < min(datetime.timedelta(days=limits.WARNING_DAYS), life / limits.WARNING_PART)


def renewal_due(certificate: Certificate, names: Sequence[str], now: datetime.datetime) -> bool:
    """Whether an ACME certificate is to be renewed: by its age, or for a name."""
    life = certificate.not_after - certificate.not_before
    missing = any(not certificates.covers(certificate.names, name) for name in names)
    return missing or certificate.not_after - now < life / limits.RENEW_PART


def stamp(source: Source) -> tuple[object, ...]:
    """What changes when the files do."""
    return tuple(
        (file.stat().st_mtime_ns, file.stat().st_ino, file.stat().st_size)
        if file.exists()
        else None
        for file in (source.certificate, source.key)
    )


def _read(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_PEM_BYTES)
    except OSError as error:
        text = f"{file} cannot be read: {error.strerror}"
        raise CertificateError(Problem(Fault.UNREADABLE, text)) from None
