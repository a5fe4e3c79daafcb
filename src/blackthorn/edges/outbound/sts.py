"""MTA-STS policies (RFC 8461): looked up, fetched over HTTPS, and kept while they hold.

An attacker who stops the look-up or the fetch changes nothing while an earlier policy holds.
"""

from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial

import httpx

from blackthorn.edges.outbound import limits
from blackthorn.edges.outbound.policy_file import fetch_policy
from blackthorn.errors import DecodeError, StorageError, UnavailableError
from blackthorn.mail.smtp.sts import StsPolicy, parse_policy, parse_record
from blackthorn.ports.clock import Clock
from blackthorn.ports.dns import Resolver, ResolverError, Txt
from blackthorn.ports.outbound.policies import FindPolicy, KeepPolicy, KeptPolicy
from blackthorn.ports.store import Reader, Writer
from blackthorn.ports.waiting import outcome


@dataclass(frozen=True, slots=True)
class _Known:
    policy: StsPolicy | None
    until: float


@dataclass(kw_only=True, eq=False, repr=False)
class StsPolicies:
    """The policies of domains; `client` verifies certificates by the public authorities."""

    resolver: Resolver
    writer: Writer
    reader: Reader
    clock: Clock
    client: httpx.AsyncClient
    _known: OrderedDict[str, _Known] = field(default_factory=OrderedDict)

    async def policy(self, domain: str) -> StsPolicy | None:
        """The policy that holds for mail to the domain now, or None."""
        now = self.clock.monotonic()
        known = self._known.get(domain)
        if known is not None and now < known.until:
            return known.policy
        known = await self._look_up(domain, now)
        self._known[domain] = known
        self._known.move_to_end(domain)
        while len(self._known) > limits.MAX_CACHED_POLICIES:
            self._known.popitem(last=False)
        return known.policy

    async def _look_up(self, domain: str, now: float) -> _Known:
        """Asked again after POLICY_RETRY_SECONDS, so that changes are seen."""
        again = now + limits.POLICY_RETRY_SECONDS
        kept = await outcome(partial(self.reader.ask, FindPolicy(domain)))
        if kept is not None and kept.until_ms <= self.clock.wall_ms():
            kept = None
        before = None if kept is None else StsPolicy(kept.mode, kept.servers, 0)
        try:
            texts = await self.resolver.look_up(f"_mta-sts.{domain}", Txt)
            name = parse_record(tuple(record.text for record in texts.records))
            if not name or (kept is not None and kept.id == name):
                return _Known(before, again)
            file = await fetch_policy(self.client, f"mta-sts.{domain}", limits.POLICY_SECONDS)
            policy = parse_policy(file)
        except (ResolverError, DecodeError, UnavailableError):
            return _Known(before, again)
        now_ms = self.clock.wall_ms()
        age = min(policy.max_age, limits.MAX_POLICY_AGE_SECONDS)
        until_ms = now_ms + 1_000 * age
        fresh = KeptPolicy(domain, name, until_ms, policy.mode, policy.servers)
        with suppress(StorageError):  # then it is fetched again later
            await outcome(partial(self.writer.submit, KeepPolicy(fresh, now_ms)))
        return _Known(policy, again)
