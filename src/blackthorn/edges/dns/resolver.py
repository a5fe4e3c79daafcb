"""The resolver over dnspython: asks the configured servers, never those of a domain itself.

Answers are kept for their time, equal questions are asked once, and questions at once are bounded.
What DNSSEC says (the AD bit, RFC 6840, 5.8) counts only from servers on this host: elsewhere the
network between could set it.
"""

import asyncio
import ipaddress
import re
from collections.abc import Sequence
from typing import Any, Final

from dns import asyncresolver, exception, flags, message, nameserver, resolver
from dns import name as names

from blackthorn.edges.dns import limits
from blackthorn.edges.dns.cache import AnswerCache, Key
from blackthorn.edges.dns.records import READ, TYPES, host
from blackthorn.errors import ConfigError
from blackthorn.ports.dns import Answer, Record, ResolverFailedError, ResolverTimeoutError

_LOCAL: Final = "127.0.0.1"
_RESERVED: Final = re.compile(r"(?:^|\.)(?:example|test|invalid|localhost)$")
"""Top-level names that the Internet does not have (RFC 6761, 6.2 to 6.5): it is not asked for them.
example.com, .net and .org are names that it answers for."""


class DnsResolver:
    """`ports.dns.Resolver` for one event loop.

    `servers` are addresses, or HOST:PORT with an address as host; none: those of the system.
    """

    def __init__(self, servers: Sequence[str] = ()) -> None:
        self._configured: Final = bool(servers)
        self._asked: Final = _asked(servers)
        self._trusted: Final = all(map(_is_local, self._asked.nameservers))
        self._cache: Final = AnswerCache()
        self._running: dict[Key, asyncio.Task[Answer[Any]]] = {}
        self._places: Final = asyncio.Semaphore(limits.MAX_QUESTIONS)

    async def look_up(self, name: str, kind: type[Record]) -> Answer[Record]:
        """See `ports.dns.Resolver`."""
        key = name.removesuffix(".").lower(), kind
        if not self._configured and _RESERVED.search(key[0]):
            return Answer((), key[0], exists=False)
        kept = self._cache.get(key, asyncio.get_running_loop().time())
        if kept is not None:
            return kept
        running = self._running.get(key)
        if running is None:
            if len(self._running) >= limits.MAX_QUESTIONS + limits.MAX_WAITING_QUESTIONS:
                raise ResolverTimeoutError("too many names are looked up at once; try again later")
            running = asyncio.create_task(self._ask(key))
            self._running[key] = running
            running.add_done_callback(lambda task: self._ended(key, task))
        return await asyncio.shield(running)  # others may wait for the same answer

    def _ended(self, key: Key, task: asyncio.Task[Answer[Any]]) -> None:
        del self._running[key]
        if not task.cancelled():
            task.exception()  # somebody's, or nobody waits for it any more

    async def _ask(self, key: Key) -> Answer[Any]:
        try:
            asked = names.from_text(key[0])
            if b"" in asked.labels[:-1] or "\\" in key[0]:
                raise names.EmptyLabel
        except (exception.DNSException, UnicodeError):
            return Answer((), key[0], exists=False)
        try:
            async with asyncio.timeout(limits.QUESTION_SECONDS), self._places:
                answer, ttl = await self._answer(asked, key)
        except (TimeoutError, exception.Timeout):
            text = "the name servers did not answer in time; try again later"
            raise ResolverTimeoutError(text) from None
        except (exception.DNSException, OSError, EOFError, ValueError):
            text = "the name servers failed or refused to answer; try again later"
            raise ResolverFailedError(text) from None
        self._cache.put(key, answer, ttl, asyncio.get_running_loop().time())
        return answer

    async def _answer(self, asked: names.Name, key: Key) -> tuple[Answer[Any], float]:
        kind = TYPES[key[1]]
        try:
            found = await self._asked.resolve(
                asked,
                kind,
                raise_on_no_answer=False,
                search=False,
                lifetime=limits.QUESTION_SECONDS,
            )
        except resolver.NXDOMAIN as absent:
            response = absent.kwargs["responses"][asked]
            seconds = response.resolve_chaining().minimum_ttl
            return Answer((), key[0], False, self._authenticated(response)), seconds
        rows = () if found.rrset is None else tuple(found.rrset)[: limits.MAX_RECORDS]
        answer = Answer(
            tuple(READ[key[1]](each) for each in rows),
            host(found.canonical_name),
            authenticated=self._authenticated(found.response),
        )
        return answer, found.chaining_result.minimum_ttl

    def _authenticated(self, response: message.Message) -> bool:
        return self._trusted and bool(response.flags & flags.AD)


def _asked(servers: Sequence[str]) -> asyncresolver.Resolver:
    """dnspython's resolver. Raises ConfigError for a server that is no address."""
    try:
        asked = asyncresolver.Resolver(configure=not servers)
    except (resolver.NoResolverConfiguration, OSError):
        asked = asyncresolver.Resolver(configure=False)
    if servers:
        asked.nameservers = [nameserver.Do53Nameserver(*parse_server(each)) for each in servers]
    elif not asked.nameservers:
        asked.nameservers = [_LOCAL]
    asked.timeout = limits.TRY_SECONDS
    asked.lifetime = limits.QUESTION_SECONDS
    asked.cache = None
    asked.use_edns(0, 0, 1_232)
    asked.set_flags(flags.RD | flags.AD)
    return asked


def parse_server(text: str) -> tuple[str, int]:
    """Address and port of a name server, such as 127.0.0.1, ::1, 192.0.2.1:53 or [::1]:53.

    Raises ConfigError.
    """
    address, colon, port = text.rpartition(":")
    if not colon or (":" in address and not address.endswith("]")):
        address, port = text, "53"
    try:
        found = ipaddress.ip_address(address.strip("[]"))
    except ValueError:
        found = None
    if found is None or not port.isdecimal() or not 0 < int(port) < 65536:
        raise ConfigError(f"{text!r} is no address of a name server, such as 127.0.0.1 or [::1]:53")
    return str(found), int(port)


def _is_local(server: str | nameserver.Nameserver) -> bool:
    address = server.address if isinstance(server, nameserver.Do53Nameserver) else str(server)
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False
