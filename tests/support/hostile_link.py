"""A link server on a real socket that says what a test wants, with a key of its own."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from picows import WSFrame, WSListener, WSMsgType, WSTransport, ws_create_server

from blackthorn.edges.tls import server_tls
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.programs.server.folder import initialise

Answer = Callable[[f.AnyFrame], list[f.AnyFrame]]


@dataclass(frozen=True)
class Hostile:
    """A running liar: its port, and its key's fingerprint."""

    port: int
    pin: Fingerprint


class Liar(WSListener):
    """Answers each frame by those that `answer` gives."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.BINARY:
            for told in self._answer(f.decode(frame.get_payload_as_bytes())):
                transport.send(WSMsgType.BINARY, f.encode(told))


@contextmanager
def hostile_server(folder: Path, answer: Answer) -> Iterator[Hostile]:
    made = initialise(folder, "acme.example", {})
    tls = server_tls(made.key, made.certificate)
    ports: list[int] = []
    ready, loop = threading.Event(), asyncio.new_event_loop()

    async def serve() -> None:
        server = await ws_create_server(lambda _: Liar(answer), "127.0.0.1", 0, ssl=tls.context)
        ports.append(server.sockets[0].getsockname()[1])
        ready.set()

    def live() -> None:
        loop.run_until_complete(serve())
        loop.run_forever()

    thread = threading.Thread(target=live)
    thread.start()
    try:
        assert ready.wait(10)
        yield Hostile(ports[0], tls.fingerprint)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
