"""Asks a domain's Web Key Directory (draft-koch-openpgp-webkey-service-21), for all of our users.

The domain sees this server and no user. It may point its names anywhere, so that a connection goes
only to an address that is public, found here and checked: never by the HTTP library, which would
look the name up again. HTTPS on port 443 alone, with the authorities of the system.
"""

import asyncio
import ssl
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network
from typing import Final
from urllib.parse import urljoin, urlsplit

import httpx

from blackthorn.edges.http import limits
from blackthorn.errors import DecodeError, UnavailableError
from blackthorn.ids import Address
from blackthorn.mail.pgp.wkd import Place, places
from blackthorn.ports.dns import A, Aaaa, Resolver, ResolverError
from blackthorn.ports.outside.certificates import FoundCertificates
from blackthorn.wire.address import parse_domain

IpAddress = IPv4Address | IPv6Address

_NAT64: Final = IPv6Network("64:ff9b::/96")
_UNICAST: Final = IPv6Network("2000::/3")
"""What of IPv6 is given to networks of the Internet (RFC 4291, 2.4, and IANA's registry)."""
_PROTOCOLS: Final = IPv6Network("2001::/23")
"""Teredo and other protocols in it (RFC 2928), some of which lead to another address."""
_EXAMPLES: Final = IPv6Network("3fff::/20")
"""Of documentation (RFC 9637), which not every Python knows."""
_HEADERS: Final = {"Accept-Encoding": "identity", "User-Agent": "blackthorn"}
_LATER: Final = "the domain's certificates cannot be asked for now; try again later"


@dataclass(frozen=True, slots=True)
class _Url:
    host: str
    target: str
    """Path and query."""


class WkdClient:
    """`ports.outside.certificates.CertificateSource`; `transport` is httpx's own by default."""

    def __init__(
        self, resolver: Resolver, transport: httpx.AsyncBaseTransport | None = None
    ) -> None:
        self._resolver = resolver
        self._transport = transport
        self._authorities = ssl.create_default_context()

    async def fetch(self, address: Address) -> FoundCertificates:
        """See the port. The direct method is asked only when the advanced one's host is none."""
        try:
            async with asyncio.timeout(limits.WKD_SECONDS), self._client() as http:
                for place in places(address):
                    if addresses := await self._addresses(place.host):
                        return FoundCertificates(await self._ask(http, place, addresses))
        except (TimeoutError, ResolverError, httpx.HTTPError, httpx.InvalidURL):
            raise UnavailableError(_LATER) from None
        return FoundCertificates()

    def _client(self) -> httpx.AsyncClient:
        """A client for one question: no connection, cookie or proxy is kept for another."""
        return httpx.AsyncClient(
            headers=_HEADERS,
            trust_env=False,
            follow_redirects=False,
            timeout=limits.WKD_SECONDS,
            transport=self._transport,
            verify=self._authorities,
        )

    async def _addresses(self, host: str) -> list[IpAddress]:
        """Public addresses of a host, IPv4 first; private ones do not exist for us."""
        found: list[IpAddress] = []
        v4 = await self._resolver.look_up(host, A)
        found += [record.address for record in v4.records]
        v6 = await self._resolver.look_up(host, Aaaa)
        found += [record.address for record in v6.records]
        return [address for address in found if is_public(address)]

    async def _ask(
        self, http: httpx.AsyncClient, place: Place, addresses: list[IpAddress]
    ) -> bytes:
        """The body of the answer, after at most MAX_WKD_REDIRECTS; empty for none."""
        url = _Url(place.host, place.path)
        for _ in range(limits.MAX_WKD_REDIRECTS + 1):
            if not addresses:
                return b""
            answer = await _get(http, url, addresses[0])
            if isinstance(answer, bytes):
                return answer
            redirected = _redirected(url, answer)
            if redirected is None:
                return b""
            url, addresses = redirected, await self._addresses(redirected.host)
        return b""


async def _get(http: httpx.AsyncClient, url: _Url, address: IpAddress) -> bytes | str:
    """The body, or where it has moved to. Raises httpx.HTTPError, UnavailableError."""
    literal = f"[{address}]" if isinstance(address, IPv6Address) else str(address)
    request = http.build_request(
        "GET",
        f"https://{literal}{url.target}",
        headers={"Host": url.host},
        extensions={"sni_hostname": url.host},
    )
    answer = await http.send(request, stream=True)
    try:
        if answer.is_redirect:
            return str(answer.headers.get("Location", ""))
        if answer.status_code >= 500 or answer.status_code == httpx.codes.TOO_MANY_REQUESTS:
            raise UnavailableError(_LATER)
        if answer.status_code != httpx.codes.OK:
            return b""
        return await _bounded(answer)
    finally:
        await answer.aclose()


async def _bounded(answer: httpx.Response) -> bytes:
    """The body, or nothing when it is larger than MAX_WKD_ANSWER_BYTES."""
    read = bytearray()
    async for piece in answer.aiter_raw():
        read += piece
        if len(read) > limits.MAX_WKD_ANSWER_BYTES:
            return b""
    return bytes(read)


def _redirected(url: _Url, location: str) -> _Url | None:
    """Where a redirect leads, if to HTTPS on port 443 of a name; None otherwise."""
    try:
        parts = urlsplit(urljoin(f"https://{url.host}{url.target}", location))
        host, port = parse_domain(parts.hostname or ""), parts.port
    except (ValueError, DecodeError):
        return None
    if parts.scheme != "https" or port not in (None, 443) or parts.username is not None:
        return None
    return _Url(host, (parts.path or "/") + (f"?{parts.query}" if parts.query else ""))


def is_public(address: IpAddress) -> bool:
    """Whether an address is of the public Internet, also behind those that stand for another."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        if inner is not None:
            return is_public(inner)
        if address not in _UNICAST or address in _PROTOCOLS or address in _EXAMPLES:
            return False
    return address.is_global and not address.is_multicast
