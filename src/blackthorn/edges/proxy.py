"""The PROXY protocol, versions 1 and 2, from named addresses alone: aiosmtpd parses it.

It is read from the socket before TLS or a protocol begins, and not a byte more. A stranger's PROXY
line is no command of any protocol.
"""

import asyncio
import logging
import socket
from ipaddress import IPv4Address, IPv6Address
from typing import Final

from aiosmtpd.proxy_protocol import V2_CMD, ProxyData, get_proxy

from blackthorn.edges import limits

logging.getLogger("mail.debug").disabled = True  # aiosmtpd logs addresses there

_LINE_BYTES: Final = 107
"""The longest line of version 1, by its specification."""


class ProxyError(Exception):
    """The proxy sent no header, or none that is valid, in time: the connection is closed."""


class _SocketReader:
    """aiosmtpd's reader over a socket."""

    def __init__(self, accepted: socket.socket) -> None:
        self._accepted = accepted
        self._loop = asyncio.get_running_loop()

    async def read(self, num_bytes: int | None = None) -> bytes:
        return await self.readexactly(num_bytes or 0)

    async def readexactly(self, n: int) -> bytes:
        if n > limits.MAX_PROXY_HEADER_BYTES:
            raise ProxyError
        data = b""
        while len(data) < n:
            piece = await self._loop.sock_recv(self._accepted, n - len(data))
            if not piece:
                raise ProxyError
            data += piece
        return data

    async def readuntil(self, until_chars: bytes | None = None) -> bytes:
        ends, data = until_chars or b"\n", b""
        while not data.endswith(ends):
            if len(data) >= _LINE_BYTES:
                raise ProxyError
            data += await self.readexactly(1)
        return data


async def proxied_peer(accepted: socket.socket) -> str | None:
    """The address of the client behind the proxy, None when the proxy speaks for itself.

    Raises ProxyError.
    """
    try:
        async with asyncio.timeout(limits.PROXY_SECONDS):
            found: ProxyData = await get_proxy(_SocketReader(accepted))
    except (TimeoutError, OSError):
        raise ProxyError from None
    if not found.valid:
        raise ProxyError
    if found.command == V2_CMD.LOCAL or not isinstance(found.src_addr, IPv4Address | IPv6Address):
        return None
    return str(found.src_addr)
