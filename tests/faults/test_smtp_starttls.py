"""STARTTLS with the server's own key: it works, and plain text sent ahead of it is dropped."""

import asyncio
import contextlib
import datetime
import smtplib
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from blackthorn.edges import limits
from tests.faults.test_smtp_dialogue import MAIL
from tests.support.smtp_harness import ALICE, Dialogue, run, site


def server_context(folder: Path) -> ssl.SSLContext:
    """A context with a fresh self-signed Ed25519 certificate, as `init` makes it."""
    key = Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme.example")])
    start = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=36_500))
        .sign(key, None)
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        + certificate.public_bytes(Encoding.PEM)
    )
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


def client_context() -> ssl.SSLContext:
    """A client that encrypts and does not ask to whom, as SMTP servers do."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def test_a_mail_over_starttls(tmp_path: Path) -> None:
    def send(port: int) -> None:
        with smtplib.SMTP("127.0.0.1", port, timeout=20) as client:
            client.starttls(context=client_context())
            client.ehlo()
            assert not client.has_extn("starttls") and not client.has_extn("auth")
            for size in (1, 100_000):
                client.sendmail("eve@example.net", [ALICE], MAIL + b"line of text\r\n" * size)

    async def test() -> None:
        async with site(tmp_path, tls=server_context(tmp_path)) as running:
            await asyncio.to_thread(send, running.port)
            small, large = running.opened()
            assert b"with ESMTPS id " in small.trace and large.content.startswith(MAIL)

    run(test)


def test_plain_text_ahead_of_tls_is_dropped(tmp_path: Path) -> None:
    """Fault 22: what comes in one segment with STARTTLS is never run as if it came inside."""

    async def test() -> None:
        async with site(tmp_path, tls=server_context(tmp_path)) as running:
            client = await (await Dialogue.open(running.port)).greet()
            injected = (
                b"EHLO evil\r\nMAIL FROM:<evil@example.net>\r\nRCPT TO:<alice@acme.example>\r\n"
            )
            await client.say(b"STARTTLS\r\n" + injected, "220 ")
            try:
                await asyncio.wait_for(client.writer.start_tls(client_context()), 5)
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
        async with site(tmp_path, tls=server_context(tmp_path)) as running:
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
