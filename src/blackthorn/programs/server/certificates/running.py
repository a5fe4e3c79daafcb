"""Background work of the certificate: watching its files, SIGHUP, and renewal by ACME."""

import asyncio
import signal
from contextlib import AsyncExitStack
from pathlib import Path

from blackthorn.edges.acme.challenges import challenge_app
from blackthorn.edges.gate import Gate
from blackthorn.edges.http.server import serve_http
from blackthorn.errors import UnavailableError
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.server.certificates import limits
from blackthorn.programs.server.certificates.renewal import Renewal
from blackthorn.programs.server.certificates.serving import PublicCertificate
from blackthorn.programs.server.settings.tls import TlsSettings
from blackthorn.server.counters import Counters


async def keep_certificate(
    stack: AsyncExitStack, certificate: PublicCertificate, tasks: Supervisor, gate: Gate
) -> None:
    """Start it; the stack ends what listens. Raises UnavailableError."""
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, certificate.reload)
    tasks.every(limits.WATCH_SECONDS, "certificate", certificate.watch)
    if certificate.settings.acme:
        renewal = await start_renewal(
            stack, certificate.settings, certificate.domain, certificate.server, gate
        )
        tasks.keep("certificate renewal", renewal.renew_and_rest, limits.WATCH_SECONDS)


async def start_renewal(
    stack: AsyncExitStack, settings: TlsSettings, domain: str, server: Path, gate: Gate
) -> Renewal:
    """A renewal whose challenges are answered until the stack ends. Raises UnavailableError."""
    renewal = Renewal(settings, domain, server, gate.counters)
    app, host, port = challenge_app(renewal.answers), settings.acme_host, settings.acme_port
    edge = await serve_http(app, "the answer to ACME challenges", host, port, gate=gate)
    stack.push_async_callback(edge.close)
    return renewal


async def renew_once(settings: TlsSettings, domain: str, server: Path) -> None:
    """Renew while no server runs. Raises UnavailableError with the reason, StorageError."""
    async with AsyncExitStack() as stack:
        renewal = await start_renewal(stack, settings, domain, server, Gate(Counters()))
        done = await renewal.renew()
    if done.error:
        raise UnavailableError(f"the certificate was not renewed: {done.error}")
