"""`blackthorn serve`: read the settings, compose, listen, and on SIGTERM drain and stop.

Parts stop in the order in which they pass work on: SMTP and the link, operations, the writer, the
database.
"""

import asyncio
import gc
import os
import resource
import secrets
import signal
import sys
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import structlog
import uvloop

from blackthorn.edges.gate import Gate
from blackthorn.edges.http.operations import serve_ops
from blackthorn.edges.link.server import serve_link
from blackthorn.edges.listening import LISTENING_SECONDS, check_listening, is_listening
from blackthorn.edges.sealing.pool import SealingPool
from blackthorn.edges.tls import ServerTls, server_tls
from blackthorn.errors import BlackthornError
from blackthorn.programs import log
from blackthorn.programs.server import configuration
from blackthorn.programs.server.certificates.running import keep_certificate
from blackthorn.programs.server.configuration import Configuration
from blackthorn.programs.server.listening import gate_bounds, most_descriptors, ports
from blackthorn.programs.server.market_start import start_markets
from blackthorn.programs.server.memory import collect_seldom, map_large_blocks
from blackthorn.programs.server.purging import PURGE_SECONDS, purge_and_rest, truncate_and_rest
from blackthorn.programs.server.wiring import Server, SystemClock
from blackthorn.server.counters import Counters
from blackthorn.storage.files import throttled
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.reader import ThreadReader
from blackthorn.storage.sqlite.wrapping import Wrapping
from blackthorn.storage.sqlite.writer import ThreadWriter

SWITCH_SECONDS = 0.0005
"""How long a thread that waits for the interpreter lets another run on (ADR 0030)."""

DISK_SECONDS = 5
"""Period of the check of free disk."""


def serve(path: Path) -> None:
    """Serve until SIGTERM or SIGINT.

    Raises UserError, StorageError or UnavailableError when the server cannot start, and
    StorageError when the disk made it stop, UnavailableError when a listener ended.
    """
    begun = time.monotonic()
    os.umask(0o077)
    map_large_blocks()
    collect_seldom()
    sys.setswitchinterval(SWITCH_SECONDS)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # memory may hold mail not yet sealed
    resource.setrlimit(resource.RLIMIT_NOFILE, (most_descriptors(),) * 2)
    folder = ServerFolder(path)
    settings = configuration.load(path, os.environ)
    logger = log.configure(settings.log.level)
    folder.lock()
    tls = server_tls(folder.key, folder.certificate)
    database = folder.open_database()
    try:
        if settings.database.check_at_start:
            database.check()
        start_markets(database, folder, settings, SystemClock().wall_ms())
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            failure = runner.run(_run(folder, settings, database, tls, begun))
    finally:
        database.close()
    if failure is not None:
        raise failure
    logger.info("stopped")


async def _run(
    folder: ServerFolder, settings: Configuration, database: Database, tls: ServerTls, begun: float
) -> BlackthornError | None:
    """Listen, wait for a reason to stop, drain; returns the reason if it was a failure."""
    loop = asyncio.get_running_loop()
    counters = Counters()
    faults, logger = log.FaultLog(counters), structlog.get_logger()
    loop.set_exception_handler(faults.handle)
    stop: asyncio.Future[BlackthornError | None] = loop.create_future()

    def end(reason: BlackthornError | None) -> None:
        if not stop.done():
            stop.set_result(reason)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end, None)
    market_keys = folder.market_keys(settings.enterprise.market_keys)
    wrapping = Wrapping(market_keys, secrets.token_bytes)
    engine = Engine(database, wrapping)
    wake, log_defect = loop.call_soon_threadsafe, faults.log_defect
    writer = ThreadWriter(engine, wake, end, log_defect, counters.committed)
    reader = ThreadReader(engine, wake, log_defect)
    server = Server(
        folder, settings, database, market_keys, wrapping, writer, reader, tls, counters
    )
    async with AsyncExitStack() as stack:
        stack.callback(reader.close)
        stack.callback(writer.close)
        try:
            listening = await _start(stack, folder, settings, server, writer, tls, end)
            logger.info("ready", **listening, seconds=round(time.monotonic() - begun, 3))
            failure = await stop
            server.health.draining = True
            logger.info("stopping", failed=failure is not None)
        finally:
            await server.tasks.close()  # before what the tasks use is closed
    return failure


async def _start(
    stack: AsyncExitStack,
    folder: ServerFolder,
    settings: Configuration,
    server: Server,
    writer: ThreadWriter,
    tls: ServerTls,
    end: Callable[[BlackthornError | None], None],
) -> dict[str, int]:
    """Listen everywhere and begin all work; returns the ports. `stack` closes what listens."""
    counters = server.counters
    operations = serve_ops(
        server.health.operations(), counters, settings.ops.host, settings.ops.port
    )
    stack.callback(operations.close)
    gate = Gate(counters, gate_bounds(settings, most_descriptors()))
    public = server.certificate.tls.context
    ledger = await server.ledger.start(stack, public, gate, server.pages())
    await keep_certificate(stack, server.certificate, server.tasks, gate)
    server.start_decision_service()
    pool = SealingPool(server.counters, settings.smtp.sealing_workers or None)
    stack.push_async_callback(pool.close)
    gateway = server.make_gateway(pool)
    server.start_notices(gateway)
    server.watch_disk()
    await server.start_outbound(stack, gateway)
    throttled.clear(folder)
    host, port = settings.link.host, settings.link.port
    link = await serve_link(server.dispatcher, host, port, tls, gate)
    stack.push_async_callback(link.close)
    smtp, smtp_listens = server.listen_smtp(stack, gateway, public, gate)
    submission = server.start_submission(stack, gateway, public, gate, smtp.memory)
    purging = partial(purge_and_rest, writer, server.mail_service.pieces, SystemClock())
    server.tasks.keep("purge", purging, PURGE_SECONDS)
    server.tasks.keep("write-ahead log", partial(truncate_and_rest, writer))
    server.tasks.every(DISK_SECONDS, "free disk", server.watch_disk)
    server.tasks.every(DISK_SECONDS, "stopped devices", server.watch_throttled)
    listeners = {
        "the link": lambda: link.listening,
        "SMTP": smtp_listens,
        "the ledger": lambda: ledger.listening,
        "operations HTTP": lambda: is_listening(operations),
    }
    server.tasks.every(LISTENING_SECONDS, "listeners", partial(check_listening, listeners, end))
    gc.freeze()  # start-up's objects stay
    return ports(link, smtp, ledger, operations) | submission
