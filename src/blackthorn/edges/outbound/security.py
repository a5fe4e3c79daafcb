"""How a connection to a mail server must be secured: by DANE, by MTA-STS, or as it can be."""

import hashlib
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto

from blackthorn.crypto.tls_keys import peer_public_key
from blackthorn.edges.outbound import limits
from blackthorn.errors import DecodeError
from blackthorn.ports.dns import Resolver, Tlsa


class Level(Enum):
    PLAIN = auto()
    """No TLS: it is asked for by nobody, and has just failed with this server."""
    OPPORTUNISTIC = auto()
    """TLS with anybody if it is offered, else none (RFC 7435)."""
    ENCRYPTED = auto()
    """TLS with any server: its DANE records cannot be used (RFC 7672, 2.2)."""
    DANE = auto()
    """TLS with a certificate that a DANE record names."""
    VERIFIED = auto()
    """TLS with a certificate of the server's name by a public authority."""


@dataclass(frozen=True, slots=True)
class Security:
    level: Level
    records: tuple[Tlsa, ...] = ()

    @property
    def required(self) -> bool:
        return self.level not in (Level.PLAIN, Level.OPPORTUNISTIC)

    def check(self, certificate: bytes) -> bool:
        """Whether the server's certificate (DER) is one that may be used."""
        return self.level is not Level.DANE or matches(self.records, certificate)


class TlsContexts:
    """Contexts of handshakes with others. Reading the machine's authorities takes some 10 ms."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._any = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self._any.check_hostname = False
        self._any.verify_mode = ssl.CERT_NONE
        self._any.minimum_version = ssl.TLSVersion.TLSv1_2
        self._verified: ssl.SSLContext | None = None
        self._until = 0.0

    def get(self, security: Security) -> ssl.SSLContext:
        """With DANE the certificate is compared after the handshake, by `Security.check`."""
        if security.level is not Level.VERIFIED:
            return self._any
        now = self._now()
        if self._verified is None or now >= self._until:
            self._verified = ssl.create_default_context()
            self._verified.minimum_version = ssl.TLSVersion.TLSv1_2
            self._until = now + limits.AUTHORITIES_SECONDS
        return self._verified


async def dane(resolver: Resolver, host: str, port: int) -> Security | None:
    """What the authenticated TLSA records of a server ask for (RFC 7672); None without any.

    Of the kinds of records DANE-EE(3) is used, which names the server's own certificate; with
    others only, TLS is asked for and nobody is verified. Raises ResolverError: the server must not
    be used, since the records could be hidden by an attacker.
    """
    found = await resolver.look_up(f"_{port}._tcp.{host}", Tlsa)
    if not found.authenticated or not found.records:
        return None
    usable = tuple(record for record in found.records if _is_usable(record))
    return Security(Level.DANE, usable) if usable else Security(Level.ENCRYPTED)


def _is_usable(record: Tlsa) -> bool:
    size = {0: len(record.data), 1: 32, 2: 64}.get(record.matching)
    return record.usage == 3 and record.selector in (0, 1) and len(record.data) == size


def matches(records: Sequence[Tlsa], certificate: bytes) -> bool:
    """Whether one of the DANE-EE records names the certificate (RFC 6698, 2.1)."""
    try:
        selected = {0: certificate, 1: peer_public_key(certificate)}
    except DecodeError:
        return False
    return any(
        _hashed(record.matching, selected[record.selector]) == record.data for record in records
    )


def _hashed(matching: int, data: bytes) -> bytes:
    if matching == 0:
        return data
    return (hashlib.sha256 if matching == 1 else hashlib.sha512)(data).digest()
