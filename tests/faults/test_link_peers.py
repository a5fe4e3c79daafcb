"""Peers that are slow, silent, deaf or false (faults C13 to C16), on real sockets."""

import asyncio
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.edges.link.client import LinkClosedError, connect
from blackthorn.edges.tls import server_tls
from blackthorn.errors import SecurityError, UnavailableError
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.hello import sign_hello
from blackthorn.programs.server.folder import initialise
from blackthorn.server.handlers import limits
from blackthorn.wire.units import MIB
from tests.support.link_harness import PATIENCE, Running, plain_tls, run, running

# --- The network lies ---------------------------------------------------------------------


def test_both_ends_see_one_binding_and_no_two_connections_share_one(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            links = [await server.open(device, resume=False) for device in server.devices[:2]]
            seen = {session.binding for session in server.dispatcher._connections._sessions}
            assert seen == {link.binding for link in links}
            assert len(seen) == 2
            assert all(binding.endswith(server.pin) for binding in seen)

    run(scene())


def test_the_link_listens_by_the_event_loop_alone(tmp_path: Path) -> None:
    """A listener of another kind did not recover once descriptors had run out."""

    async def scene() -> None:
        async with running(tmp_path) as server:
            await server.open(server.devices[0], resume=False)
            (below,) = transports(server)
            assert type(below).__module__.partition(".")[0] == "uvloop"
            assert server.server.listening

    run(scene())


def test_another_key_is_a_hard_stop_before_a_byte_is_sent(tmp_path: Path) -> None:
    """In the middle stands somebody with a certificate of his own and records all he is told."""
    false = initialise(tmp_path / "false", "acme.example", {})
    true = initialise(tmp_path / "true", "acme.example", {})
    recorded: list[bytes] = []

    class Recorder(asyncio.Protocol):
        def data_received(self, data: bytes) -> None:
            recorded.append(data)

    async def scene() -> None:
        loop = asyncio.get_running_loop()
        tls = server_tls(false.key, false.certificate)
        server = await loop.create_server(Recorder, "127.0.0.1", 0, ssl=tls.context)
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(SecurityError, match="the network is intercepting this connection"):
            await connect("127.0.0.1", port, true.fingerprint())
        await asyncio.sleep(0.1)
        server.close()

    run(scene())
    assert recorded == []


def test_a_hello_relayed_through_the_middle_is_refused(tmp_path: Path) -> None:
    """Who makes a device speak to him (as if it had no pin) cannot pass its hello on."""

    async def scene() -> None:
        async with running(tmp_path) as server:
            middle = await server.rude()
            victim = server.devices[0]
            other = await connect("127.0.0.1", server.server.port, None)
            middle.say(f.encode(sign_hello(victim.identity, other.binding)))
            assert await middle.last_word() == "hello-refused"
            impostor = await connect("127.0.0.1", server.server.port, server.pin)
            forged = sign_hello(Secret(bytes(32)), impostor.binding)
            impostor.send(f.Hello(1, victim.id, forged.signature))
            with pytest.raises(LinkClosedError) as refused:
                await impostor.receive()
            assert refused.value.code == "hello-refused"
            assert server.counters.hellos_refused == 2

    run(scene())


def test_older_tls_is_not_spoken(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await asyncio.open_connection(
                    "127.0.0.1", server.server.port, ssl=plain_tls(ssl.TLSVersion.TLSv1_2)
                )

    run(scene())


def test_a_server_that_is_not_there_or_is_none_is_one_clear_line(tmp_path: Path) -> None:
    async def scene() -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
        with pytest.raises(UnavailableError, match="cannot be reached"):
            await connect("127.0.0.1", port, None)
        plain = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
        with pytest.raises(UnavailableError):
            await connect("127.0.0.1", plain.sockets[0].getsockname()[1], None)
        plain.close()
        false = initialise(tmp_path / "false", "acme.example", {})
        tls = server_tls(false.key, false.certificate)

        async def no_websocket(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"HTTP/1.1 302 Found\r\nLocation: https://evil.example/\r\n\r\n")
            writer.close()

        web = await asyncio.start_server(no_websocket, "127.0.0.1", 0, ssl=tls.context)
        with pytest.raises(UnavailableError):
            await connect("127.0.0.1", web.sockets[0].getsockname()[1], tls.fingerprint)
        web.close()

    run(scene())


def test_a_server_that_stops_ends_the_link_with_a_clear_line(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path, serves_after=False) as server:
            link = await server.open(server.devices[0])
            await server.server.close()
            with pytest.raises(UnavailableError, match="The server is stopping") as ended:
                await link.receive()
            assert ended.value.code == "stopping"
            with pytest.raises(UnavailableError):
                link.send(f.Ping(1))

    run(scene())


# --- The peer is slow, silent or deaf -----------------------------------------------------


async def _until_closed(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(10):
        return await reader.read(1 << 20)


def test_who_connects_and_says_nothing_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link_limits, "LINK_HELLO_SECONDS", 1)

    async def scene() -> None:
        async with running(tmp_path) as server:
            port = server.server.port
            silent, _ = await asyncio.open_connection("127.0.0.1", port)
            tls = plain_tls(ssl.TLSVersion.TLSv1_3)
            after_tls, writer = await asyncio.open_connection("127.0.0.1", port, ssl=tls)
            writer.write(b"GET /link HTTP/1.1\r\n")
            after_websocket = await server.rude()
            assert await _until_closed(silent) == b""
            await _until_closed(after_tls)
            assert await after_websocket.last_word() == "too-slow"

    run(scene())


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /other HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        b"POST /link HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
        b"GET /link HTTP/1.1\r\n" + b"x: y\r\n" * 10_000 + b"\r\n",
        b"\x00" * 40_000,
        b"EHLO there\r\n\r\n",
    ],
)
def test_what_is_no_websocket_of_ours_is_turned_away(request_bytes: bytes, tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            reader, writer = await asyncio.open_connection(
                "127.0.0.1", server.server.port, ssl=plain_tls(ssl.TLSVersion.TLSv1_3)
            )
            writer.write(request_bytes)
            answer = await _until_closed(reader)
            assert not answer.startswith(b"HTTP/1.1 101")
            assert server.counters.connections_total == 0

    run(scene())


async def _deaf_receiver(server: Running, parcels: int, size: int) -> tuple[Any, Any]:
    """A known device that asks for delivery and reads nothing; and parcels sent to it."""
    client = await server.rude(server.devices[1])
    client.transport.underlying_transport.pause_reading()
    client.say(f.encode(f.Resume()))
    sender = await server.open(server.devices[0], resume=False)
    told = fanout_frame([server.devices[1].id])
    sender.send(told)
    for number in range(parcels):
        name = number.to_bytes(16, "big")
        sender.send(f.Send([f.Posting(name, [f.Parcel(told.id, bytes(size))])]))
        assert await sender.receive() == f.Accepted([name])
    return client, sender


def test_who_does_not_read_is_bounded_cut_and_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "LINK_WRITE_SECONDS", 2)
    parcels, size = 40, 500_000

    async def scene() -> None:
        async with running(tmp_path) as server:
            client, sender = await _deaf_receiver(server, parcels, size)
            (session,) = [
                s for s in server.dispatcher._connections._sessions if s.paused_since is not None
            ]
            queued = session._wire._tls._tcp.get_write_buffer_size()
            assert queued < 4 * MIB, "the rest waits on disk, not in memory"
            await server.until(lambda: session not in server.dispatcher._connections._sessions)
            assert server.counters.links_cut == 1
            again = await server.rude(server.devices[1])
            again.say(f.encode(f.Resume()))
            seqs: list[int] = []
            while len(seqs) < parcels:
                frame = await again.hear()
                assert isinstance(frame, f.Deliver)
                seqs += [each.seq for each in frame.parcels]
                again.say(f.encode(f.Acknowledge([each.seq for each in frame.parcels])))
            assert seqs == sorted(set(seqs))
            await sender.close()
            client.transport.disconnect(graceful=False)

    run(scene())


def test_who_reads_late_gets_all(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            client, sender = await _deaf_receiver(server, 20, 500_000)
            client.transport.underlying_transport.resume_reading()
            seqs: list[int] = []
            while len(seqs) < 20:
                frame = await client.hear()
                if isinstance(frame, f.Deliver):
                    seqs += [each.seq for each in frame.parcels]
                    client.say(f.encode(f.Acknowledge([each.seq for each in frame.parcels])))
            assert seqs == sorted(set(seqs))
            await sender.close()
            client.transport.disconnect()

    run(scene())


def test_hundreds_who_come_and_vanish_leave_nothing(tmp_path: Path) -> None:
    async def scene() -> None:
        async with running(tmp_path) as server:
            for _ in range(20):
                clients = await asyncio.gather(*(server.rude() for _ in range(10)))
                for client in clients:
                    client.transport.disconnect(graceful=False)
            await server.until(lambda: not server.dispatcher._connections._sessions)
            assert server.counters.connections == 0
            assert not server.dispatcher._connections._opening

    run(scene())


# --- The transport ------------------------------------------------------------------------


def test_frames_behind_one_that_waits_for_the_store_are_served_without_another_word(
    tmp_path: Path,
) -> None:
    """A session that waits for an answer pauses its transport, which must not keep what it read."""

    async def scene() -> None:
        async with running(tmp_path) as server:
            link = await server.open(server.devices[0])
            for number in range(100):
                link.send(f.ClaimKeyPackages(number, ["nobody@acme.example"], []))
            async with asyncio.timeout(PATIENCE):
                answers = [await link.receive() for _ in range(100)]
            assert [each.request for each in answers] == [*range(100)]

    run(scene())


def transports(server: Running) -> list[object]:
    """The sockets of the open sessions, below TLS."""
    sessions = server.dispatcher._connections._sessions
    return [session._wire._tls._tcp for session in sessions]
