"""SMTP servers: their listeners, their open connections, and how they stop.

A `policy` says what kind of server it is; `connection` is one client's.
"""

import asyncio
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from blackthorn.edges.gate import Door, Gate, GatedSocket
from blackthorn.edges.listening import Listener, is_listening, listen
from blackthorn.edges.smtp.connection import Connection
from blackthorn.edges.smtp.memory import MailMemory
from blackthorn.edges.smtp.policy import Policy

_TOO_MANY = b"421 4.7.0 too many connections; try again later\r\n"


class SmtpServer:
    """Listeners of one kind of SMTP server, made by `serve_smtp`.

    Servers of other kinds share `memory`, so that all plain mail together is bounded.
    """

    def __init__(
        self,
        policy: Policy,
        tls_context: ssl.SSLContext | None,
        gate: Gate,
        memory: MailMemory | None = None,
        *,
        implicit: bool = False,
        proxies: frozenset[str] = frozenset(),
    ) -> None:
        self._implicit = implicit
        self._proxies = proxies
        self.policy = policy
        self.memory = memory or MailMemory()
        self.gate = gate
        self._tls_context = tls_context
        self._open: set[Connection] = set()
        self._listener: Listener | None = None
        self._in_hand = 0
        self._quiet = asyncio.Event()
        self._quiet.set()
        self.stopping = False

    @property
    def port(self) -> int:
        assert self._listener is not None  # set by `listen`
        return self._listener.port

    @property
    def listening(self) -> bool:
        """Whether mail servers can connect."""
        return self._listener is not None and is_listening(self._listener)

    def listen(self, host: str, port: int) -> None:
        """Start to accept connections. Raises UnavailableError."""
        self._listener = listen(
            self.policy.what,
            host,
            port,
            self.gate,
            Door.SMTP,
            self._connection,
            tls=self._tls_context if self._implicit else None,
            refusal=b"" if self._implicit else _TOO_MANY,
            proxies=self._proxies,
        )

    async def close(self, grace: float = 5.0) -> None:
        """Stop listening, let running mails finish for `grace` seconds, then hang up."""
        if self._listener is not None:
            self._listener.close()
        self.stopping = True
        with suppress(TimeoutError):
            await asyncio.wait_for(self._quiet.wait(), grace)
        for connection in list(self._open):
            connection.hang_up()

    def enter(self, connection: Connection) -> None:
        self._open.add(connection)
        self.policy.counters.smtp_connections = len(self._open)

    def leave(self, connection: Connection) -> None:
        self._open.discard(connection)
        self.policy.counters.smtp_connections = len(self._open)

    @contextmanager
    def mail_in_hand(self) -> Iterator[None]:
        """The time from 354 to the reply, which `close` waits for."""
        self._in_hand += 1
        self._quiet.clear()
        try:
            yield
        finally:
            self._in_hand -= 1
            if not self._in_hand:
                self._quiet.set()

    def _connection(self, accepted: GatedSocket) -> Connection:
        return Connection(
            self, self._tls_context, accepted.client, accepted.peer, implicit=self._implicit
        )


def serve_smtp(
    policy: Policy,
    host: str,
    port: int,
    tls_context: ssl.SSLContext | None = None,
    gate: Gate | None = None,
    memory: MailMemory | None = None,
    *,
    implicit: bool = False,
    proxies: frozenset[str] = frozenset(),
) -> SmtpServer:
    """Listen for mail on `host`:`port` (0 for any free port). Raises UnavailableError.

    With `tls_context` (server side, TLS 1.2 and up) STARTTLS is offered; `implicit`: TLS comes
    first (RFC 8314, 3). `proxies` are those of `edges.listening.listen`. Close the server before
    what its policy uses, such as the gateway's sealing pool and the writer.
    """
    server = SmtpServer(
        policy,
        tls_context,
        gate or Gate(policy.counters),
        memory,
        implicit=implicit,
        proxies=proxies,
    )
    server.listen(host, port)
    return server
