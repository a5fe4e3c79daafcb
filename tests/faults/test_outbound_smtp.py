"""The carrier over real sockets: which server, which TLS, which reply; DNS and HTTPS are tables."""

import asyncio
import hashlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any
from unittest import mock

import httpx
import pytest
from aiosmtpd.smtp import SMTP, Envelope, Session
from hypothesis import given
from hypothesis import strategies as st

from blackthorn.crypto import tls_keys
from blackthorn.edges.outbound import limits
from blackthorn.edges.outbound.carrier import Smarthost, SmtpCarrier
from blackthorn.edges.outbound.connection import has_long_line, whole_lines
from blackthorn.edges.outbound.security import Level, Security, TlsContexts
from blackthorn.edges.outbound.sts import StsPolicies
from blackthorn.ports.dns import A, Mx, ResolverFailedError, Tlsa, Txt
from blackthorn.ports.outbound.carrier import CarrierError, Reply
from blackthorn.ports.outbound.policies import KeepPolicy
from blackthorn.server.counters import Counters
from blackthorn.simulation.stepped import SteppedReader
from tests.support.fake_dns import FakeResolver
from tests.support.memory_store.engine import MemoryEngine
from tests.support.smtp_harness import SystemClock, run
from tests.support.tls import self_signed

MAIL = b"From: alice@acme.example\r\n\r\n.dots\r\n..and more\r\n"
LOOPBACK = A(IPv4Address("127.0.0.1"))


class Sink:
    """Takes mail; `answers` are replies to RCPT by address."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, list[str], bytes, bool]] = []
        self.answers: dict[str, str] = {}
        self.data = "250 2.0.0 taken"
        self.hellos: list[str] = []

    async def handle_EHLO(
        self, server: SMTP, session: Session, envelope: Envelope, host: str, offers: list[str]
    ) -> list[str]:
        session.host_name = host
        self.hellos.append(host)
        return offers

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        answer = self.answers.get(address, "250 2.1.5 ok")
        if answer.startswith("250"):
            envelope.rcpt_tos.append(address)
        return answer

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        assert isinstance(envelope.content, bytes) and envelope.mail_from is not None
        tls = session.ssl is not None
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, envelope.content, tls))
        return self.data


@dataclass
class World:
    sink: Sink
    dns: FakeResolver
    carrier: SmtpCarrier
    certificate: bytes
    policy: str = ""

    @property
    def counters(self) -> Counters:
        return self.carrier.counters

    async def send(self, *recipients: str, content: bytes = MAIL) -> list[Reply]:
        connection = await self.carrier.connect("far.example")
        try:
            return await connection.send("alice@acme.example", recipients, content)
        finally:
            await connection.close()

    async def refused(self) -> Reply:
        with pytest.raises(CarrierError) as caught:
            await self.send("eve@far.example")
        return caught.value.reply


class Writer:
    """Keeps nothing: policies are then fetched again."""

    def submit(self, command: KeepPolicy, done: Callable[[None], None]) -> None:
        done(None)


class Reader(SteppedReader):
    def ask(self, query: Any, done: Any) -> None:
        done(None)


@asynccontextmanager
async def world(folder: Path, *, tls: bool = True, **options: Any) -> AsyncIterator[World]:
    context, der = self_signed(folder, "mx.far.example")
    sink = Sink()

    def connection() -> SMTP:
        loop = asyncio.get_running_loop()
        context_of = context if tls else None
        return SMTP(sink, tls_context=context_of, loop=loop, hostname="mx.far.example", **options)

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    dns = FakeResolver()
    dns.add("far.example", Mx(10, "mx.far.example"))
    dns.add("mx.far.example", LOOPBACK)

    def web(request: httpx.Request) -> httpx.Response:
        assert str(request.url) == "https://mta-sts.far.example/.well-known/mta-sts.txt"
        return httpx.Response(200, text=made.policy)

    client = httpx.AsyncClient(transport=httpx.MockTransport(web))
    policies = StsPolicies(
        resolver=dns,
        writer=Writer(),  # type: ignore[arg-type]
        reader=Reader(MemoryEngine()),
        clock=SystemClock(),
        client=client,
    )
    carrier = SmtpCarrier(
        resolver=dns, policies=policies, counters=Counters(), own="mail.acme.example", port=port
    )
    made = World(sink, dns, carrier, der)
    try:
        yield made
    finally:
        server.close()
        await client.aclose()


def scene(folder: Path, test: Callable[[World], Awaitable[None]], **options: Any) -> None:
    async def play() -> None:
        async with world(folder, **options) as made:
            await test(made)

    run(play)


def test_a_mail_arrives_as_it_was_over_tls(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        at.sink.answers["dan@far.example"] = "550 5.1.1 no\x07 such user"
        eve, dan = await at.send("eve@far.example", "dan@far.example")
        assert eve == Reply(250, "2.0.0", "taken", "mx.far.example")
        assert dan == Reply(550, "5.1.1", "no such user", "mx.far.example")
        assert at.sink.mails == [("alice@acme.example", ["eve@far.example"], MAIL, True)]
        assert at.sink.hellos == ["mail.acme.example"] * 2  # once more after STARTTLS
        assert at.counters.outbound_tls_unverified == 1

    scene(tmp_path, test)


def test_without_tls_mail_goes_in_the_clear_unless_a_policy_forbids_it(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        (reply,) = await at.send("eve@far.example")
        assert reply.accepted and at.counters.outbound_plain == 1
        at.dns.authenticated = True
        name = f"_{at.carrier.port}._tcp.mx.far.example"
        at.dns.zone[name, Tlsa] = (Tlsa(3, 1, 1, bytes(32)),)
        assert (await at.refused()).status == "4.7.5"
        assert len(at.sink.mails) == 1 and at.counters.outbound_tls_failed == 1

    scene(tmp_path, test, tls=False)


def test_dane_takes_the_named_certificate_only(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        at.dns.authenticated = True
        name = (f"_{at.carrier.port}._tcp.mx.far.example", Tlsa)
        info = tls_keys.peer_public_key(at.certificate)
        good = (
            Tlsa(3, 0, 0, at.certificate),
            Tlsa(3, 0, 2, hashlib.sha512(at.certificate).digest()),
            Tlsa(3, 1, 1, hashlib.sha256(info).digest()),
        )
        for record in good:
            at.dns.zone[name] = (Tlsa(3, 1, 1, bytes(32)), record)
            assert (await at.send("eve@far.example"))[0].accepted
        assert at.counters.outbound_tls_verified == 3
        at.dns.zone[name] = (Tlsa(3, 1, 1, bytes(32)),)
        assert (await at.refused()).status == "4.7.5"
        at.dns.zone[name] = (Tlsa(2, 1, 1, bytes(32)),)  # of an authority: TLS, unverified
        assert (await at.send("eve@far.example"))[0].accepted
        at.dns.zone[name] = ResolverFailedError("SERVFAIL")
        assert (await at.refused()).status == "4.4.3"
        at.dns.authenticated = False  # what no resolver has checked asks for nothing
        assert (await at.send("eve@far.example"))[0].accepted

    scene(tmp_path, test)


def test_an_enforced_policy_wants_a_certificate_of_an_authority(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        at.dns.zone["_mta-sts.far.example", Txt] = (Txt(b"v=STSv1; id=20261130;"),)
        at.policy = "version: STSv1\nmode: enforce\nmx: *.far.example\nmax_age: 86400\n"
        assert "certificate" in (await at.refused()).text
        at.carrier.policies._known.clear()
        at.policy = at.policy.replace("*.far.example", "mx.other.example")
        assert "policy" in (await at.refused()).text
        assert at.sink.mails == []
        at.carrier.policies._known.clear()
        at.policy = at.policy.replace("enforce", "testing")
        assert (await at.send("eve@far.example"))[0].accepted

    scene(tmp_path, test)


@pytest.mark.parametrize(
    ("records", "status"),
    [
        ({("far.example", Mx): (Mx(0, ""),)}, "5.1.10"),
        ({}, "5.1.2"),
        ({("far.example", Txt): ()}, "5.1.2"),
        ({("far.example", Mx): ResolverFailedError("SERVFAIL")}, "4.4.3"),
        ({("far.example", Mx): (Mx(10, "mail.acme.example"), Mx(20, "mx.far.example"))}, "5.4.6"),
        ({("far.example", Mx): (Mx(10, "mx.far.example"),)}, "4.4.4"),
        ({("far.example", Mx): (Mx(10, "m"),), ("m", A): ResolverFailedError("SERVFAIL")}, "4.4.3"),
    ],
)
def test_domains_that_take_no_mail(
    tmp_path: Path, records: dict[tuple[str, type], Any], status: str
) -> None:
    async def test(at: World) -> None:
        at.dns.zone = records
        assert (await at.refused()).status == status

    scene(tmp_path, test)


def test_the_next_server_is_tried_and_the_domain_itself_without_mx(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        servers = (Mx(20, "mx.far.example"), Mx(10, "dead.far.example"))
        at.dns.zone["far.example", Mx] = servers
        at.dns.zone["dead.far.example", A] = (A(IPv4Address("127.0.0.9")),)
        assert (await at.send("eve@far.example"))[0].accepted
        at.dns.zone = {("far.example", A): (LOOPBACK,)}
        assert (await at.send("eve@far.example"))[0].server == "far.example"

    scene(tmp_path, test)


@pytest.mark.parametrize("by_smarthost", [False, True])
@pytest.mark.parametrize(
    ("servers", "code"),
    [
        ((("refusing",),), 554),
        ((("refusing",), ("refusing",)), 554),
        ((("dead",), ("refusing",)), 451),
        ((("refusing",), ("dead",)), 451),
        ((("dead", "refusing"),), 451),
        ((("refusing", "dead"),), 451),
    ],
)
def test_a_refusal_is_final_only_if_no_server_may_yet_take_the_mail(
    tmp_path: Path, servers: tuple[tuple[str, ...], ...], code: int, by_smarthost: bool
) -> None:
    """`servers`: what stands behind the addresses of each; a smarthost has them all."""

    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"554 5.3.2 no mail here\r\n")
        writer.close()

    async def test(at: World) -> None:
        refusing = await asyncio.start_server(refuse, "127.0.0.1", 0)
        at.carrier.port = refusing.sockets[0].getsockname()[1]
        addresses = {"refusing": LOOPBACK, "dead": A(IPv4Address("127.0.0.9"))}
        records = [[addresses[each] for each in behind] for behind in servers]
        at.dns.zone["far.example", Mx] = [Mx(n, f"mx{n}") for n in range(len(records))]
        for number, found in enumerate(records):
            at.dns.zone[f"mx{number}", A] = found
        at.dns.zone["smart.example", A] = [each for found in records for each in found]
        if by_smarthost:
            at.carrier.smarthost = Smarthost("smart.example", at.carrier.port)
        assert (await at.refused()).code == code
        refusing.close()

    scene(tmp_path, test)


def test_what_a_server_cannot_take_is_not_sent_to_it(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        cases = (
            ("5.6.7", "é@far.example", MAIL),
            ("5.6.0", "eve@far.example", MAIL + b"x" * 999 + b"\r\n"),
            ("5.6.0", "eve@far.example", MAIL + b"x\n.\n"),
            ("5.3.4", "eve@far.example", MAIL + b"x\r\n" * 700),
        )
        for status, address, content in cases:
            (reply,) = await at.send(address, content=content)
            assert (reply.status, reply.final) == (status, True)
        (reply,) = await at.send("eve@far.example", content=MAIL + b"x" * 998 + b"\r\n")
        assert reply.accepted and len(at.sink.mails) == 1

    scene(tmp_path, test, data_size_limit=2_000)


def test_a_large_mail_arrives_as_it_was(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        lines = [b"." * (number % 4) + b"x" * (number % 900) for number in range(3_000)]
        content = b".dot: first\r\n\r\n" + b"\r\n".join(lines)
        (reply,) = await at.send("eve@far.example", content=content)
        assert reply.accepted and at.sink.mails[0][2] == content + b"\r\n"
        assert len([*whole_lines(content)]) > 3

    scene(tmp_path, test)


@given(st.lists(st.sampled_from([b"a", b"\r\n", b"."])).map(b"".join), st.integers(1, 5))
def test_pieces_of_a_mail_are_whole_lines_where_that_is_possible(content: bytes, most: int) -> None:
    with mock.patch.object(limits, "DATA_PIECE_BYTES", most):
        pieces = [*whole_lines(content)]
    assert b"".join(pieces) == content and all(0 < len(piece) <= most for piece in pieces)
    for piece in pieces[:-1]:
        assert piece.endswith(b"\n") or (b"\n" not in piece and len(piece) == most)


REPLIES = {
    "EHLO": b"250-hi\r\n250 8BITMIME",
    "MAIL": b"250 ok",
    "RCPT": b"250 ok",
    "DATA": b"354 go",
    ".": b"250 ok",
}


@pytest.mark.parametrize(
    ("command", "reply", "unsent"),
    [
        ("", b"", True),  # ends after the first mail, as servers do with who is idle
        ("MAIL", b"421 4.4.2 idle for too long", True),
        ("MAIL", b"451 4.7.1 greylisted", False),
        ("MAIL", b"", True),
        ("RCPT", b"", False),
        ("DATA", b"", False),
        ("DATA", b"250 what", False),
        (".", b"", False),
    ],
)
def test_whether_a_mail_had_begun_is_known(
    tmp_path: Path, command: str, reply: bytes, unsent: bool
) -> None:
    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        while line := (await reader.readline()).decode():
            word = line[:4].strip()
            if word not in REPLIES:
                continue
            said = reply if word == command else REPLIES[word]
            if not said:
                break
            writer.write(said + b"\r\n")
            if word == "." and not command:
                break
        writer.close()

    async def play() -> None:
        async with world(tmp_path) as at:
            server = await asyncio.start_server(talk, "127.0.0.1", 0)
            at.carrier.port = server.sockets[0].getsockname()[1]
            connection = await at.carrier.connect("far.example")
            content = "From: a\r\n\r\né\r\n".encode()  # what a lost server offered is forgotten
            mail = "alice@acme.example", ["eve@far.example"], content
            if not command:
                assert (await connection.send(*mail))[0].accepted
                async with asyncio.timeout(10):
                    while connection.client.transport is not None:  # noqa: ASYNC110
                        await asyncio.sleep(0)
            with pytest.raises(CarrierError) as caught:
                await connection.send(*mail)
            assert caught.value.unsent is unsent and not caught.value.reply.final
            await connection.close()
            server.close()

    run(play)


@pytest.mark.parametrize(("said", "final"), [(b"554 5.7.1 no", True), (b"250 what", False)])
def test_a_reply_amid_the_data_counts_if_it_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: bytes, final: bool
) -> None:
    monkeypatch.setattr(limits, "DATA_PIECE_BYTES", 1_000)
    monkeypatch.setattr(limits, "DATA_SECONDS", 2)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 hi\r\n")
        while (line := (await reader.readline()).decode()) != "x\r\n":
            writer.write(REPLIES[line[:4].strip()] + b"\r\n")
        writer.write(said + b"\r\n")
        while await reader.read(100_000):  # it says no more, and waits for the client to go
            pass
        writer.close()

    async def play() -> None:
        async with world(tmp_path) as at:
            server = await asyncio.start_server(talk, "127.0.0.1", 0)
            at.carrier.port = server.sockets[0].getsockname()[1]
            try:
                (reply,) = await at.send("eve@far.example", content=b"x\r\n" * 200_000)
            except CarrierError as error:
                reply = error.reply
            assert not reply.accepted and reply.final is final
            server.close()

    run(play)


@given(st.lists(st.integers(0, 1_100), max_size=5), st.booleans())
def test_long_lines_are_found(lengths: list[int], ended: bool) -> None:
    content = b"\n".join(b"x" * length for length in lengths) + b"\n" * ended
    assert has_long_line(content) == any(length >= 1_000 for length in lengths)


def test_the_machines_authorities_are_read_once_in_an_hour() -> None:
    seconds = 0.0
    contexts = TlsContexts(lambda: seconds)
    first = contexts.get(Security(Level.VERIFIED))
    assert first.verify_mode is ssl.CERT_REQUIRED and first.check_hostname
    assert contexts.get(Security(Level.VERIFIED)) is first
    seconds = limits.AUTHORITIES_SECONDS
    assert contexts.get(Security(Level.VERIFIED)) is not first
    assert contexts.get(Security(Level.DANE)).verify_mode is ssl.CERT_NONE


def test_smtputf8_and_8bit_are_declared_where_they_are_offered(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        content = "Subject: é\r\n\r\né\r\n".encode()
        (reply,) = await at.send("é@far.example", content=content)
        assert reply.accepted and at.sink.mails[0][1:3] == (["é@far.example"], content)

    scene(tmp_path, test, enable_SMTPUTF8=True)


def test_many_recipients_take_several_transactions(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        addresses = [f"eve{n}@far.example" for n in range(150)]
        replies = await at.send(*addresses)
        assert len(replies) == 150 and [len(mail[1]) for mail in at.sink.mails] == [100, 50]

    scene(tmp_path, test)


def test_odd_local_parts_arrive_unchanged(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        address = '"a b"@far.example'
        assert (await at.send(address))[0].accepted

    scene(tmp_path, test)


def test_a_smarthost_takes_all_mail(tmp_path: Path) -> None:
    async def test(at: World) -> None:
        at.dns.zone = {}
        at.carrier.smarthost = Smarthost("127.0.0.1", at.carrier.port)
        assert (await at.send("eve@far.example"))[0].accepted
        from blackthorn.crypto.secret import Secret

        at.carrier.smarthost = Smarthost("127.0.0.1", at.carrier.port, "us", Secret(b"secret"))
        assert (await at.refused()).status == "4.7.5"  # no authority knows its certificate

    scene(tmp_path, test)


def test_a_server_that_says_nonsense_is_a_temporary_failure(tmp_path: Path) -> None:
    async def play() -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(b"x" * 100_000 + b"\r\n")
            writer.close()

        async with world(tmp_path) as at:
            server = await asyncio.start_server(talk, "127.0.0.1", 0)
            at.carrier.port = server.sockets[0].getsockname()[1]
            reply = await at.refused()
            assert not reply.final and len(reply.text) <= 500
            server.close()

    run(play)
