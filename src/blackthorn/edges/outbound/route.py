"""Where mail for a domain goes: its MX records (RFC 5321, 5.1), or the domain itself."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby

from blackthorn.edges.outbound import limits
from blackthorn.ports.dns import A, Aaaa, Mx, Resolver, ResolverError
from blackthorn.ports.outbound.carrier import CarrierError, Reply


@dataclass(frozen=True, slots=True)
class Route:
    """Names of servers in the order to be tried; `authenticated`: DNSSEC says that they are it."""

    hosts: tuple[str, ...]
    authenticated: bool


async def find_route(resolver: Resolver, domain: str, own: str) -> Route:
    """The servers of `domain`; `own` is this server's name. Raises CarrierError.

    Those less preferred than this server itself are left out, since they would give the mail back.
    """
    try:
        found = await resolver.look_up(domain, Mx)
        if not found.exists:
            raise _refused(550, "5.1.2", f"there is no domain {domain}")
        if any(not record.host for record in found.records):
            raise _refused(556, "5.1.10", f"{domain} takes no mail (RFC 7505)")
        if not found.records:
            if not await addresses(resolver, domain):
                raise _refused(550, "5.1.2", f"the domain {domain} has no mail server")
            return Route((domain,), found.authenticated)
    except ResolverError:
        raise _refused(451, "4.4.3", f"the mail servers of {domain} were not found") from None
    hosts = tuple(_ordered(found.records, own))
    if not hosts:
        raise _refused(554, "5.4.6", f"mail for {domain} would come back to this server")
    return Route(hosts[: limits.MAX_SERVERS], found.authenticated)


def _ordered(records: tuple[Mx, ...], own: str) -> Iterator[str]:
    """By preference; equal ones in random order, so that they share the work."""
    ordered = sorted(records, key=lambda record: record.preference)
    for _, group in groupby(ordered, key=lambda record: record.preference):
        hosts = [record.host for record in group]
        if own in hosts:
            return
        random.shuffle(hosts)
        yield from hosts


async def addresses(resolver: Resolver, host: str) -> list[str]:
    """Addresses of a server, of IPv4 and IPv6 in turn, MAX_ADDRESSES. Raises ResolverError."""
    six = [str(record.address) for record in (await resolver.look_up(host, Aaaa)).records]
    four = [str(record.address) for record in (await resolver.look_up(host, A)).records]
    mixed = [each for pair in zip(four, six, strict=False) for each in pair]
    mixed += four[len(six) :] or six[len(four) :]
    return mixed[: limits.MAX_ADDRESSES]


def _refused(code: int, status: str, text: str) -> CarrierError:
    return CarrierError(Reply(code, status, text))
