"""Links that an attacker opens: as a device, or before hello from an address of its own."""

import asyncio
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from blackthorn.edges.link.client import LinkClosedError, LinkConnection, connect
from blackthorn.edges.tls import client_context
from blackthorn.errors import BlackthornError
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.hello import sign_hello
from tests.support.abuse.table import Abuser, Scene

HOST = "127.0.0.1"
UPGRADE = (
    b"GET /link HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


async def open_link(scene: Scene, abuser: Abuser) -> LinkConnection:
    """A link of this device, after Ready. What it hears is counted by `drain`."""
    link = await connect(HOST, scene.ports["link"], Fingerprint(scene.pin))
    link.send(sign_hello(abuser.identity, link.binding))
    async with asyncio.timeout(10):
        while not isinstance(await link.receive(), f.Ready):
            pass
    return link


def heard(scene: Scene, frame: f.AnyFrame) -> None:
    """Count what an answer says: the code of a refusal, else the frame's name."""
    name = type(frame).__name__
    code = getattr(frame, "code", "")
    scene.told[str(code or name)] += 1


@asynccontextmanager
async def flooding(scene: Scene, abuser: Abuser) -> AsyncIterator[LinkConnection]:
    """A link on which everything heard is counted, until the block ends or the server ends it."""
    link = await open_link(scene, abuser)

    async def listen() -> None:
        try:
            while True:
                heard(scene, await link.receive())
        except LinkClosedError as end:
            if end.code:
                scene.told[end.code] += 1

    listening = asyncio.create_task(listen())
    try:
        with suppress(LinkClosedError):
            yield link
    finally:
        await asyncio.sleep(0)
        listening.cancel()
        with suppress(asyncio.CancelledError, BlackthornError):
            await listening
        await link.close()


async def repeat(scene: Scene, link: LinkConnection, *frames: f.AnyFrame) -> None:
    """Send these frames again and again, as fast as the network takes them, until time is over."""
    while scene.lasts():
        link.send(*frames)
        await asyncio.wait_for(link.drain(), scene.seconds)
        await asyncio.sleep(0)


async def flood(scene: Scene, *frames: f.AnyFrame, first: f.AnyFrame | None = None) -> None:
    """One device that says these frames again and again, after the `first` one."""
    async with flooding(scene, scene.abusers[0]) as link:
        if first is not None:
            link.send(first)
        await repeat(scene, link, *frames)


async def raw_tls(scene: Scene, source: str, port: str = "link") -> asyncio.StreamWriter:
    """A TLS connection from this address, on which nothing was said."""
    context = client_context(None)
    _, writer = await asyncio.open_connection(
        HOST,
        scene.ports[port],
        ssl=context,
        server_hostname="",
        local_addr=(source, 0),
        ssl_handshake_timeout=5,
    )
    return writer


def websocket_head(size: int) -> bytes:
    """The head of a binary WebSocket message of this size (RFC 6455 5.2), masked with zeros."""
    return b"\x82\xff" + struct.pack("!Q", size) + bytes(4)


async def knock(scene: Scene, source: str) -> asyncio.StreamWriter | None:
    """A WebSocket before hello, or None if the server refuses it."""
    try:
        writer = await raw_tls(scene, source)
        writer.write(UPGRADE)
        await writer.drain()
    except (OSError, ssl.SSLError, TimeoutError):
        scene.told["refused"] += 1
        return None
    return writer
