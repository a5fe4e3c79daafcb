"""SMTP from the Internet (RFC 5321) over aiosmtpd: bound, pass to the gateway, answer.

aiosmtpd speaks the commands. Ours are the address paths, the data phase (streamed into one bounded
buffer, ended by CRLF.CRLF alone), and the limits. No part of a mail is logged, and nothing is on a
disk before it is sealed.
"""

import asyncio
import logging
import ssl
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from aiosmtpd.smtp import SMTP, Envelope, Session, TLSSetupException, syntax

from blackthorn.edges import limits as edges_limits
from blackthorn.edges.gate import Door, Gate, GatedSocket
from blackthorn.edges.listening import Listener, is_listening, listen
from blackthorn.edges.smtp import limits as smtp_limits
from blackthorn.edges.smtp.gateway import MailGateway, Transaction
from blackthorn.edges.smtp.memory import MailMemory, Share
from blackthorn.edges.smtp.replies import refusal
from blackthorn.errors import BlackthornError
from blackthorn.mail import limits as mail_limits
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.smtp.path import NULL_SENDER, parse_path
from blackthorn.server.mail.recipient_policy import Recipient

logging.getLogger("mail.log").disabled = True  # aiosmtpd logs addresses and contents there

_END = b"\r\n.\r\n"
_TOO_MANY = b"421 4.7.0 too many connections; try again later\r\n"
_CALLS = {"*": 1_000_000} | dict.fromkeys(
    ("NOOP", "RSET", "VRFY", "EXPN", "HELP", "HELO", "EHLO", "AUTH"),
    smtp_limits.MAX_SMTP_JUNK_COMMANDS,
)


class MailEnvelope(Envelope):
    """aiosmtpd's envelope with the accepted recipients."""

    def __init__(self) -> None:
        super().__init__()
        self.recipients: dict[str, Recipient] = {}
        self.size = 0
        """What MAIL declared (RFC 1870), 0 for nothing."""


class _Answers:
    """Hooks of aiosmtpd for EHLO, MAIL and RCPT."""

    def __init__(self, gateway: MailGateway) -> None:
        self._gateway = gateway

    async def handle_EHLO(  # noqa: N802
        self, server: SMTP, session: Session, envelope: Envelope, host: str, offers: list[str]
    ) -> list[str]:
        session.host_name = host
        kept = [line[4:] for line in offers if line[4:8] not in ("AUTH", "HELP")]
        kept += [f"SIZE {mail_limits.MAX_MAIL_BYTES}", "PIPELINING", "ENHANCEDSTATUSCODES"]
        return [f"250-{line}" for line in kept[:-1]] + [f"250 {kept[-1]}"]

    async def handle_MAIL(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: MailEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        size = max((int(each[5:]) for each in options if each.startswith("SIZE=")), default=0)
        if size > mail_limits.MAX_MAIL_BYTES:
            return "552 5.3.4 the mail is too large"
        try:
            self._gateway.check_room(size)
        except BlackthornError as error:
            return refusal(error).reply
        envelope.mail_from = address
        envelope.size = size
        envelope.mail_options.extend(options)
        return "250 2.1.0 sender noted"

    async def handle_RCPT(  # noqa: N802
        self,
        server: SMTP,
        session: Session,
        envelope: MailEnvelope,
        address: str,
        options: list[str],
    ) -> str:
        if len(envelope.recipients) >= smtp_limits.MAX_SMTP_RECIPIENTS:
            return "452 4.5.3 too many recipients"
        try:
            recipient = await self._gateway.recipient(address, envelope.size)
        except BlackthornError as error:
            return refusal(error).reply
        envelope.recipients[recipient.user.address] = recipient
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 recipient noted"

    async def handle_exception(self, error: Exception) -> str:
        """aiosmtpd's last resort."""
        return refusal(error).reply


class _Connection(SMTP):
    line_length_limit = mail_limits.MAX_MAIL_LINE_BYTES

    def __init__(
        self, server: "SmtpServer", tls_context: ssl.SSLContext | None, client: str
    ) -> None:
        super().__init__(
            server.answers,
            data_size_limit=None,
            enable_SMTPUTF8=True,
            hostname=server.gateway.recipient_policy.domain,
            ident="ESMTP Blackthorn",
            tls_context=tls_context,
            timeout=smtp_limits.SMTP_TIMEOUT_SECONDS,
            auth_exclude_mechanism=["LOGIN", "PLAIN"],
            command_call_limit=_CALLS,
            loop=asyncio.get_running_loop(),
        )
        # aiosmtpd keeps these per class: one client's EHLO would raise another's limit
        self.command_size_limits: dict[str, int] = defaultdict(
            lambda: smtp_limits.MAX_SMTP_COMMAND_BYTES
        )
        self.command_size_limit = smtp_limits.MAX_SMTP_COMMAND_BYTES
        self._server: Final = server
        self._client: Final = client
        self._errors = 0

    def connection_made(self, transport: Any) -> None:
        """Called again after STARTTLS."""
        self._server.enter(self)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        self._server.leave(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """Close the connection when the server ends."""
        self._end(b"421 4.3.2 the server is stopping\r\n")

    def give_way(self) -> None:
        """Close the connection, whose mail comes slowest, for the mail of others."""
        self._server.gateway.counters.smtp_mails_dropped += 1
        self._end(b"421 4.3.1 too slow while much mail comes; try again later\r\n")

    def _end(self, reply: bytes) -> None:
        if self.transport is not None and not self.transport.is_closing():
            self._writer.write(reply)
            self.transport.close()

    async def push(self, status: str | bytes) -> None:
        """Send a reply; close after too many refusals."""
        line = status if isinstance(status, bytes) else status.encode("utf-8", "replace")
        await super().push(line)
        if line[:1] in (b"4", b"5"):
            self._errors += 1
            if self._errors == smtp_limits.MAX_SMTP_ERRORS and self.transport is not None:
                await super().push("421 4.7.0 too many errors")
                self.transport.close()

    def _create_envelope(self) -> MailEnvelope:
        return MailEnvelope()

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        return parse_path(arg) or (None, None)

    @syntax("STARTTLS", when="tls_context")
    async def smtp_STARTTLS(self, arg: str) -> None:  # noqa: N802
        """Start TLS, once the gate lets the client start a handshake, and in bounded time."""
        await asyncio.sleep(self._server.gate.handshake_delay(self._client, self.loop.time()))
        failed = False
        try:
            async with asyncio.timeout(edges_limits.HANDSHAKE_SECONDS):
                await super().smtp_STARTTLS(arg)
        except (TLSSetupException, TimeoutError):  # the peer's fault, and none of ours to log
            failed = True
        before = self._original_transport
        if before is not None and (failed or before.is_closing()):
            self._server.gate.counters.handshakes_failed += 1
            self.connection_lost(None)  # which asyncio's TLS does not tell before its handshake
            raise asyncio.CancelledError

    async def smtp_VRFY(self, arg: str | None) -> None:  # noqa: N802
        """Reveal no users (RFC 5321, 3.5.3)."""
        await self.push("252 2.5.0 send a mail and see")

    async def smtp_EXPN(self, arg: str | None) -> None:  # noqa: N802
        await self.push("502 5.5.1 not offered")

    async def smtp_HELP(self, arg: str | None) -> None:  # noqa: N802
        await self.push("214 2.0.0 see RFC 5321")

    async def smtp_AUTH(self, arg: str | None) -> None:  # noqa: N802
        """Mail from the Internet only: no login."""
        await self.push("502 5.5.1 not offered")

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802
        """Receive the mail, have it sealed and stored, then reply 250."""
        if await self.check_helo_needed():
            return
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        envelope = self.envelope
        if not isinstance(envelope, MailEnvelope) or not envelope.recipients:
            await self.push("503 5.5.1 no recipient")
            return
        await self.push("354 end with <CR><LF>.<CR><LF>")
        memory = self._server.memory.share(self._client, self.give_way, self.loop.time())
        with self._server.mail_in_hand(), memory as share:
            reply = await self._take(envelope, share)
        self.envelope = self._create_envelope()
        await self.push(reply)

    async def _take(self, envelope: MailEnvelope, share: Share) -> str:
        counters = self._server.gateway.counters
        try:
            content = await self._receive(share)
            share.receiving = False
            if len(content) * len(envelope.recipients) > smtp_limits.MAX_MAIL_TIMES_RECIPIENTS:
                text = "too many recipients for a mail of this size: send it to fewer at once"
                raise MailRefusedError(554, "5.5.3", text)
            if self._server.stopping:
                raise MailRefusedError(421, "4.3.2", "the server is stopping")
            await self._server.gateway.accept(self._transaction(envelope), content)
        except BlackthornError as error:
            refused = refusal(error)
            if refused.code >= 500:
                counters.mail_refused += 1
            else:
                counters.mail_deferred += 1
            return refused.reply
        return "250 2.0.0 accepted and sealed"

    def _transaction(self, envelope: MailEnvelope) -> Transaction:
        session = self.session
        assert session is not None  # set by aiosmtpd before any command
        sender = envelope.mail_from or NULL_SENDER
        return Transaction(
            sender="" if sender == NULL_SENDER else sender,
            helo=(session.host_name or "").encode("utf-8", "replace").decode(),
            peer=str(session.peer[0]) if session.peer else "",
            tls=session.ssl is not None,
            recipients=tuple(envelope.recipients.values()),
        )

    async def _receive(self, share: Share) -> bytearray:
        """The data up to CRLF.CRLF, its dots still doubled (RFC 5321, 4.5.2).

        A mail that is too large, or finds no memory, is read to its end and dropped; then
        MailRefusedError. A peer that is too slow is cut off.
        """
        data = bytearray(b"\r\n")  # so that a dot on the first line is found too
        refused: MailRefusedError | None = None
        received, searched = 0, 0
        while True:
            chunk = await self._reader.read(1 << 30)
            self._reset_timeout()
            now = self.loop.time()
            received += len(chunk)
            share.count(len(chunk), now)
            endless = received > 4 * mail_limits.MAX_MAIL_BYTES
            if not chunk or endless or share.too_slow(now):
                await super().push("421 4.7.0 too slow, or without end")
                raise asyncio.CancelledError  # aiosmtpd then closes the connection
            try:
                if refused is None:
                    share.grow(len(chunk), now)
                    if received > mail_limits.MAX_MAIL_BYTES + len(_END):
                        raise MailRefusedError(552, "5.3.4", "the mail is too large")
            except MailRefusedError as error:
                refused = error
                share.release()
            data += chunk
            end = data.find(_END, searched)
            if end >= 0:
                self._reader.feed_data(bytes(data[end + len(_END) :]))
                break
            searched = max(0, len(data) - len(_END) + 1)
            if refused is not None:
                del data[:searched]
                searched = 0
        if refused is not None:
            raise refused
        del data[end + 2 :]
        del data[:2]
        return data


class SmtpServer:
    """The listening SMTP edge, made by `serve_smtp`."""

    def __init__(
        self, gateway: MailGateway, tls_context: ssl.SSLContext | None, gate: Gate
    ) -> None:
        self.gateway: Final = gateway
        self.answers: Final = _Answers(gateway)
        self.memory: Final = MailMemory()
        self.gate: Final = gate
        self._tls_context = tls_context
        self._open: set[_Connection] = set()
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
            "SMTP", host, port, self.gate, Door.SMTP, self._connection, refusal=_TOO_MANY
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

    def enter(self, connection: _Connection) -> None:
        self._open.add(connection)
        self.gateway.counters.smtp_connections = len(self._open)

    def leave(self, connection: _Connection) -> None:
        self._open.discard(connection)
        self.gateway.counters.smtp_connections = len(self._open)

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

    def _connection(self, accepted: GatedSocket) -> _Connection:
        return _Connection(self, self._tls_context, accepted.client)


def serve_smtp(
    gateway: MailGateway,
    host: str,
    port: int,
    tls_context: ssl.SSLContext | None = None,
    gate: Gate | None = None,
) -> SmtpServer:
    """Listen for mail on `host`:`port` (0 for any free port). Raises UnavailableError.

    With `tls_context` (server side, TLS 1.2 and up) STARTTLS is offered. Close the server before
    the gateway's sealing pool and the writer.
    """
    server = SmtpServer(gateway, tls_context, gate or Gate(gateway.counters))
    server.listen(host, port)
    return server
