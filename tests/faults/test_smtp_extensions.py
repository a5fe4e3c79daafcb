"""SMTP's extensions on real sockets: BDAT, TLS from the beginning, the PROXY protocol, ids."""

import asyncio
import re
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path

import pytest

from blackthorn.edges import limits as edges_limits
from blackthorn.edges.smtp import limits
from blackthorn.edges.smtp.inbound import InboundPolicy
from blackthorn.edges.smtp.server import serve_smtp
from tests.support.smtp_harness import ALICE, Dialogue, Site, run, site
from tests.support.tls import self_signed, unchecked

MAIL = b"From: eve@example.net\r\nSubject: s\r\n\r\n.one dot\r\n..two\r\nend\r\n"


def serving(folder: Path, test: Callable[[Site, Dialogue], Awaitable[None]]) -> None:
    async def body() -> None:
        async with site(folder) as running:
            client = await (await Dialogue.open(running.port)).greet()
            await test(running, client)

    run(body)


async def begin(client: Dialogue) -> None:
    await client.say("MAIL FROM:<eve@example.net>", "250 ")
    await client.say(f"RCPT TO:<{ALICE}>", "250 ")


def test_a_mail_comes_in_chunks_and_its_dots_stay(tmp_path: Path) -> None:
    async def test(running: Site, client: Dialogue) -> None:
        await begin(client)
        await client.say(b"BDAT 20\r\n" + MAIL[:20], "250 2.0.0 20")
        await client.say("DATA", "503 ")
        await client.say(f"BDAT {len(MAIL) - 20} LAST\r\n".encode() + MAIL[20:], "250 2.0.0 ")
        await begin(client)
        await client.say(f"BDAT {len(MAIL)}\r\n".encode() + MAIL, "250 ")
        await client.say("BDAT 0 LAST", "250 2.0.0 accepted")
        assert [each.content for each in running.opened()] == [MAIL] * 2
        assert not running.smtp.memory.total

    serving(tmp_path, test)


def test_chunks_that_are_not_taken_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(running: Site, client: Dialogue) -> None:
        await client.say(b"BDAT 6\r\nRSET\r\n", "503 5.5.1 no recipient")
        await client.say("RSET", "250 ")
        await begin(client)
        await client.say(b"BDAT 5\r\nFrom:", "250 ")
        await client.say("RSET", "250 ")
        assert not running.smtp.memory.total
        await begin(client)
        for _ in range(2):
            await client.say(b"BDAT 1\r\n.", "250 ")
        await client.say(b"BDAT 1\r\n.", "554 5.5.0 ")
        await client.say(b"BDAT 1 LAST\r\n.", "554 5.5.0 ")
        await begin(client)
        await client.say(b"BDAT 7 LAST\r\nA: b\rc\n", "550 5.6.11 ")
        await begin(client)
        client.writer.write(b"BDAT 500\r\nFrom: half of a mail")
        await client.writer.drain()
        client.writer.close()
        await asyncio.sleep(0.2)
        assert not running.smtp.memory.total and not running.stored()
        client = await (await Dialogue.open(running.port)).greet()
        await begin(client)
        await client.say("BDAT 1x", "501 5.5.4 ")
        await client.closed()

    monkeypatch.setattr(limits, "MAX_SMTP_CHUNKS", 2)
    serving(tmp_path, test)


def test_notifications_are_neither_offered_nor_taken(tmp_path: Path) -> None:
    """They would not be sent (RFC 3461)."""

    async def test(running: Site, client: Dialogue) -> None:
        assert "DSN" not in await client.say("EHLO mx.example.net", "250-")
        await client.say("MAIL FROM:<eve@example.net> RET=HDRS ENVID=a", "555 ")
        await client.say("MAIL FROM:<eve@example.net>", "250 ")
        await client.say(f"RCPT TO:<{ALICE}> NOTIFY=SUCCESS", "555 ")

    serving(tmp_path, test)


def test_each_mail_has_an_id(tmp_path: Path) -> None:
    async def test(running: Site, client: Dialogue) -> None:
        replies = [await client.transaction(MAIL, "250 2.0.0 ") for _ in range(2)]
        ids = [re.findall(r"as ([0-9a-f]{16})$", reply)[0] for reply in replies]
        assert len(set(ids)) == 2
        for mail, number in zip(running.opened(), ids, strict=True):
            assert f" id {number};".encode() in mail.trace

    serving(tmp_path, test)


def test_tls_may_come_first_and_is_not_offered_again(tmp_path: Path) -> None:
    async def test() -> None:
        async with site(tmp_path) as running:
            context, _ = self_signed(tmp_path, "acme.example")
            policy = InboundPolicy(running.gateway, running.traces)
            server = serve_smtp(policy, "127.0.0.1", 0, context, implicit=True)
            trusting = unchecked()
            client = Dialogue(
                *await asyncio.open_connection("127.0.0.1", server.port, ssl=trusting)
            )
            await client.expect("220 ")
            offers = await client.say("EHLO mx.example.net", "250-")
            assert "STARTTLS" not in offers and "AUTH" not in offers
            await client.transaction(MAIL, "250 2.0.0 ")
            assert b"ESMTPS" in running.opened()[0].trace
            await client.close()
            await server.close(0.1)

    run(test)


def test_a_proxy_by_ipv6_is_known(tmp_path: Path) -> None:
    async def test() -> None:
        async with site(tmp_path) as running:
            policy = InboundPolicy(running.gateway, running.traces)
            server = serve_smtp(policy, "::1", 0, proxies=frozenset({"::1"}))
            client = await Dialogue.open(server.port, "::1")
            client.writer.write(b"PROXY TCP4 192.0.2.9 192.0.2.1 1000 25\r\n")
            await client.greet()
            await client.transaction(MAIL, "250 ")
            assert b"([192.0.2.9])" in running.opened()[0].trace
            await client.close()
            await server.close(0.1)

    run(test)


V2 = b"\r\n\r\n\0\r\nQUIT\n"
ADDRESSES = struct.pack("!H", 12) + bytes([192, 0, 2, 9, 192, 0, 2, 1, 3, 4, 0, 25])


@pytest.mark.parametrize(
    ("header", "peer"),
    [
        (b"PROXY TCP4 192.0.2.9 192.0.2.1 1000 25\r\n", "192.0.2.9"),
        (b"PROXY TCP6 2001:db8::9 2001:db8::1 1000 25\r\n", "2001:db8::9"),
        (b"PROXY UNKNOWN\r\n", "127.0.0.1"),
        (V2 + b"\x21\x11" + ADDRESSES, "192.0.2.9"),
        (V2 + b"\x20\x11" + ADDRESSES, "127.0.0.1"),
        (V2 + b"\x21\x10" + ADDRESSES, "127.0.0.1"),
        (b"EHLO nobody\r\n", ""),
        (b"PROXY TCP4 " + b"9" * 200 + b"\r\n", ""),
        (V2 + b"\x21\x11" + struct.pack("!H", 60_000), ""),
        (b"", ""),
    ],
    ids=[
        "v1",
        "v1-6",
        "unknown",
        "v2",
        "local",
        "unspecified",
        "none",
        "long",
        "long-v2",
        "silent",
    ],
)
def test_a_named_proxy_says_who_the_client_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, header: bytes, peer: str
) -> None:
    async def test() -> None:
        async with site(tmp_path) as running:
            proxies = frozenset({"127.0.0.1"})
            policy = InboundPolicy(running.gateway, running.traces)
            server = serve_smtp(policy, "127.0.0.1", 0, proxies=proxies)
            client = await Dialogue.open(server.port)
            client.writer.write(header)
            if not peer:
                with suppress(ConnectionResetError):
                    await client.closed()
            else:
                await client.greet()
                await client.transaction(MAIL, "250 ")
                assert f"([{peer}])".encode() in running.opened()[0].trace
            stranger = await Dialogue.open(running.port)
            stranger.writer.write(header)
            await stranger.expect("220 ")
            await server.close(0.1)

    monkeypatch.setattr(edges_limits, "PROXY_SECONDS", 0.3)
    run(test)
