"""STARTTLS with the server's own key: it works, and plain text sent ahead of it is dropped."""

import asyncio
import contextlib
import smtplib
import ssl
from pathlib import Path

import pytest

from blackthorn.edges import limits
from tests.faults.test_smtp_dialogue import MAIL
from tests.support.smtp_harness import ALICE, Dialogue, run, site
from tests.support.tls import self_signed, unchecked


def test_a_mail_over_starttls(tmp_path: Path) -> None:
    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.starttls(context=unchecked())
            client.ehlo()
            assert not client.has_extn("starttls") and not client.has_extn("auth")
            for size in (1, 100_000):
                client.sendmail("eve@example.net", [ALICE], MAIL + b"line of text\r\n" * size)

    async def test() -> None:
        async with site(tmp_path, tls=self_signed(tmp_path, "acme.example")[0]) as running:
            await asyncio.to_thread(send, running.port)
            small, large = running.opened()
            assert b"with ESMTPS id " in small.trace and large.content.startswith(MAIL)

    run(test)


def test_plain_text_ahead_of_tls_is_dropped(tmp_path: Path) -> None:
    """Fault 22: what comes in one segment with STARTTLS is never run as if it came inside."""

    async def test() -> None:
        async with site(tmp_path, tls=self_signed(tmp_path, "acme.example")[0]) as running:
            client = await (await Dialogue.open(running.port)).greet()
            injected = (
                b"EHLO evil\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<alice@acme.example>\r\n"
            )
            await client.say(b"STARTTLS\r\n" + injected, "220 ")
            try:
                await asyncio.wait_for(client.writer.start_tls(unchecked()), 5)
            except (OSError, ssl.SSLError, TimeoutError):
                return  # the server took the text for a broken handshake: as good
            await client.say("DATA", "503 ")
            await client.say("EHLO mx.example.net", "250")
            await client.say("DATA", "503 ")
            assert running.stored(ALICE) == []

    run(test)


@pytest.mark.parametrize("said", [b"", b"GET / HTTP/1.1\r\n\r\n" * 10, None])
def test_a_handshake_that_fails_or_never_ends_is_the_peers_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes | None
) -> None:
    monkeypatch.setattr(limits, "HANDSHAKE_SECONDS", 0.3)

    async def test() -> None:
        faults: list[dict[str, object]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, told: faults.append(told))
        async with site(tmp_path, tls=self_signed(tmp_path, "acme.example")[0]) as running:
            client = await (await Dialogue.open(running.port)).greet()
            await client.say("STARTTLS", "220 ")
            if said is None:
                client.writer.transport.abort()
            else:
                client.writer.write(said)
                async with asyncio.timeout(10):
                    with contextlib.suppress(ConnectionError):
                        await client.reader.read()
            await asyncio.sleep(0.2)
            assert running.counters.smtp_connections == 0
            assert running.counters.sockets_of_strangers == 0
            assert running.counters.handshakes_failed == 1
            await client.close()
        assert faults == []

    run(test)
