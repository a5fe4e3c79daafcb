"""Listeners besides link and ledger: SMTP and operations HTTP."""

import asyncio
import os
import ssl
from collections.abc import Iterator
from contextlib import contextmanager

from blackthorn.edges.http import operations as ops
from blackthorn.edges.http.server import HttpServer
from blackthorn.edges.link.server import LinkServer
from blackthorn.edges.smtp.gateway import MailGateway
from blackthorn.edges.smtp.server import SmtpServer, serve_smtp
from blackthorn.errors import UnavailableError
from blackthorn.programs.server.configuration import Configuration
from blackthorn.storage.files.server import ServerFolder


@contextmanager
def _listening(what: str, host: str, port: int) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise UnavailableError(f"{what} cannot listen on {host}:{port}: {reason}") from None


async def listen_smtp(
    gateway: MailGateway, settings: Configuration, folder: ServerFolder
) -> SmtpServer:
    """SMTP with STARTTLS by the server's own key. Raises UnavailableError."""
    host, port = settings.smtp.host, settings.smtp.port
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(folder.certificate, folder.key)
    with _listening("SMTP", host, port):
        return await serve_smtp(gateway, host, port, context)


async def listen_operations(operations: ops.Operations, settings: Configuration) -> asyncio.Server:
    """Operations HTTP. Raises UnavailableError."""
    host, port = settings.ops.host, settings.ops.port
    with _listening("operations HTTP", host, port):
        return await ops.serve_ops(operations, host, port)


def ports(
    link: LinkServer, smtp: SmtpServer, ledger: HttpServer, operations: asyncio.Server
) -> dict[str, int]:
    """The real ports, for the log."""
    return {
        "link_port": link.port,
        "smtp_port": smtp.port,
        "ledger_port": ledger.port,
        "ops_port": operations.sockets[0].getsockname()[1],
    }
