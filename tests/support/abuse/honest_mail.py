"""One honest mail from outside, over SMTP."""

import asyncio

SECONDS = 15.0
SOURCE = "127.0.1.1"
MAIL = b"From: ann@example.net\r\nSubject: hello\r\n\r\n" + b"sixteen letters\r\n" * 100


async def deliver(port: int, address: str) -> None:
    """Send it. Raises OSError if it was not taken, TimeoutError."""
    async with asyncio.timeout(SECONDS):
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=(SOURCE, 0))
        try:
            await _expect(reader, b"220")
            for line, code in (
                (b"EHLO mx.example.net", b"250"),
                (b"MAIL FROM:<ann@example.net>", b"250"),
                (b"RCPT TO:<" + address.encode() + b">", b"250"),
                (b"DATA", b"354"),
                (MAIL + b".", b"250"),
            ):
                writer.write(line + b"\r\n")
                await _expect(reader, code)
        finally:
            writer.transport.abort()


async def _expect(reader: asyncio.StreamReader, code: bytes) -> None:
    line = await reader.readline()
    while line[3:4] == b"-":
        line = await reader.readline()
    if not line.startswith(code):
        raise ConnectionError(line.decode(errors="replace"))
