"""The carrier of mail to other domains: their servers by DNS and policy, or one smarthost."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass, field

import aiosmtplib

from blackthorn.crypto.secret import Secret
from blackthorn.edges.outbound import limits
from blackthorn.edges.outbound.connection import SmtpConnection, TlsFailedError, open_connection
from blackthorn.edges.outbound.route import Route, addresses, find_route
from blackthorn.edges.outbound.security import Level, Security, TlsContexts, dane
from blackthorn.edges.outbound.sts import StsPolicies
from blackthorn.mail.smtp.sts import StsPolicy
from blackthorn.ports.dns import Resolver, ResolverError
from blackthorn.ports.outbound.carrier import CarrierError, Reply
from blackthorn.server.counters import Counters


@dataclass(frozen=True, slots=True)
class Smarthost:
    """One server that takes all mail; with a `user`, only over verified TLS.

    `implicit`: TLS before the greeting, as on port 465 (RFC 8314).
    """

    host: str
    port: int
    user: str = ""
    password: Secret | None = None
    implicit: bool = False


@dataclass(kw_only=True, eq=False, repr=False)
class SmtpCarrier:
    """`ports.outbound.carrier.Carrier`. `own` is the name by which this server greets others."""

    resolver: Resolver
    policies: StsPolicies
    counters: Counters
    own: str
    smarthost: Smarthost | None = None
    port: int = limits.SMTP_PORT
    _contexts: TlsContexts = field(default_factory=TlsContexts)

    async def connect(self, domain: str) -> SmtpConnection:
        """See the port."""
        if self.smarthost is not None:
            return await self._connect_smarthost(self.smarthost)
        route = await find_route(self.resolver, domain, self.own)
        policy = await self.policies.policy(domain)
        replies: list[Reply] = []
        for host in route.hosts:
            try:
                return await self._connect_host(host, route, policy)
            except CarrierError as error:
                replies.append(error.reply)
        raise _combined(replies, Reply(451, "4.4.1", f"no mail server of {domain} answered"))

    async def _connect_host(
        self, host: str, route: Route, policy: StsPolicy | None
    ) -> SmtpConnection:
        """A connection to one server of the domain. Raises CarrierError."""
        try:
            found = await addresses(self.resolver, host)
            security = await dane(self.resolver, host, self.port) if route.authenticated else None
        except ResolverError:
            raise _refused("4.4.3", f"{host} was not found") from None
        if security is None:
            security = Security(Level.OPPORTUNISTIC)
            if policy is not None and policy.mode == "enforce":
                if not policy.allows(host):
                    self.counters.outbound_tls_failed += 1
                    raise _refused("4.7.5", f"{host} is not in its domain's policy (MTA-STS)")
                security = Security(Level.VERIFIED)
        replies: list[Reply] = []
        for address in found:
            try:
                return await self._open(host, address, self.port, security)
            except CarrierError as error:
                replies.append(error.reply)
        raise _combined(replies, Reply(451, "4.4.4", f"{host} has no address"))

    async def _open(
        self, host: str, address: str, port: int, security: Security, *, implicit: bool = False
    ) -> SmtpConnection:
        try:
            opened = await self._try(host, address, port, security, implicit=implicit)
        except TlsFailedError as error:
            self.counters.outbound_tls_failed += 1
            if security.required:
                raise _refused("4.7.5", f"{host} {error}") from None
            opened = await self._try(host, address, port, Security(Level.PLAIN))
        if not opened.tls:
            self.counters.outbound_plain += 1
        elif security.level in (Level.VERIFIED, Level.DANE):
            self.counters.outbound_tls_verified += 1
        else:
            self.counters.outbound_tls_unverified += 1
        return opened

    async def _try(
        self, host: str, address: str, port: int, security: Security, *, implicit: bool = False
    ) -> SmtpConnection:
        tls = self._contexts.get(security)
        return await open_connection(
            host, address, port, self.own, security, tls, implicit=implicit
        )

    async def _connect_smarthost(self, smarthost: Smarthost) -> SmtpConnection:
        secured = bool(smarthost.user) or smarthost.implicit
        security = Security(Level.VERIFIED if secured else Level.OPPORTUNISTIC)
        try:
            found = await _host_addresses(self.resolver, smarthost.host)
        except ResolverError:
            raise _refused("4.4.3", f"{smarthost.host} was not found") from None
        replies: list[Reply] = []
        for address in found:
            try:
                opened = await self._open(
                    smarthost.host, address, smarthost.port, security, implicit=smarthost.implicit
                )
                await self._log_in(opened, smarthost)
            except CarrierError as error:
                replies.append(error.reply)
            else:
                return opened
        raise _combined(replies, Reply(451, "4.4.4", f"{smarthost.host} has no address"))

    async def _log_in(self, opened: SmtpConnection, smarthost: Smarthost) -> None:
        if not smarthost.user or smarthost.password is None:
            return
        try:
            password = smarthost.password.expose().decode()
            await opened.client.login(smarthost.user, password)
        except (aiosmtplib.SMTPException, OSError):
            await opened.close()
            raise _refused("4.7.8", "the smarthost refused this server's password") from None


async def _host_addresses(resolver: Resolver, host: str) -> list[str]:
    """Addresses of a smarthost, which may be given as an address."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        return await addresses(resolver, host)


def _combined(replies: Sequence[Reply], none: Reply) -> CarrierError:
    """The last temporary refusal if there is one, since the mail is then tried again, else the last
    (RFC 5321, 5.1). `none`: there was nothing to try.
    """
    return CarrierError(min(reversed(replies), key=lambda reply: reply.final, default=none))


def _refused(status: str, text: str) -> CarrierError:
    return CarrierError(Reply(451, status, text))
