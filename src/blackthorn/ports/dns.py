"""The resolver port: asynchronous, bounded questions to the domain name system (RFC 1035).

A name that does not exist, and one without records of the kind, are answers; a time-out and a
failed server are errors, of two kinds, after which a mail is deferred.
"""

from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Generic, Protocol, TypeVar

from blackthorn.errors import UnavailableError


@dataclass(frozen=True, slots=True)
class A:
    """An IPv4 address (RFC 1035, 3.4.1)."""

    address: IPv4Address


@dataclass(frozen=True, slots=True)
class Aaaa:
    """An IPv6 address (RFC 3596)."""

    address: IPv6Address


@dataclass(frozen=True, slots=True)
class Mx:
    """A mail server (RFC 5321, 5.1). `host` is empty for "no mail here" (RFC 7505)."""

    preference: int
    host: str


@dataclass(frozen=True, slots=True)
class Txt:
    """Text (RFC 1035, 3.3.14); its strings are joined without a space (RFC 7208, 3.3)."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Ptr:
    """The name of an address (RFC 1035, 3.3.12), asked for as its `reverse_pointer`."""

    host: str


@dataclass(frozen=True, slots=True)
class Cname:
    """The name that an alias stands for. Only when asked for: other questions follow it."""

    host: str


@dataclass(frozen=True, slots=True)
class Srv:
    """A service's place (RFC 2782)."""

    priority: int
    weight: int
    port: int
    host: str


@dataclass(frozen=True, slots=True)
class Tlsa:
    """What a TLS server's certificate must match (RFC 6698)."""

    usage: int
    selector: int
    matching: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Caa:
    """Which authority may certify a name (RFC 8659)."""

    flags: int
    tag: str
    value: bytes


Record = TypeVar("Record", A, Aaaa, Mx, Txt, Ptr, Cname, Srv, Tlsa, Caa)


@dataclass(frozen=True, slots=True)
class Answer(Generic[Record]):
    """What was found. Names are lower case, ASCII, without a last dot.

    `exists` is false for a name that does not exist (NXDOMAIN). `name` is the one asked for, or
    the end of its aliases. `authenticated`: the resolver has checked it by DNSSEC, the absence of
    records too, and nobody between could alter it.
    """

    records: tuple[Record, ...]
    name: str
    exists: bool = True
    authenticated: bool = False


class ResolverError(UnavailableError):
    """There was no answer: try again later."""


class ResolverTimeoutError(ResolverError):
    """No server answered in time, or too many questions wait."""


class ResolverFailedError(ResolverError):
    """The servers failed (SERVFAIL), refused, answered nonsense, or broke DNSSEC."""


class Resolver(Protocol):
    """The domain name system."""

    async def look_up(self, name: str, kind: type[Record]) -> Answer[Record]:
        """Records of a kind of a name, its aliases followed.

        `name` is ASCII or an internationalised name, with or without a last dot; what cannot be a
        name does not exist. Raises ResolverTimeoutError, ResolverFailedError.
        """
