"""The questions of a check: asked by the resolver port and over HTTPS, until none is left."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final

import httpx

from blackthorn.edges.outbound.policy_file import fetch_policy
from blackthorn.errors import UnavailableError
from blackthorn.mail.dns.check import MAX_ROUNDS, check
from blackthorn.mail.dns.facts import POLICY, Finding, Found, Question
from blackthorn.mail.dns.setup import Setup
from blackthorn.ports import dns
from blackthorn.programs.server.zone import limits

Fetch = Callable[[str], Awaitable[Found]]
"""Host name → the MTA-STS policy that it serves."""

_KINDS: Final[dict[str, type[Any]]] = {
    "A": dns.A,
    "AAAA": dns.Aaaa,
    "MX": dns.Mx,
    "TXT": dns.Txt,
    "PTR": dns.Ptr,
    "CNAME": dns.Cname,
    "SRV": dns.Srv,
    "TLSA": dns.Tlsa,
    "CAA": dns.Caa,
}

_TEXTS: Final[Mapping[type[Any], Callable[[Any], str]]] = {
    dns.A: lambda found: str(found.address),
    dns.Aaaa: lambda found: str(found.address),
    dns.Mx: lambda found: f"{found.preference} {found.host}".rstrip(),
    dns.Txt: lambda found: found.text.decode("utf-8", "replace"),
    dns.Ptr: lambda found: found.host,
    dns.Cname: lambda found: found.host,
    dns.Srv: lambda found: f"{found.priority} {found.weight} {found.port} {found.host or '.'}",
    dns.Tlsa: lambda found: f"{found.usage} {found.selector} {found.matching} {found.data.hex()}",
    dns.Caa: lambda found: f"{found.flags} {found.tag} {found.value.decode('utf-8', 'replace')}",
}


async def check_domain(setup: Setup, resolver: dns.Resolver, fetch: Fetch) -> list[Finding]:
    """Check the domain's records. Raises UnavailableError when no name server answers at all."""
    known: dict[Question, Found] = {}
    findings: list[Finding] = []
    for _ in range(MAX_ROUNDS):
        findings, missing = check(setup, known)
        if not missing:
            break
        asked = sorted(missing)[: limits.MAX_QUESTIONS - len(known)]
        if not asked:
            break
        answers = await asyncio.gather(*(_ask(resolver, fetch, each) for each in asked))
        known |= dict(zip(asked, answers, strict=True))
        if all(found.failed for found in known.values()):
            reason = next(iter(known.values())).failed
            raise UnavailableError(f"no name server answers: {reason}; see dns.servers")
    return findings


async def _ask(resolver: dns.Resolver, fetch: Fetch, question: Question) -> Found:
    name, kind = question
    if kind == POLICY:
        return await fetch(name)
    record = _KINDS[kind]
    try:
        answer = await resolver.look_up(name, record)
    except dns.ResolverError as error:
        return Found(failed=str(error))
    if kind == "CNAME" or answer.records:
        return Found(tuple(_TEXTS[record](each) for each in answer.records))
    return Found()


async def ask_policy(host: str) -> Found:
    """The MTA-STS policy of a host, as senders fetch it."""
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            data = await fetch_policy(client, host, limits.POLICY_SECONDS)
        except UnavailableError as error:
            return Found(failed=str(error))
    return Found((data.decode("utf-8", "replace"),))
