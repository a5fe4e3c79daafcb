"""`python -m bench.server DIR`: the link alone, over the files in DIR; prints its port.

The same hub, stores and edge as `blackthorn serve`, without SMTP, activation and metrics,
so that only the link is measured.
"""

import asyncio
import signal
import sys
from pathlib import Path

import uvloop

from blackthorn.edges.link_server import serve_link
from blackthorn.edges.tls import server_tls
from blackthorn.server.counters import Counters
from blackthorn.server.hub import Hub
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.enterprise import SqliteEnterprise
from blackthorn.storage.sqlite.key_packages import SqliteKeyPackages
from blackthorn.storage.sqlite.parcels import SqliteParcels
from blackthorn.storage.sqlite.writer import ThreadWriter


async def serve(folder: Path) -> None:
    """Serve until SIGTERM."""
    loop = asyncio.get_running_loop()
    stop = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    database = Database.open(folder / "blackthorn.db")
    writer = ThreadWriter(database.writing, loop.call_soon_threadsafe)
    hub = Hub(
        enterprise=SqliteEnterprise(database.reading),
        parcels=SqliteParcels(database.reading),
        key_packages=SqliteKeyPackages(database.reading),
        writer=writer,
        counters=Counters(),
    )
    tls = server_tls(folder / "server.key", folder / "server.crt")
    server = await serve_link(hub, "127.0.0.1", 0, tls)
    print(server.port, flush=True)
    await stop.wait()
    await server.close()
    writer.close()
    database.close()


if __name__ == "__main__":
    uvloop.run(serve(Path(sys.argv[1])))
