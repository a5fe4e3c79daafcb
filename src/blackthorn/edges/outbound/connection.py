"""One SMTP connection to another server (RFC 5321) over aiosmtplib: open, secure, hand over, end.

Replies before TLS count for nothing once it has begun: the server is greeted anew (RFC 3207, 4.2).
"""

import asyncio
import re
import socket
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Final

import aiosmtplib
from aiosmtplib import (
    SMTPException,
    SMTPResponse,
    SMTPResponseException,
    SMTPServerDisconnected,
    SMTPTimeoutError,
)
from aiosmtplib.protocol import SMTPProtocol

from blackthorn.edges.outbound import limits
from blackthorn.edges.outbound.security import Level, Security
from blackthorn.ports.outbound.carrier import CarrierError, Reply

_STATUS: Final = re.compile(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)")


class TlsFailedError(Exception):
    """TLS was not offered, failed, or showed a wrong certificate; the text says which."""


class SmtpConnection:
    """`ports.outbound.carrier.Connection`, made by `open_connection`."""

    def __init__(self, client: aiosmtplib.SMTP, server: str) -> None:
        self.client = client
        self._server = server
        self.tls = False

    async def send(
        self, sender: str, recipients: Sequence[str], content: bytes, *, whole: bool = False
    ) -> list[Reply]:
        """See the port; at most MAX_TRANSACTION_RECIPIENTS in one transaction.

        `whole`: to all recipients, no more than those, or to none.
        """
        if whole and len(recipients) > limits.MAX_TRANSACTION_RECIPIENTS:
            text = "too many recipients for one mail in the clear: send it to fewer at once"
            return [Reply(554, "5.5.3", text)]
        if not self.client.is_connected:  # then it has forgotten what the server offers
            raise CarrierError(_lost(SMTPServerDisconnected(""), self._server), unsent=True)
        unfit = self._unfit(sender, recipients, content) or await _unfit_lines(content)
        if unfit is not None:
            return [unfit] * len(recipients)
        replies: list[Reply] = []
        step = limits.MAX_TRANSACTION_RECIPIENTS
        for start in range(0, len(recipients), step):
            some = recipients[start : start + step]
            try:
                replies += await self._transact(sender, some, content, whole=whole)
            except CarrierError as error:
                if not replies:
                    raise
                left = len(recipients) - len(replies)  # earlier ones have it, so say so
                return [*replies, *[error.reply] * left]
        return replies

    async def close(self) -> None:
        with suppress(SMTPException, OSError, ValueError):
            await self.client.quit(timeout=limits.QUIT_SECONDS)
        self.client.close()

    def _unfit(self, sender: str, recipients: Sequence[str], content: bytes) -> Reply | None:
        """Why the server cannot take such a mail at all; nothing is converted for it."""
        offers = self.client.supports_extension
        plain = sender.isascii() and all(map(str.isascii, recipients))
        if not (plain and _header(content).isascii()) and not offers("smtputf8"):
            text = "their server takes no addresses or fields beyond ASCII (SMTPUTF8)"
            return Reply(550, "5.6.7", text)
        if not content.isascii() and not offers("8bitmime"):
            return Reply(554, "5.6.3", "their server takes no 8-bit mail (8BITMIME)")
        size = self.client.esmtp_extensions.get("size", "")
        if size.isdecimal() and 0 < int(size) < len(content):
            return Reply(552, "5.3.4", "the mail is larger than their server takes")
        return None

    async def _transact(
        self, sender: str, recipients: Sequence[str], content: bytes, *, whole: bool
    ) -> list[Reply]:
        begun = False
        try:
            options = self._options(sender, recipients, content)
            await self._command("MAIL FROM:", sender, *options)
            begun = True
            replies = [await self._recipient(each) for each in recipients]
            taken = [reply.accepted for reply in replies]
            if not (all(taken) if whole else any(taken)):
                await self.client.rset()
                return replies
            final = await self._data(content)
        except SMTPResponseException as error:  # to MAIL or RSET: it is of the whole mail
            told = reply_of(self._server, error.code, error.message)
            raise CarrierError(told, unsent=not begun and error.code == 421) from None
        except (SMTPException, OSError) as error:
            raise CarrierError(_lost(error, self._server), unsent=not begun) from None
        return [final if reply.accepted else reply for reply in replies]

    async def _recipient(self, address: str) -> Reply:
        try:
            return await self._command("RCPT TO:", address)
        except SMTPResponseException as error:
            if error.code == 421 or not self.client.is_connected:
                raise
            return reply_of(self._server, error.code, error.message)

    async def _command(self, name: str, address: str, *options: str) -> Reply:
        """A command with an address as it stands, which aiosmtplib would parse and change.

        Raises SMTPResponseException for a refusal.
        """
        words = [f"{name}<{address}>", *options]
        response = await self.client.execute_command(*(word.encode() for word in words))
        if not 200 <= response.code < 300:
            raise SMTPResponseException(response.code, response.message)
        return reply_of(self._server, response.code, response.message)

    async def _data(self, content: bytes) -> Reply:
        """Send the data in pieces, since aiosmtplib does it at once, and others wait meanwhile."""
        told = await self.client.execute_command(b"DATA", timeout=limits.DATA_SECONDS)
        if told.code < 400:
            protocol = self.client.protocol
            if told.code != 354 or protocol is None:
                raise SMTPServerDisconnected("DATA was neither begun nor refused")
            over = asyncio.Event()

            async def answer() -> SMTPResponse:
                try:
                    return await protocol.read_response(limits.DATA_SECONDS)
                finally:
                    over.set()

            told, whole = await asyncio.gather(answer(), _write(protocol, content, over))
            if not whole:
                self.client.close()
                if told.code < 400:
                    raise SMTPServerDisconnected("the mail was taken before it was sent")
        return reply_of(self._server, told.code, told.message)

    def _options(self, sender: str, recipients: Sequence[str], content: bytes) -> list[str]:
        offers, options = self.client.supports_extension, list[str]()
        if offers("size"):
            options.append(f"SIZE={len(content)}")
        if not content.isascii():
            options.append("BODY=8BITMIME")
        if not (
            _header(content).isascii() and sender.isascii() and all(map(str.isascii, recipients))
        ):
            options.append("SMTPUTF8")
        return options


async def _write(protocol: SMTPProtocol, content: bytes, over: asyncio.Event) -> bool:
    """Write the data; whether all: who answers amid it wants no more."""
    with suppress(SMTPServerDisconnected):  # the answer says why
        for piece in whole_lines(content):  # their dots are doubled (RFC 5321, 4.5.2)
            await asyncio.sleep(0)
            if over.is_set():
                return False
            stuffed = piece.replace(b"\r\n.", b"\r\n..")
            protocol.write(b"." + stuffed if stuffed.startswith(b".") else stuffed)
        protocol.write(b".\r\n" if content.endswith(b"\r\n") else b"\r\n.\r\n")
        return True
    return False


def has_long_line(content: bytes) -> bool:
    """Whether a line, with its CR, takes more than 999 bytes; in linear time."""
    start, most = 0, limits.MAX_LINE_BYTES + 2
    while start + most <= len(content):
        end = content.rfind(b"\n", start, start + most)
        if end < 0:
            return True
        start = end + 1
    return False


def whole_lines(content: bytes) -> Iterator[bytes]:
    """The mail in pieces of DATA_PIECE_BYTES at most, cut between lines where that is possible."""
    start = 0
    while start < len(content):
        end = start + limits.DATA_PIECE_BYTES
        if end < len(content):
            end = content.rfind(b"\n", start, end) + 1 or end
        yield content[start:end]
        start = end


async def _unfit_lines(content: bytes) -> Reply | None:
    """Why no server may be sent such lines."""
    for piece in whole_lines(content):
        if not piece.count(b"\r\n") == piece.count(b"\n") == piece.count(b"\r"):
            return Reply(554, "5.6.0", "the mail has line ends other than CRLF (RFC 5321)")
        if has_long_line(piece):
            return Reply(554, "5.6.0", "the mail has a line longer than 998 bytes (RFC 5321)")
        await asyncio.sleep(0)
    return None


def _header(content: bytes) -> bytes:
    end = content.find(b"\r\n\r\n")
    return content if end < 0 else content[:end]


def reply_of(server: str, code: int, text: str) -> Reply:
    """A reply as it is told: one bounded line, with a status (RFC 3463, 3.1) in any case."""
    line = " ".join(text.split())
    found = _STATUS.match(line)
    status = found[1] if found else f"{code // 100}.0.0"
    line = line[found.end() :] if found else line
    shown = "".join(char for char in line if char.isprintable())[: limits.MAX_REPLY_CHARS]
    if not (200 <= code < 300 or 400 <= code < 600):
        code, status = 451, "4.5.0"
    return Reply(code, status, shown, server)


async def open_connection(
    host: str,
    address: str,
    port: int,
    own: str,
    security: Security,
    tls: ssl.SSLContext,
    *,
    implicit: bool = False,
) -> SmtpConnection:
    """Connect, greet as `own`, and begin TLS as `security` asks; `implicit`: before the greeting.

    Raises TlsFailedError, or CarrierError for anything else.
    """
    client = aiosmtplib.SMTP(
        hostname=host,
        local_hostname=own,
        timeout=limits.CONNECT_SECONDS,
        use_tls=False,
        start_tls=False,
        sock=await _connect(address, port, host),
    )
    connection = SmtpConnection(client, host)
    try:
        if implicit:
            await client.connect(use_tls=True, tls_context=tls)
        else:
            await client.connect()
            await client.ehlo()
            await _start_tls(client, host, security, tls)
        connection.tls = client.get_transport_info("ssl_object") is not None
    except TlsFailedError:
        client.close()
        raise
    except SMTPResponseException as error:
        client.close()
        raise CarrierError(reply_of(host, error.code, error.message)) from None
    except (SMTPException, OSError) as error:
        client.close()
        raise CarrierError(_lost(error, host)) from None
    client.timeout = limits.COMMAND_SECONDS
    return connection


async def _connect(address: str, port: int, host: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = socket.socket(family, socket.SOCK_STREAM)
    sock.setblocking(False)
    try:
        async with asyncio.timeout(limits.CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except (OSError, TimeoutError):
        sock.close()
        raise CarrierError(Reply(451, "4.4.1", f"{host} did not answer")) from None
    except BaseException:
        sock.close()
        raise
    return sock


async def _start_tls(
    client: aiosmtplib.SMTP, host: str, security: Security, context: ssl.SSLContext
) -> None:
    if security.level is Level.PLAIN:
        return
    if not client.supports_extension("starttls"):
        if security.required:
            raise TlsFailedError("offers no TLS")
        return
    try:
        await client.starttls(server_hostname=host, tls_context=context)
        tls = client.get_transport_info("ssl_object")
        certificate = tls.getpeercert(binary_form=True) if tls is not None else None
    except (SMTPException, OSError, ValueError):
        raise TlsFailedError("failed to begin TLS, or showed a certificate of another") from None
    if not security.check(certificate or b""):
        raise TlsFailedError("showed a certificate that its domain does not name (DANE)")
    await client.ehlo()


def _lost(error: Exception, host: str) -> Reply:
    if isinstance(error, SMTPTimeoutError):
        return Reply(451, "4.4.1", f"{host} did not answer in time")
    if isinstance(error, SMTPServerDisconnected | OSError):
        return Reply(451, "4.4.2", f"{host} ended the connection")
    return Reply(451, "4.5.0", f"{host} does not speak SMTP")
