"""Attacks by somebody who has no device, from up to eight addresses."""

import asyncio
import os
import socket
import ssl
from contextlib import suppress

from blackthorn.edges.link.client import connect
from blackthorn.errors import BlackthornError
from blackthorn.link import frames as f
from tests.support.abuse.links import HOST, heard, knock, raw_tls, websocket_head
from tests.support.abuse.table import STRANGER, Scene, abuse
from tests.support.tls import unchecked

MIB = 1 << 20


def sockets(scene: Scene, port: str, count: int) -> list[socket.socket]:
    """So many TCP connections, from all addresses in turn; those that the system refuses count."""
    opened = []
    for number in range(count):
        one = socket.socket()
        one.settimeout(2)
        try:
            one.bind((scene.sources[number % len(scene.sources)], 0))
            one.connect((HOST, scene.ports[port]))
            opened.append(one)
        except OSError:
            one.close()
            scene.told["refused"] += 1
    return opened


def ended(opened: list[socket.socket]) -> int:
    """How many of these the server has closed meanwhile."""
    count = 0
    for one in opened:
        one.setblocking(False)
        try:
            count += one.recv(1) == b""
        except BlockingIOError:
            continue
        except OSError:
            count += 1
    return count


async def hold(scene: Scene, port: str, count: int) -> None:
    """Keep silent TCP connections open while the attack lasts."""
    opened = await asyncio.to_thread(sockets, scene, port, count)
    await asyncio.sleep(scene.seconds)
    scene.told["closed"] += ended(opened)
    for one in opened:
        one.close()


@abuse(
    who=STRANGER,
    what="1,000 silent TCP connections to the ledger's port",
    bound="sockets of one client and in all, counted at accept; 10 s for the handshake",
    told=("closed",),
    counter=("http_sockets_refused", "sockets_dropped"),
)
async def silent_at_the_ledger(scene: Scene) -> None:
    await hold(scene, "ledger", 1_000)


@abuse(
    who=STRANGER,
    what="1,000 silent TCP connections to the link's port",
    bound="sockets of one client and in all, counted at accept; 10 s for the handshake",
    told=("closed",),
    counter=("link_sockets_refused", "sockets_dropped"),
)
async def silent_at_the_link(scene: Scene) -> None:
    await hold(scene, "link", 1_000)


@abuse(
    who=STRANGER,
    what="1,000 silent TCP connections to the SMTP port",
    bound="sockets of one client and in all, counted at accept",
    counter=("smtp_connections_refused", "sockets_dropped"),
)
async def silent_at_smtp(scene: Scene) -> None:
    await hold(scene, "smtp", 1_000)


@abuse(
    who=STRANGER,
    what="opens and closes TCP connections to all ports without end",
    bound="handshakes of one client a second",
    counter=("handshakes_delayed", "sockets_dropped"),
)
async def connects_and_goes(scene: Scene) -> None:

    def burst() -> None:
        for port in ("link", "ledger", "smtp"):
            for one in sockets(scene, port, 16):
                one.close()

    while scene.lasts():
        await asyncio.to_thread(burst)


@abuse(
    who=STRANGER,
    what="1,500 TLS connections to the link, without a hello",
    bound="sockets of one client and in all; 10 s for the hello",
    counter=("handshakes_delayed",),
)
async def tls_without_hello(scene: Scene) -> None:
    kept = []
    for number in range(1_500):
        if not scene.lasts():
            break
        try:
            kept.append(await raw_tls(scene, scene.sources[number % len(scene.sources)]))
        except (OSError, ssl.SSLError, TimeoutError):
            scene.told["refused"] += 1
    for writer in kept:
        writer.transport.abort()


@abuse(
    who=STRANGER,
    what="TLS handshakes without end from eight addresses",
    bound="handshakes of one client a second",
    counter=("handshakes_delayed",),
)
async def handshakes(scene: Scene) -> None:

    async def one(source: str) -> None:
        while scene.lasts():
            try:
                (await raw_tls(scene, source)).transport.abort()
            except (OSError, ssl.SSLError, TimeoutError):
                scene.told["refused"] += 1
                await asyncio.sleep(0.01)

    await asyncio.gather(*(one(source) for source in scene.sources))


@abuse(
    who=STRANGER,
    what="300 links from 3 addresses, 6.25 MiB of one frame on each before a hello",
    bound="a frame of 64 KiB before hello, judged by its head; bytes of unopened frames in all",
    told=("refused",),
    counter=("opening_frames_refused",),
)
async def frames_before_hello(scene: Scene) -> None:
    part = os.urandom(256 * 1024)
    kept = []
    for number in range(300):
        if not scene.lasts():
            break
        writer = await knock(scene, scene.sources[number % 3])
        if writer is not None:
            kept.append(writer)
            writer.write(websocket_head(7 * MIB))
    for writer in kept:
        for _ in range(25):
            if writer.is_closing() or not scene.lasts():
                break
            writer.write(part)
            with suppress(OSError, ssl.SSLError, TimeoutError):
                await asyncio.wait_for(writer.drain(), 0.2)
        scene.told["refused"] += writer.is_closing()
    await asyncio.sleep(scene.left())
    for writer in kept:
        writer.transport.abort()


@abuse(
    who=STRANGER,
    what="a byte a second of the WebSocket request, on 200 links",
    bound="10 s from the connection to the hello; sockets of one client",
    counter=("handshakes_delayed",),
)
async def slow_upgrade(scene: Scene) -> None:
    kept = []
    for number in range(200):
        if not scene.lasts():
            break
        with suppress(OSError, ssl.SSLError, TimeoutError):
            kept.append(await raw_tls(scene, scene.sources[number % len(scene.sources)]))
    while scene.lasts():
        for writer in kept:
            if not writer.is_closing():
                writer.write(b"G")
        await asyncio.sleep(1)
    for writer in kept:
        writer.transport.abort()


@abuse(
    who=STRANGER,
    what="guesses activation codes: as many nameplates a second as the server answers",
    bound="tries of one client and in all; a code is not burnt by tries",
    told=("busy", "activation-refused"),
    counter=("links_cut", "activations_refused"),
)
async def guess_codes(scene: Scene) -> None:
    await tries(scene, lambda number: f.ActivateBegin(1, str(number % 1_000), os.urandom(33)))


@abuse(
    who=STRANGER,
    what="tries to recover users with false signatures",
    bound="tries of one client",
    told=("busy", "recovery-refused"),
    counter=("links_cut",),
)
async def guess_words(scene: Scene) -> None:
    address = scene.victims[0].address
    frame = f.Recover(2, address, os.urandom(64), os.urandom(3309))
    await tries(scene, lambda _: frame)


@abuse(
    who=STRANGER,
    what="joins pairings under nameplates that it guesses",
    bound="tries of one client",
    told=("busy", "pairing-refused"),
    counter=("links_cut",),
)
async def guess_pairings(scene: Scene) -> None:
    await tries(scene, lambda number: f.JoinPairing(1, str(number % 1_000), os.urandom(33)))


async def tries(scene: Scene, make) -> None:  # type: ignore[no-untyped-def]
    """One opening frame a connection, as fast as the server lets it; what it says is counted."""
    number = 0

    async def one() -> None:
        nonlocal number
        while scene.lasts():
            number += 1
            try:
                link = await connect(HOST, scene.ports["link"], None)
                link.send(make(number))
                heard(scene, await asyncio.wait_for(link.receive(), 5))
                await link.close()
            except (BlackthornError, TimeoutError) as error:
                scene.told[str(getattr(error, "code", None) or "refused")] += 1
                await asyncio.sleep(0.01)

    await asyncio.gather(*(one() for _ in range(4)))


@abuse(
    who=STRANGER,
    what="says frames of devices before a hello",
    bound="the link ends at the first one",
    counter=("links_cut",),
)
async def frames_of_devices(scene: Scene) -> None:
    while scene.lasts():
        writer = await knock(scene, scene.sources[0])
        if writer is None:
            await asyncio.sleep(0.01)
            continue
        body = f.encode(f.Ping(1))
        writer.write(bytes([0x82, 0x80 | len(body)]) + bytes(4) + body)
        with suppress(OSError, ssl.SSLError, TimeoutError):
            await writer.drain()
        writer.transport.abort()


@abuse(
    who=STRANGER,
    what="an HTTP request to the ledger, a byte a second, on 200 connections",
    bound="time of one request; sockets of one client",
    counter=("handshakes_delayed",),
)
async def slow_request(scene: Scene) -> None:
    kept = []
    for number in range(200):
        if not scene.lasts():
            break
        with suppress(OSError, ssl.SSLError, TimeoutError):
            source = scene.sources[number % len(scene.sources)]
            kept.append(await raw_tls(scene, source, "ledger"))
    for byte in b"GET /checkpoint HTTP/1.1\r\n" * 10:
        if not scene.lasts():
            break
        for writer in kept:
            if not writer.is_closing():
                writer.write(bytes([byte]))
        await asyncio.sleep(1)
    for writer in kept:
        writer.transport.abort()


@abuse(
    who=STRANGER,
    what="GETs of the ledger's checkpoint on eight connections without end",
    bound="requests are short, and served in turn with the link",
)
async def get_checkpoints(scene: Scene) -> None:
    await gets(scene, b"/checkpoint")


@abuse(
    who=STRANGER,
    what="GETs of paths that do not exist, with long queries",
    bound="size of a request's line and headers",
)
async def get_nothing(scene: Scene) -> None:
    await gets(scene, b"/tile/0/x001/x234/067?" + b"a=b&" * 900)


async def gets(scene: Scene, path: bytes) -> None:
    request = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n"

    async def one(source: str) -> None:
        while scene.lasts():
            try:
                reader, writer = await asyncio.open_connection(
                    HOST,
                    scene.ports["ledger"],
                    ssl=unchecked(),
                    local_addr=(source, 0),
                )
            except (OSError, ssl.SSLError, TimeoutError):
                scene.told["refused"] += 1
                await asyncio.sleep(0.01)
                continue
            with suppress(OSError, ssl.SSLError, TimeoutError):
                while scene.lasts():
                    writer.write(request)
                    line = await asyncio.wait_for(reader.readline(), 5)
                    if not line:
                        break
                    scene.told[line.split()[1].decode()] += 1
                    async with asyncio.timeout(5):
                        await skip_body(reader)
            writer.transport.abort()

    await asyncio.gather(*(one(source) for source in scene.sources))


async def skip_body(reader: asyncio.StreamReader) -> None:
    size = 0
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            size = int(value)
    await reader.readexactly(size)


@abuse(
    who=STRANGER,
    what="POSTs of notes and of bodies without an end to the ledger's port",
    bound="size of a body; methods and paths that exist",
)
async def posts(scene: Scene) -> None:
    head = b"POST /add-checkpoint HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + bytes(65_536) + b"\r\n"

    async def one(source: str) -> None:
        while scene.lasts():
            with suppress(OSError, ssl.SSLError, TimeoutError):
                writer = await raw_tls(scene, source, "ledger")
                writer.write(head)
                while not writer.is_closing() and scene.lasts():
                    writer.write(chunk)
                    await asyncio.wait_for(writer.drain(), 1)
                writer.transport.abort()
            await asyncio.sleep(0.05)

    await asyncio.gather(*(one(source) for source in scene.sources))
