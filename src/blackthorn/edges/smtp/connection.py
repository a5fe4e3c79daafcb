"""One SMTP connection (RFC 5321) over aiosmtpd: bound, pass to the policy, answer.

aiosmtpd speaks the commands. Ours are the address paths, the data phase (streamed into one bounded
buffer, ended by CRLF.CRLF alone), and the limits. No part of a mail is logged, and nothing is on a
disk before it is sealed.
"""

import asyncio
import logging
import re
import ssl
from collections import defaultdict
from collections.abc import Awaitable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, NoReturn, Protocol

from aiosmtpd.smtp import SMTP, TLSSetupException, syntax

from blackthorn.edges import limits as edges_limits
from blackthorn.edges.gate import Gate
from blackthorn.edges.smtp import limits as smtp_limits
from blackthorn.edges.smtp.memory import MailMemory, Share
from blackthorn.edges.smtp.policy import MailEnvelope, Policy
from blackthorn.edges.smtp.receiving import Chunks, Receiver, TooSlowError
from blackthorn.edges.smtp.replies import refusal
from blackthorn.errors import BlackthornError
from blackthorn.mail import limits as mail_limits
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.smtp.path import parse_path

logging.getLogger("mail.log").disabled = True  # aiosmtpd logs addresses and contents there

_CALLS: Final = {"*": 1_000_000} | dict.fromkeys(
    ("NOOP", "RSET", "VRFY", "EXPN", "HELP", "HELO", "EHLO", "AUTH"),
    smtp_limits.MAX_SMTP_JUNK_COMMANDS,
)


_BDAT: Final = re.compile(r"(?P<size>[0-9]{1,12})(?P<last> +LAST)?", re.IGNORECASE)


class Site(Protocol):
    """What a connection needs of its server."""

    policy: Policy
    memory: MailMemory
    gate: Gate
    stopping: bool

    def enter(self, connection: "Connection") -> None: ...
    def leave(self, connection: "Connection") -> None: ...
    def mail_in_hand(self) -> AbstractContextManager[None]: ...


class Connection(SMTP):
    """One connection of a server of any kind; its policy decides."""

    line_length_limit = mail_limits.MAX_MAIL_LINE_BYTES
    _chunks: Chunks | None = None

    def __init__(
        self,
        server: Site,
        tls_context: ssl.SSLContext | None,
        client: str,
        peer: str,
        *,
        implicit: bool = False,
    ) -> None:
        """`implicit`: TLS has begun before the protocol (RFC 8314, 3). `peer` is an address."""
        super().__init__(
            server.policy,
            data_size_limit=None,
            enable_SMTPUTF8=True,
            hostname=server.policy.hostname,
            ident="ESMTP Blackthorn",
            tls_context=None if implicit else tls_context,
            auth_require_tls=not implicit,
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
        self._peer: Final = peer
        self._implicit: Final = implicit

    def connection_made(self, transport: Any) -> None:
        """Called again after STARTTLS."""
        self._server.enter(self)
        super().connection_made(transport)
        assert self.session is not None  # aiosmtpd has made it
        if self._peer:
            self.session.peer = (self._peer, 0)  # type: ignore[assignment]
        if self._implicit:
            self.session.ssl = transport.get_extra_info("ssl_object")

    def connection_lost(self, error: Exception | None) -> None:
        self._drop_chunks()
        self._server.leave(self)
        super().connection_lost(error)

    def hang_up(self) -> None:
        """Close the connection when the server ends."""
        self._end(b"421 4.3.2 the server is stopping\r\n")

    def give_way(self) -> None:
        """Close the connection, whose mail comes slowest, for the mail of others."""
        self._server.policy.counters.smtp_mails_dropped += 1
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
        return self._server.policy.make_envelope()

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
        """Log in where the policy has users of its own."""
        if not self._server.policy.login:
            await self.push("502 5.5.1 not offered")
            return
        assert self.session is not None  # set by aiosmtpd before any command
        hook = self._server.policy.handle_AUTH
        envelope = self.envelope or self._create_envelope()
        reply = await hook(self, self.session, envelope, (arg or "").split())
        if reply is not None:
            await self.push(reply)

    async def _ready(self) -> MailEnvelope | None:
        """The envelope, if content may come now; else the refusal is sent."""
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return None
        envelope = self.envelope
        if not isinstance(envelope, MailEnvelope) or not envelope.copies:
            await self.push("503 5.5.1 no recipient")
            return None
        return envelope

    async def smtp_DATA(self, arg: str | None) -> None:  # noqa: N802
        """Receive the mail, have it sealed and stored, then reply 250."""
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
            return
        if self._chunks is not None:
            await self.push("503 5.5.1 the mail comes by BDAT already")
            return
        envelope = await self._ready()
        if envelope is None:
            return
        await self.push("354 end with <CR><LF>.<CR><LF>")
        memory = self._server.memory.share(self._client, self.give_way, self.loop.time())
        with self._server.mail_in_hand(), memory as share:
            reply = await self._replied(self._data(envelope, share))
        self.envelope = self._create_envelope()
        await self.push(reply)

    async def smtp_BDAT(self, arg: str | None) -> None:  # noqa: N802
        """Receive a chunk (RFC 3030, 2); at the last one as after DATA."""
        found = _BDAT.fullmatch(arg or "")
        if found is None:  # nobody knows where the next command begins
            await self.push("501 5.5.4 BDAT takes a size, and LAST")
            raise asyncio.CancelledError  # aiosmtpd then closes the connection
        size, last = int(found["size"]), found["last"] is not None
        if self._chunks is None:
            envelope = self.envelope
            memory = self._server.memory.share(self._client, self.give_way, self.loop.time())
            self._chunks = Chunks(self._reader, memory, self._reset_timeout)
            if not isinstance(envelope, MailEnvelope) or not envelope.copies:
                self._chunks.refused = MailRefusedError(503, "5.5.1", "no recipient")
        with self._server.mail_in_hand() if last else nullcontext():
            reply = await self._replied(self._chunk(self._chunks, size, last=last))
        if last:
            self._drop_chunks()
            self.envelope = self._create_envelope()
        await self.push(reply)

    async def _chunk(self, chunks: Chunks, size: int, *, last: bool) -> str:
        try:
            await chunks.add(size)
        except TooSlowError:
            await self._cut_off()
        if not last:
            return f"250 2.0.0 {size} octets"
        envelope = self.envelope
        assert isinstance(envelope, MailEnvelope)  # else the chunks are refused
        envelope.dots = False
        return await self._take(envelope, chunks.data, chunks.share)

    def _drop_chunks(self) -> None:
        chunks, self._chunks = self._chunks, None
        if chunks is not None:
            chunks.close()

    def _set_rset_state(self) -> None:
        """aiosmtpd's, at RSET, HELO, EHLO and STARTTLS."""
        self._drop_chunks()
        super()._set_rset_state()  # type: ignore[no-untyped-call]

    async def _replied(self, taking: Awaitable[str]) -> str:
        """The reply, or that to an error, which is counted."""
        counters = self._server.policy.counters
        try:
            return await taking
        except BlackthornError as error:
            refused = refusal(error)
            if refused.code >= 500:
                counters.mail_refused += 1
            else:
                counters.mail_deferred += 1
            return refused.reply

    async def _data(self, envelope: MailEnvelope, share: Share) -> str:
        return await self._take(envelope, await self._receive(share), share)

    async def _take(self, envelope: MailEnvelope, content: bytearray, share: Share) -> str:
        share.receiving = False
        if len(content) * len(envelope.rcpt_tos) > smtp_limits.MAX_MAIL_TIMES_RECIPIENTS:
            text = "too many recipients for a mail of this size: send it to fewer at once"
            raise MailRefusedError(554, "5.5.3", text)
        if len(content) * envelope.copies > smtp_limits.MAX_MAIL_TIMES_COPIES:
            text = "the mail is too large for so many members of lists: send them a smaller one"
            raise MailRefusedError(552, "5.3.4", text)
        if self._server.stopping:
            raise MailRefusedError(421, "4.3.2", "the server is stopping")
        assert self.session is not None  # set by aiosmtpd before any command
        return await self._server.policy.accept(self.session, envelope, content)

    async def _receive(self, share: Share) -> bytearray:
        try:
            return await Receiver(self._reader, share, self._reset_timeout).data()
        except TooSlowError:
            await self._cut_off()

    async def _cut_off(self) -> NoReturn:
        await super().push("421 4.7.0 too slow, or without end")
        raise asyncio.CancelledError  # aiosmtpd then closes the connection
