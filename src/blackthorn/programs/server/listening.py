"""The gate of the listeners by settings and descriptors, and SMTP."""

import resource
import ssl
from collections.abc import Callable
from contextlib import AsyncExitStack

from blackthorn.edges import limits
from blackthorn.edges.gate import Bounds, Gate, share
from blackthorn.edges.http.server import HttpServer
from blackthorn.edges.link.server import LinkServer
from blackthorn.edges.listening import Listener
from blackthorn.edges.smtp.gateway import MailGateway
from blackthorn.edges.smtp.inbound import InboundPolicy
from blackthorn.edges.smtp.server import SmtpServer, serve_smtp
from blackthorn.programs.server.configuration import Configuration
from blackthorn.server import limits as server_limits
from blackthorn.server.mail.traces import Traces

SmtpListening = tuple[SmtpServer, Callable[[], bool]]
"""The first server, and whether all of SMTP listens."""


def gate_bounds(settings: Configuration, descriptors: int) -> Bounds:
    """Bounds that leave enough of the process's file descriptors for its own work."""
    free = max(0, descriptors - limits.RESERVED_DESCRIPTORS)
    strangers = max(4, min(limits.MAX_STRANGERS, free // 4))
    devices = max(1, min(server_limits.MAX_CONNECTIONS, free - strangers))
    gate = settings.gate
    return Bounds(share(strangers), devices, gate.client_sockets, gate.client_handshakes)


def most_descriptors() -> int:
    """The hard limit of open files, up to which the server raises its own."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def tell_bounds(settings: Configuration) -> str:
    """What the server can serve with the open files that this account may have."""
    descriptors = most_descriptors()
    bounds = gate_bounds(settings, descriptors)
    advice = ""
    if bounds.devices < server_limits.MAX_CONNECTIONS:
        advice = " For more, raise the hard limit of open files (LimitNOFILE)."
    return (
        f"With {descriptors:,} open files the server serves {bounds.devices:,} connected devices "
        f"and {sum(bounds.doors.values()):,} connections of strangers.{advice}"
    )


def listen_smtp(
    stack: AsyncExitStack,
    gateway: MailGateway,
    traces: Traces,
    settings: Configuration,
    tls: ssl.SSLContext,
    gate: Gate,
) -> SmtpListening:
    """SMTP with STARTTLS and, if a port is set, with TLS from the beginning, until the stack ends.

    Also whether all of it listens. Raises UnavailableError, ConfigError.
    """
    smtp, policy = settings.smtp, InboundPolicy(gateway, traces, settings.tls.host_name)
    proxies = smtp.proxy_addresses()
    servers = [serve_smtp(policy, smtp.host, smtp.port, tls, gate, proxies=proxies)]
    stack.push_async_callback(servers[0].close)
    if smtp.tls_port:
        memory = servers[0].memory
        another = serve_smtp(
            *(policy, smtp.host, smtp.tls_port, tls, gate, memory), implicit=True, proxies=proxies
        )
        stack.push_async_callback(another.close)
        servers.append(another)
    return servers[0], lambda: all(each.listening for each in servers)


def ports(
    link: LinkServer, smtp: SmtpServer, ledger: HttpServer, operations: Listener
) -> dict[str, int]:
    """The real ports, for the log."""
    return {
        "link_port": link.port,
        "smtp_port": smtp.port,
        "ledger_port": ledger.port,
        "ops_port": operations.port,
    }
