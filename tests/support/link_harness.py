"""A link server on a real socket inside the test, and clients as rude as wanted."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvloop
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_connect

from bench.enterprise import EnrolledDevice, make_enterprise
from blackthorn.edges.gate import Bounds, Gate
from blackthorn.edges.link.client import LinkConnection, connect
from blackthorn.edges.link.server import LinkServer, serve_link
from blackthorn.edges.tls import binding_of, client_context, fingerprint_of, server_tls
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.hello import sign_hello
from blackthorn.server.budgets.budgets import Budgets, Rate, Rates
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.handlers.dispatcher import Dispatcher
from blackthorn.server.handlers.throttle import Throttle
from blackthorn.simulation.memory import wrapping
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.reader import ThreadReader
from blackthorn.storage.sqlite.writer import ThreadWriter
from tests.support.tls import unchecked

PATIENCE = 10.0
"""Seconds after which a test says that something never happened."""


@dataclass
class Running:
    """A running link server with four enrolled devices."""

    server: LinkServer
    dispatcher: Dispatcher
    counters: Counters
    devices: list[EnrolledDevice]
    pin: Fingerprint
    faults: list[dict[str, Any]]

    async def open(self, device: EnrolledDevice, resume: bool = True) -> LinkConnection:
        """A well-behaved device, known and receiving."""
        link = await connect("127.0.0.1", self.server.port, self.pin)
        link.send(sign_hello(device.identity, link.binding))
        assert isinstance(await link.receive(), f.Ready)
        if resume:
            link.send(f.Resume())
            assert isinstance(await link.receive(), f.Drained)
        return link

    async def rude(self, device: EnrolledDevice | None = None) -> "Rude":
        """A raw WebSocket client; known to the server when `device` is given."""
        _, client = await ws_connect(
            Rude,
            f"wss://127.0.0.1:{self.server.port}/link",
            ssl_context=client_context(self.pin),
            use_aiofastnet=False,
        )
        assert isinstance(client, Rude)
        if device is not None:
            client.say(f.encode(sign_hello(device.identity, client.binding)))
            assert isinstance(await client.hear(), f.Ready)
        return client

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if condition():
                    return
                await asyncio.sleep(0.01)


class Rude(WSListener):
    """Says any bytes as any WebSocket message, and hears frames."""

    def __init__(self) -> None:
        self.heard: asyncio.Queue[f.AnyFrame | None] = asyncio.Queue()

    def on_ws_connected(self, transport: WSTransport) -> None:
        self.transport = transport
        ssl_object = transport.underlying_transport.get_extra_info("ssl_object")
        self.binding = binding_of(ssl_object, fingerprint_of(ssl_object))

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            self.heard.put_nowait(f.decode(frame.get_payload_as_bytes()))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self.heard.put_nowait(None)

    def say(self, data: bytes, kind: WSMsgType = WSMsgType.BINARY, fin: bool = True) -> None:
        self.transport.send(kind, data, fin)

    async def hear(self) -> f.AnyFrame | None:
        """The next frame; None when the connection has ended."""
        async with asyncio.timeout(PATIENCE):
            return await self.heard.get()

    async def last_word(self) -> str | None:
        """The code of the Bye that ends the connection, or None when it ends without one."""
        code = None
        while (frame := await self.hear()) is not None:
            code = frame.code if isinstance(frame, f.Bye) else None
        return code


@contextlib.asynccontextmanager
async def running(
    folder: Path, serves_after: bool = True, bounds: Bounds | None = None
) -> AsyncIterator[Running]:
    """Run a link server. Afterwards it must still serve, and nothing have failed or be left."""
    loop = asyncio.get_running_loop()
    faults: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: faults.append(context))
    directory, devices = make_enterprise(folder / "server", 4)
    database = directory.open_database()
    engine = Engine(database, wrapping())
    writer = ThreadWriter(engine, loop.call_soon_threadsafe)
    reader = ThreadReader(engine, loop.call_soon_threadsafe)
    counters = Counters()
    dispatcher = Dispatcher(
        enterprise=EnterpriseCache(reader),
        writer=writer,
        reader=reader,
        counters=counters,
        throttle=Throttle(Budgets(Rates(*[Rate(1e12, 1e12)] * 4)), counters),
    )
    tls = server_tls(directory.key, directory.certificate)
    server = await serve_link(dispatcher, "127.0.0.1", 0, tls, Gate(counters, bounds))
    made = Running(server, dispatcher, counters, devices, tls.fingerprint, faults)
    try:
        yield made
        if serves_after:
            await well(made)
    finally:
        await server.close()
        reader.close()
        writer.close()
        database.close()
    assert not dispatcher._connections._sessions


async def well(server: Running) -> None:
    """The server still serves: a message between two devices arrives."""
    sender = await server.open(server.devices[2], resume=False)
    receiver = await server.open(server.devices[3])
    told = fanout_frame([server.devices[3].id])
    sender.send(told, f.Send([f.Posting(bytes(16), [f.Parcel(told.id, b"well?")])]))
    assert await sender.receive() == f.Accepted([bytes(16)])
    delivered = await receiver.receive()
    assert isinstance(delivered, f.Deliver)
    receiver.send(f.Acknowledge([each.seq for each in delivered.parcels]))
    await sender.close()
    await receiver.close()
    assert not server.faults, server.faults


def run(test: Coroutine[Any, Any, None]) -> None:
    """Run one test under uvloop."""
    uvloop.run(test)


def plain_tls(version: ssl.TLSVersion) -> ssl.SSLContext:
    """A client context for that TLS version alone, which checks nothing."""
    context = unchecked()
    context.minimum_version = context.maximum_version = version
    return context
