"""The words of a hostile server are harmless on a terminal; of an unknown one none is shown."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from blackthorn.edges.link.client import LinkClosedError, connect
from blackthorn.edges.tls import server_tls
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.activation.code import ACTIVATE, PAIR, new_code, render_url
from blackthorn.link.codes import MEANINGS
from blackthorn.programs.server.folder import initialise
from blackthorn.wire.printable import printable
from tests.support.server_process import run

WORDS = (
    "\x1b[2J\x1b]0;x\x07\x1b]52;c;cm0=\x07\rActivated. PIN: 00000000\nblackthorn: \u202eall is well"
)


class Liar(WSListener):
    """Answers whatever it hears by a Bye with words of its own."""

    code = "activation-refused"

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            transport.send(WSMsgType.BINARY, f.encode(f.Bye(self.code, WORDS)))


class Hostile:
    """A running liar: its port, and its key's fingerprint."""

    port: int
    pin: Fingerprint


@pytest.fixture
def hostile(tmp_path: Path) -> Iterator[Hostile]:
    folder = initialise(tmp_path / "false", "acme.example", {})
    tls = server_tls(folder.key, folder.certificate)
    found, ready = Hostile(), threading.Event()
    found.pin = tls.fingerprint
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        server = await ws_create_server(lambda _: Liar(), "127.0.0.1", 0, ssl=tls.context)
        found.port = server.sockets[0].getsockname()[1]
        ready.set()

    def live() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=live)
    thread.start()
    assert ready.wait(10)
    yield found
    loop.call_soon_threadsafe(loop.stop)
    thread.join()


@pytest.mark.parametrize(
    ("command", "kind", "code"),
    [
        ("activate", ACTIVATE, "activation-refused"),
        ("activate", ACTIVATE, "market-left"),
        ("activate", ACTIVATE, "\x1b[2Jnew"),
        ("device link", PAIR, "pairing-refused"),
    ],
)
def test_before_a_server_is_known_only_our_own_words_are_shown(
    hostile: Hostile,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    kind: str,
    code: str,
) -> None:
    monkeypatch.setattr(Liar, "code", code)
    made = new_code(lambda size: bytes(range(size)))
    url = render_url(made, "127.0.0.1", hostile.port, kind)
    home, key = tmp_path / "home", tmp_path / "key"
    done = run(*command.split(), url, "--home", str(home), "--key-file", str(key))
    assert done.returncode != 0 and done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert printable(line) == line
    assert "Activated" not in line and "all is well" not in line
    assert MEANINGS.get(code, "it gave no known reason") in line


def test_the_words_of_a_known_server_are_shown_on_one_harmless_line(hostile: Hostile) -> None:
    async def scene() -> str:
        link = await connect("127.0.0.1", hostile.port, hostile.pin)
        link.send(f.Hello(1, bytes(16), bytes(64)))
        with pytest.raises(LinkClosedError) as ended:
            await link.receive()
        return str(ended.value)

    said = asyncio.run(scene())
    assert "Activated" in said
    shown = printable(said)
    assert "\x1b" not in shown and "\n" not in shown and "\r" not in shown and "\u202e" not in shown
