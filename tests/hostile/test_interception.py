"""A network that ends TLS with a certificate of its own and passes every byte on unchanged."""

import asyncio
import secrets
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from blackthorn.edges.link.client import LinkClosedError, connect
from blackthorn.edges.tls import server_tls
from blackthorn.errors import SecurityError
from blackthorn.link.activation import exchange
from blackthorn.link.activation.code import parse_code
from blackthorn.link.activation.exchange import Channel
from blackthorn.link.frames import Ready
from blackthorn.link.hello import sign_hello
from blackthorn.storage.files.server import ServerFolder
from tests.support.activation_forge import prove_unasked
from tests.support.real_device import ADDRESS, activate, new_device
from tests.support.server_process import ServerProcess, add_user, initialise
from tests.support.tls import unchecked


def unmasked(sent: bytes) -> bytes:
    """What a WebSocket client said, its frames unmasked (RFC 6455, 5.3)."""
    head, _, rest = sent.partition(b"\r\n\r\n")
    said = [head]
    while len(rest) >= 6:
        size, start = rest[1] & 0x7F, 2
        if size >= 126:
            start = 4 if size == 126 else 10
            size = int.from_bytes(rest[2:start], "big")
        mask, payload = rest[start : start + 4], rest[start + 4 : start + 4 + size]
        said.append(bytes(byte ^ mask[place % 4] for place, byte in enumerate(payload)))
        rest = rest[start + 4 + size :]
    return b"".join(said)


class Middle:
    """The interception: what it saw in the clear, in both directions."""

    def __init__(self, directory: ServerFolder, server_port: int) -> None:
        self._tls = server_tls(directory.key, directory.certificate)
        self._server_port = server_port
        self.sent = bytearray()
        self.answered = bytearray()
        self.port = 0

    @property
    def seen(self) -> bytes:
        """All that passed, the device's WebSocket frames without their masks."""
        return unmasked(bytes(self.sent)) + bytes(self.answered)

    @asynccontextmanager
    async def listening(self) -> AsyncIterator["Middle"]:
        """Relay until the block ends."""
        server = await asyncio.start_server(self._relay, "127.0.0.1", 0, ssl=self._tls.context)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        onward_reader, onward_writer = await asyncio.open_connection(
            "127.0.0.1", self._server_port, ssl=unchecked()
        )
        await asyncio.gather(
            self._pipe(reader, onward_writer, self.sent),
            self._pipe(onward_reader, writer, self.answered),
        )

    async def _pipe(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seen: bytearray
    ) -> None:
        with suppress(OSError, ssl.SSLError):
            while chunk := await reader.read(65536):
                seen += chunk
                writer.write(chunk)
                await writer.drain()
        writer.close()


@pytest.fixture
def middle_key(tmp_path: Path) -> ServerFolder:
    return ServerFolder(initialise(tmp_path / "middle"))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return initialise(tmp_path / "server")


def test_an_interceptor_learns_nothing_of_an_activation_and_activates_nothing(
    directory, middle_key
):
    code = parse_code(add_user(directory, ADDRESS)["code"])
    _, keys = new_device()

    async def attempt(server_port: int) -> bytes:
        async with Middle(middle_key, server_port).listening() as middle:
            link = await connect("127.0.0.1", middle.port, None)
            channel = Channel(link.fingerprint, link.binding)
            begin, device = exchange.begin(code, channel, secrets.token_bytes)
            link.send(begin)
            challenge = await link.receive()
            with pytest.raises(exchange.ServerUnprovenError, match="nothing was sent"):
                device.open(challenge)
            await link.close()
            assert begin.message in middle.seen and challenge.proof in middle.seen
            return middle.seen

    with ServerProcess(directory) as server:
        seen = asyncio.run(attempt(server.ready["link_port"]))
    assert ADDRESS.encode() not in seen
    assert keys.identity_key not in seen and code.secret.expose() not in seen


def test_even_a_device_that_proves_itself_unasked_is_not_activated_through_it(
    directory, middle_key
):
    code = parse_code(add_user(directory, ADDRESS)["code"])
    identity, keys = new_device()

    async def attempt(server_port: int) -> None:
        async with Middle(middle_key, server_port).listening() as middle:
            link = await connect("127.0.0.1", middle.port, None)
            channel = Channel(link.fingerprint, link.binding)
            begin, device = exchange.begin(code, channel, secrets.token_bytes)
            link.send(begin)
            link.send(prove_unasked(device, await link.receive(), keys, identity))
            with pytest.raises(LinkClosedError, match="The code is wrong"):
                await link.receive()
            await link.close()
            assert keys.identity_key not in middle.seen

    with ServerProcess(directory) as server:
        asyncio.run(attempt(server.ready["link_port"]))


def test_a_device_that_has_pinned_the_server_stops_before_it_sends_a_byte(directory, middle_key):
    pin = ServerFolder(directory).fingerprint()

    async def attempt(server_port: int) -> bytes:
        async with Middle(middle_key, server_port).listening() as middle:
            with pytest.raises(SecurityError, match="the network is intercepting"):
                await connect("127.0.0.1", middle.port, pin)
            return middle.seen

    with ServerProcess(directory) as server:
        assert asyncio.run(attempt(server.ready["link_port"])) == b""


def test_a_hello_passed_on_by_the_interceptor_is_refused(directory, middle_key):
    """An enrolled device without a pin signs over its own binding, not over the server's."""
    code = parse_code(add_user(directory, ADDRESS)["code"])
    identity, keys = new_device()

    async def attempt(server_port: int) -> None:
        await activate(server_port, code, identity, keys)
        async with Middle(middle_key, server_port).listening() as middle:
            link = await connect("127.0.0.1", middle.port, None)
            link.send(sign_hello(identity, link.binding))
            with pytest.raises(LinkClosedError, match="its signature is not over this"):
                await link.receive()
            await link.close()
        direct = await connect("127.0.0.1", server_port, None)
        direct.send(sign_hello(identity, direct.binding))
        assert isinstance(await direct.receive(), Ready)
        await direct.close()

    with ServerProcess(directory) as server:
        asyncio.run(attempt(server.ready["link_port"]))
