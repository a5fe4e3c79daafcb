"""`blackthorn witness serve`: one witness on HTTP, until SIGTERM, or until its parent has ended.

A server's embedded witness is `python -m blackthorn.programs.witness.serve DIR PORT`: it prints its
port, logs only problems, and ends with its standard input, so that a killed server leaves no
witness behind.
"""

import asyncio
import json
import os
import resource
import signal
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Final

import structlog
import uvloop

from blackthorn.audit.fork_evidence import fork_evidence
from blackthorn.edges.http.server import serve_http
from blackthorn.edges.http.witness import witness_app
from blackthorn.edges.listening import LISTENING_SECONDS, check_listening
from blackthorn.errors import UnavailableError
from blackthorn.programs import entry, log
from blackthorn.programs.periodic import Supervisor
from blackthorn.programs.witness.clock import SteadyClock
from blackthorn.programs.witness.witness import Examine, Witness
from blackthorn.server.counters import Counters
from blackthorn.storage.files.anchor import Anchor
from blackthorn.storage.files.evidence import EvidenceFolder
from blackthorn.storage.files.witness import WitnessFolder

_ORPHAN_SECONDS: Final = 5.0
"""How long a witness may outlive its parent."""


def serve(
    path: Path, host: str, port: int, *, with_parent: bool = False, examine: Examine | None = None
) -> None:
    """Serve until told to stop.

    Raises UserError, StorageError or UnavailableError when it cannot start, and SecurityError when
    its database is older than its anchor.
    """
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # memory holds the key
    logger = log.configure("warning" if with_parent else "info")
    folder = WitnessFolder(path)
    cosigner = folder.cosigner()
    with folder.lock(), closing(folder.open_store()) as store:
        evidence = EvidenceFolder(folder.evidence, fork_evidence)
        anchor = Anchor.open(folder.anchor)
        witness = Witness(cosigner, store, anchor, SteadyClock().now, evidence, examine)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(witness, host, port, with_parent=with_parent))
    logger.info("stopped")


async def _run(witness: Witness, host: str, port: int, *, with_parent: bool) -> None:
    loop = asyncio.get_running_loop()
    counters = Counters()
    loop.set_exception_handler(log.FaultLog(counters).handle)
    stop: asyncio.Future[UnavailableError | None] = loop.create_future()

    def end(reason: UnavailableError | None = None) -> None:
        if not stop.done():
            stop.set_result(reason)

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    server = await serve_http(witness_app(witness), "the witness", host, port)
    if with_parent:
        _end_with_parent(lambda: loop.call_soon_threadsafe(end))
        sys.stdout.write(json.dumps({"port": server.port}) + "\n")
        sys.stdout.flush()
    structlog.get_logger().info("ready", witness_port=server.port)
    listeners = {"the witness": lambda: server.listening}
    try:
        async with Supervisor(counters) as tasks:
            check = partial(check_listening, listeners, end)
            tasks.every(LISTENING_SECONDS, "listener", check)
            if failure := await stop:
                raise failure
    finally:
        await server.close()


def _end_with_parent(end: Callable[[], object]) -> None:
    """Call `end` when standard input closes, and end the process soon after."""

    def watch() -> None:
        while os.read(0, 4096):
            pass
        end()
        time.sleep(_ORPHAN_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="parent", daemon=True).start()


if __name__ == "__main__":
    _, folder, tcp_port = sys.argv
    sys.exit(entry.run(lambda: serve(Path(folder), "127.0.0.1", int(tcp_port), with_parent=True)))
