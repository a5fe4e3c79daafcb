"""Listeners: each accepted socket passes the gate before a TLS handshake or a protocol begins.

Event loops close a listener for good at some errors, silently; `check_listening` finds that.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from blackthorn.edges import limits
from blackthorn.edges.gate import Door, Gate, GatedSocket, client_key, plain_address
from blackthorn.edges.proxy import ProxyError, proxied_peer
from blackthorn.errors import UnavailableError

LISTENING_SECONDS: Final = 5
"""How often it is checked whether all listeners listen."""

_TURN: Final = 8
"""Sockets accepted before other work of the loop continues."""

_REST_SECONDS: Final = 1.0
"""Pause of a listener after the system refused a socket."""

ProtocolFactory = Callable[[GatedSocket], asyncio.BaseProtocol]


class Listener:
    """Listening sockets of one door; `factory` makes the protocol of an accepted socket."""

    def __init__(
        self,
        sockets: list[socket.socket],
        gate: Gate,
        door: Door,
        factory: ProtocolFactory,
        tls: ssl.SSLContext | None,
        refusal: bytes,
        paced: bool,
        proxies: frozenset[str],
    ) -> None:
        self._proxies = proxies
        self._gate = gate
        self._door = door
        self._factory = factory
        self._tls = tls
        self._refusal = refusal
        self._paced = paced or tls is not None
        self._loop = asyncio.get_running_loop()
        self._starting: set[asyncio.Task[None]] = set()
        self.sockets = tuple(sockets)
        self.port: Final[int] = sockets[0].getsockname()[1]
        for each in sockets:
            self._loop.add_reader(each, self._accept, each)

    def close(self) -> None:
        """Accept no more."""
        for each in self.sockets:
            if each.fileno() >= 0:
                self._loop.remove_reader(each)
                each.close()

    async def wait_closed(self) -> None:
        """No-op, for uvicorn: `close` has closed all."""

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(_TURN):
            try:
                accepted, peer = listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError:  # no descriptor or memory is left
                self._gate.counters.accepts_failed += 1
                self._rest(listening)
                return
            accepted.setblocking(False)
            address = str(peer[0])
            if plain_address(address) in self._proxies:
                self._keep(self._loop.create_task(self._behind_proxy(accepted, address)))
            else:
                self._enter(accepted, address)

    def _rest(self, listening: socket.socket) -> None:
        def resume() -> None:
            if listening.fileno() >= 0:
                self._loop.add_reader(listening, self._accept, listening)

        self._loop.remove_reader(listening)
        self._loop.call_later(_REST_SECONDS, resume)

    async def _behind_proxy(self, accepted: socket.socket, address: str) -> None:
        """The client behind a proxy of ours counts, not the proxy."""
        try:
            self._enter(accepted, await proxied_peer(accepted) or address)
        except ProxyError:
            self._gate.counters.proxies_refused += 1
            accepted.close()

    def _enter(self, accepted: socket.socket, address: str) -> None:
        now = self._loop.time()
        client = client_key(address)
        stranger = GatedSocket.of(accepted, client, self._door, now)
        stranger.peer = address
        if not self._gate.enter(stranger, now):
            with contextlib.suppress(OSError):
                stranger.send(self._refusal)
            stranger.close()
            return
        delay = self._gate.handshake_delay(client, now) if self._paced else 0.0
        if delay:
            self._loop.call_later(delay, self._start, stranger)
        else:
            self._start(stranger)

    def _start(self, stranger: GatedSocket) -> None:
        if stranger.gate is None:  # dropped while it waited
            stranger.close()
            return
        self._keep(self._loop.create_task(self._connect(stranger)))

    def _keep(self, task: asyncio.Task[None]) -> None:
        self._starting.add(task)
        task.add_done_callback(self._starting.discard)

    async def _connect(self, stranger: GatedSocket) -> None:
        times = {}
        if self._tls is not None:
            times = {
                "ssl_handshake_timeout": limits.HANDSHAKE_SECONDS,
                "ssl_shutdown_timeout": limits.SHUTDOWN_SECONDS,
            }
        try:
            await self._loop.connect_accepted_socket(
                lambda: self._factory(stranger), stranger, ssl=self._tls, **times
            )
        except OSError:  # ssl.SSLError, ConnectionError and TimeoutError are
            self._gate.counters.handshakes_failed += 1
            stranger.close()
        except Exception as error:
            stranger.close()
            context = {
                "message": "a connection did not begin",
                "exception": error,
                "work": "accept",
            }
            self._loop.call_exception_handler(context)


def listen(
    what: str,
    host: str,
    port: int,
    gate: Gate,
    door: Door,
    factory: ProtocolFactory,
    tls: ssl.SSLContext | None = None,
    refusal: bytes = b"",
    *,
    paced: bool = False,
    proxies: frozenset[str] = frozenset(),
) -> Listener:
    """Listen on all addresses of `host`; `refusal` is said to a client with too many sockets.

    `proxies` are addresses whose connections begin with the PROXY protocol (`edges.proxy`).

    `paced` without `tls`: the protocol makes TLS handshakes of its own, at the gate's rate.

    Raises UnavailableError, naming `what`.
    """
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        for family, _, _, _, address in dict.fromkeys(found):
            listening = socket.create_server(
                address[:2], family=family, backlog=limits.LISTEN_BACKLOG
            )
            listening.setblocking(False)
            # Inherited: head and body of an answer are two writes without a wait between them.
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sockets.append(listening)
    except OSError as error:
        for each in sockets:
            each.close()
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else str(error)
        raise UnavailableError(f"{what} cannot listen on {host}:{port}: {reason}") from None
    return Listener(sockets, gate, door, factory, tls, refusal, paced, proxies)


class HasSockets(Protocol):
    """A server with listening sockets."""

    @property
    def sockets(self) -> tuple[socket.socket, ...]: ...


def is_listening(server: HasSockets) -> bool:
    """Whether all sockets of `server` are open."""
    sockets = server.sockets
    return bool(sockets) and all(each is not None and each.fileno() >= 0 for each in sockets)


def check_listening(
    listeners: Mapping[str, Callable[[], bool]], end: Callable[[UnavailableError], None]
) -> None:
    """End the program when a listener has ended, so that its service manager starts it anew."""
    for what, listening in listeners.items():
        if not listening():
            end(UnavailableError(f"{what} has stopped listening: start the program again"))
