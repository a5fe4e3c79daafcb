"""Attacks by SMTP clients."""

import asyncio
import os
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from blackthorn.server.mail.limits import MAILBOX_MIB_PER_HOUR
from tests.support.abuse.links import HOST
from tests.support.abuse.table import SENDER, Scene, abuse

MIB = 1 << 20


class Dialogue:
    """One SMTP connection of an attacker; replies are counted by their code."""

    def __init__(self, scene: Scene, reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        self._scene = scene
        self._reader = reader
        self.writer = writer

    async def reply(self) -> str:
        while True:
            line = await asyncio.wait_for(self._reader.readline(), 20)
            if not line:
                raise ConnectionError
            if line[3:4] != b"-":
                found = re.match(rb"(\d{3})(?: (\d\.\d+\.\d+))?", line)
                assert found, line
                code = found[1].decode() + (" " + found[2].decode() if found[2] else "")
                if code[0] in "45":
                    self._scene.told[code] += 1
                return code

    async def say(self, line: str) -> str:
        self.writer.write(line.encode() + b"\r\n")
        return await self.reply()

    async def begin(self, *recipients: str) -> str:
        """As far as DATA; the reply to it."""
        await self.reply()
        await self.say("EHLO mail.attacker.example")
        await self.say("MAIL FROM:<eve@attacker.example>")
        for each in recipients:
            await self.say(f"RCPT TO:<{each}>")
        return await self.say("DATA")


@asynccontextmanager
async def dialogue(scene: Scene, source: str) -> AsyncIterator[Dialogue]:
    """A connection from this address; the block ends in silence when the server ends it."""
    try:
        reader, writer = await asyncio.open_connection(
            HOST, scene.ports["smtp"], local_addr=(source, 0)
        )
    except OSError:
        scene.told["refused"] += 1
        raise asyncio.CancelledError from None
    try:
        with suppress(OSError, TimeoutError):
            yield Dialogue(scene, reader, writer)
    finally:
        writer.transport.abort()


async def together(*attacks) -> None:  # type: ignore[no-untyped-def]
    await asyncio.gather(*attacks, return_exceptions=True)


BODY = ("x" * 76 + "\r\n").encode()


def text(size: int) -> bytes:
    """A mail's text of about this size."""
    return b"Subject: s\r\n\r\n" + BODY * (size // len(BODY))


@abuse(
    who=SENDER,
    what="50 idle connections from each of 4 addresses",
    bound="sockets of one client; the client with most of them makes room",
)
async def idle_smtp(scene: Scene) -> None:
    async def one(source: str) -> None:
        async with dialogue(scene, source) as smtp:
            await smtp.reply()
            await asyncio.sleep(scene.seconds)

    await together(*(one(source) for source in scene.sources[:4] for _ in range(50)))


@abuse(
    who=SENDER,
    what="three mails of which 21 MiB come fast and the rest a line a second",
    bound="speed over the last 30 s, time of one mail; a new client's mail drops the slowest",
)
async def slow_mails(scene: Scene) -> None:
    async def one(source: str) -> None:
        async with dialogue(scene, source) as smtp:
            await smtp.begin(*(each.address for each in scene.victims[:1]))
            smtp.writer.write(text(21 * MIB))
            await smtp.writer.drain()
            for _ in range(int(scene.seconds)):
                smtp.writer.write(BODY)
                await asyncio.sleep(1)

    await together(*(one(source) for source in scene.sources[:3]))


@abuse(
    who=SENDER,
    what="mails of 25 MiB to three people, one after another on four connections",
    bound="a user's quota of mail, in all and by the hour; size of a mail x recipients",
    disk_mib=3 * MAILBOX_MIB_PER_HOUR,
)
async def large_mails(scene: Scene) -> None:
    people = [each.address for each in scene.victims[:3]]

    async def one(source: str) -> None:
        async with dialogue(scene, source) as smtp:
            if (await smtp.begin(*people)).startswith("354"):
                smtp.writer.write(text(24 * MIB) + b".\r\n")
                await smtp.writer.drain()
                await smtp.reply()

    await together(*(one(source) for source in scene.sources[:4]))


@abuse(
    who=SENDER,
    what="small mails to one person as fast as they are taken, on eight connections",
    bound="a user's quota of mail, in all and by the hour",
)
async def many_mails(scene: Scene) -> None:

    async def one(source: str) -> None:
        async with dialogue(scene, source) as smtp:
            await smtp.reply()
            await smtp.say("EHLO mail.attacker.example")
            while scene.lasts():
                await smtp.say("MAIL FROM:<eve@attacker.example>")
                await smtp.say(f"RCPT TO:<{scene.victims[0].address}>")
                if (await smtp.say("DATA")).startswith("354"):
                    smtp.writer.write(text(500) + b".\r\n")
                    await smtp.reply()

    await together(*(one(source) for source in scene.sources))


@abuse(
    who=SENDER,
    what="asks for thousands of addresses by RCPT, to learn who exists",
    bound="wrong recipients of one connection and of one client",
    told=("550 5.1.1", "421 4.7.0"),
)
async def probe_recipients(scene: Scene) -> None:

    async def one(source: str) -> None:
        while scene.lasts():
            async with dialogue(scene, source) as smtp:
                await smtp.reply()
                await smtp.say("EHLO mail.attacker.example")
                await smtp.say("MAIL FROM:<eve@attacker.example>")
                while scene.lasts():
                    await smtp.say(f"RCPT TO:<u{os.urandom(4).hex()}@acme.example>")

    await together(*(one(source) for source in scene.sources))


@abuse(
    who=SENDER,
    what="commands of 100 kB, and lines without an end",
    bound="length of a command's line",
    told=("421 4.7.0", "500"),
)
async def long_commands(scene: Scene) -> None:

    async def one(source: str) -> None:
        while scene.lasts():
            async with dialogue(scene, source) as smtp:
                await smtp.reply()
                while scene.lasts():
                    smtp.writer.write(b"EHLO " + b"x" * 100_000 + b"\r\n")
                    await smtp.writer.drain()
                    await smtp.reply()

    await together(*(one(source) for source in scene.sources))


@abuse(
    who=SENDER,
    what="RSET, NOOP and VRFY in one stream without end",
    bound="commands of one connection without a mail",
    told=("421 4.7.0",),
)
async def idle_commands(scene: Scene) -> None:

    async def one(source: str) -> None:
        while scene.lasts():
            async with dialogue(scene, source) as smtp:
                await smtp.reply()
                await smtp.say("EHLO mail.attacker.example")
                while scene.lasts():
                    for word in ("RSET", "NOOP", "VRFY x"):
                        await smtp.say(word)

    await together(*(one(source) for source in scene.sources))
