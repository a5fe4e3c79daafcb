"""Submission by mail programs over real sockets and TLS: login, sealed mail, and unsealed."""

import asyncio
import base64
import secrets
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from blackthorn.crypto.passwords import app as app_passwords
from blackthorn.edges.gate import Gate
from blackthorn.edges.smtp.clear import ClearMail
from blackthorn.edges.smtp.server import serve_smtp
from blackthorn.edges.smtp.submission import SubmissionPolicy
from blackthorn.errors import DiskError
from blackthorn.ids import Address
from blackthorn.ports.inbound.aliases import AddAlias, AliasKind
from blackthorn.ports.waiting import outcome
from blackthorn.programs.server.outbound import submitting
from blackthorn.programs.server.outbound.submitting import ClearNotices
from blackthorn.server.outbound.passwords import AppPasswords
from blackthorn.storage.sqlite.engine import host_store
from tests.support.outbound_world import LATER, NEVER, FakeCarrier, World, sealed, world
from tests.support.smtp_harness import ALICE, BOB, Dialogue, run
from tests.support.tls import self_signed

PLAIN_MAIL = (
    b"From: alice@acme.example\r\nBcc: x@y.example\r\nSubject: hi\r\n\r\nAttack at dawn.\r\n"
)


def contexts(folder: Path) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server, _ = self_signed(folder, "localhost")
    client = ssl.create_default_context(cafile=str(folder / "crt"))
    return server, client


class Program:
    """A mail program: says a line, returns the reply."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.dialogue = Dialogue(reader, writer)

    async def say(self, line: str | bytes) -> str:
        data = line if isinstance(line, bytes) else line.encode()
        self.dialogue.writer.write(data + b"\r\n")
        return await self.dialogue.reply()

    async def log_in(self, password: str, name: str = ALICE) -> str:
        await self.say("EHLO me")
        token = base64.b64encode(f"\0{name}\0{password}".encode()).decode()
        return await self.say(f"AUTH PLAIN {token}")

    async def send(self, content: bytes, *recipients: str, sender: str = ALICE) -> list[str]:
        """The replies to MAIL, each RCPT, and the data if any recipient was taken."""
        replies = [await self.say(f"MAIL FROM:<{sender}>")]
        replies += [await self.say(f"RCPT TO:<{to}>") for to in recipients]
        if any(reply.startswith("250") for reply in replies[1:]):
            assert (await self.say("DATA")).startswith("354")
            replies.append(await self.say(content.replace(b"\r\n.", b"\r\n..") + b"."))
        else:
            await self.say("RSET")
        return replies


class Scene:
    def __init__(self, at: World, carrier: FakeCarrier, passwords: AppPasswords) -> None:
        self.at, self.carrier, self.passwords = at, carrier, passwords
        self.password = ""

    async def program(self, *, implicit: bool = True) -> Program:
        port = self.secured if implicit else self.plain
        reader, writer = await asyncio.open_connection(
            "127.0.0.1",
            port,
            ssl=self.client if implicit else None,
            server_hostname="localhost" if implicit else None,
        )
        made = Program(reader, writer)
        assert (await made.dialogue.reply()).startswith("220")
        return made

    async def ready(self) -> Program:
        program = await self.program()
        assert (await program.log_in(self.password)).startswith("235")
        return program


@asynccontextmanager
async def scenery(folder: Path, *, clear: bool = True) -> AsyncIterator[Scene]:
    carrier = FakeCarrier()
    server, client = contexts(folder)
    async with world(folder, carrier) as at:
        passwords = AppPasswords(
            writer=at.site.writer,
            reader=at.site.reader,
            clock=at.clock,
            enterprise=at.site.enterprise,  # type: ignore[arg-type]
        )
        warn = ClearNotices(at.site.gateway, at.clock).warn

        async def sign(content: bytes) -> bytes:
            return content

        passing = ClearMail(carrier, sign, at.submissions, at.site.counters, warn)
        policy = SubmissionPolicy(
            "mail.acme.example",
            at.site.counters,
            at.submissions,
            passwords,
            passing if clear else None,
            at.clock,
        )
        gate = Gate(at.site.counters)
        plain = serve_smtp(policy, "127.0.0.1", 0, server, gate)
        secured = serve_smtp(policy, "127.0.0.1", 0, server, gate, plain.memory, implicit=True)
        made = Scene(at, carrier, passwords)
        made.plain, made.secured, made.client = plain.port, secured.port, client
        word = app_passwords.make_password(secrets.token_bytes).expose()
        salt = secrets.token_bytes(16)
        user = at.site.enterprise.users[ALICE]
        keep = (user, "mutt", salt, app_passwords.verifier(word, salt))
        await outcome(lambda done: passwords.keep(*keep, done))
        made.password = word.decode()
        try:
            yield made
        finally:
            await plain.close(0.1)
            await secured.close(0.1)


def scene(folder: Path, test: Callable[[Scene], Awaitable[None]], **options: Any) -> None:
    async def play() -> None:
        async with scenery(folder, **options) as made:
            await test(made)

    run(play)


def test_sealed_mail_is_queued_for_all_domains(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        program = await on.ready()
        content = sealed(on.at.site)
        replies = await program.send(content, "eve@far.example", BOB, "dan@other.example")
        assert replies[-1].startswith("250 2.0.0 queued as ")
        await on.at.empty()
        assert sorted(on.carrier.addresses) == ["dan@other.example", "eve@far.example"]
        (stored,) = on.at.site.stored(BOB)
        assert stored.endswith(content) and on.carrier.taken[0][1] == content

    scene(tmp_path, test)


def test_login_is_over_tls_and_by_a_valid_password_only(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        bare = await on.program(implicit=False)
        assert "AUTH" not in await bare.say("EHLO me") and "STARTTLS" in await bare.say("EHLO me")
        assert (await bare.log_in(on.password)).startswith("538 5.7.11")
        assert (await bare.say(f"MAIL FROM:<{ALICE}>")).startswith("530 5.7.0")
        program = await on.program()
        assert "AUTH PLAIN LOGIN" in await program.say("EHLO me")
        for password, name in (("wrong", ALICE), (on.password, BOB), (on.password, "x@y.example")):
            assert (await program.log_in(password, name)).startswith("535 5.7.8")
        for argument in ("PLAIN ====", "PLAIN AGE=", "CRAM-MD5", ""):
            assert (await program.say(f"AUTH {argument}"))[0] == "5"
        assert (await program.log_in(on.password.replace("-", "").upper())).startswith("235")
        assert (await program.log_in(on.password)).startswith("503")
        assert on.at.site.counters.logins_refused == 3

    scene(tmp_path, test)


def test_login_by_the_two_questions_of_auth_login(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        program = await on.program()
        await program.say("EHLO me")
        assert (await program.say("AUTH LOGIN")).startswith("334")
        assert (await program.say(base64.b64encode(ALICE.encode()))).startswith("334")
        assert (await program.say(base64.b64encode(on.password.encode()))).startswith("235")
        again = await on.program()
        await again.say("EHLO me")
        await again.say("AUTH PLAIN")
        assert (await again.say("*")).startswith("501 5.7.0")

    scene(tmp_path, test)


def test_wrong_passwords_are_limited_and_a_revoked_one_ends(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        user = on.at.site.enterprise.users[ALICE]
        assert await outcome(lambda done: on.passwords.revoke(user, "mutt", done))
        replies = []
        for _ in range(13):
            program = await on.program()
            replies.append((await program.log_in(on.password))[:3])
            program.dialogue.writer.close()
        assert replies[0] == "535" and replies[-1] == "454"
        on.at.clock.hours += 1
        assert (await (await on.program()).log_in(on.password)).startswith("535")

    scene(tmp_path, test)


def test_nobody_sends_in_the_name_of_another(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        program = await on.ready()
        assert (await program.say(f"MAIL FROM:<{BOB}>")).startswith("553 5.7.1")
        assert (await program.say("MAIL FROM:<>")).startswith("553 5.7.1")
        other = sealed(on.at.site).replace(ALICE.encode(), BOB.encode())
        assert (await program.send(other, "eve@far.example"))[-1].startswith("553 5.7.1")
        forged = PLAIN_MAIL.replace(ALICE.encode(), BOB.encode())
        assert (await program.send(forged, "eve@far.example"))[-1].startswith("553 5.7.1")
        assert on.carrier.taken == []

    scene(tmp_path, test)


def test_unsealed_mail_to_a_user_here_is_refused_with_a_sentence(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        program = await on.ready()
        reply = (await program.send(PLAIN_MAIL, BOB, "eve@far.example"))[-1]
        assert reply.startswith("523 5.7.10") and "turn on encryption" in reply
        assert on.carrier.taken == [] and on.at.site.stored(BOB) == []

    scene(tmp_path, test)


def test_other_names_of_the_domain_are_as_their_users(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        store = host_store(on.at.site.database)
        for name, kind, users in (
            ("sales", AliasKind.ALIAS, (ALICE,)),
            ("team", AliasKind.LIST, (ALICE, BOB)),
        ):
            whole = Address(f"{name}@acme.example")
            store.write(AddAlias(name, whole, kind, tuple(map(Address, users)), 9))
        program = await on.ready()
        reply = (await program.send(PLAIN_MAIL, "team@acme.example", "eve@far.example"))[-1]
        assert reply.startswith("523 5.7.10") and on.carrier.taken == []
        content = sealed(on.at.site).replace(ALICE.encode(), b"sales@acme.example")
        to = "team@acme.example", "bob+x@acme.example"
        replies = await program.send(content, *to, sender="sales@acme.example")
        assert replies[-1].startswith("250 2.0.0 queued")
        await on.at.empty()
        assert [len(on.at.site.stored(user)) for user in (ALICE, BOB)] == [1, 1]

    scene(tmp_path, test)


def test_unsealed_mail_to_others_is_passed_on_and_its_sender_told(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        program = await on.ready()
        for _ in range(2):
            reply = (await program.send(PLAIN_MAIL, "eve@far.example", "dan@far.example"))[-1]
            assert reply.startswith("250 2.0.0 passed on unencrypted")
        assert on.carrier.addresses == ["eve@far.example", "dan@far.example"] * 2
        content = on.carrier.taken[0][1]
        assert content.endswith(b"\r\n\r\nAttack at dawn.\r\n")
        assert b"Bcc" not in content and b"Message-ID: <" in content and b"Date: " in content
        (notice,) = on.at.reports()
        assert "far.example" in notice and "without encryption" in notice
        database = on.at.site.database.reading
        assert database.execute("SELECT count(*) FROM outbound_mail").get == 0

    scene(tmp_path, test)


def test_a_notice_that_failed_while_others_were_warned_comes_with_the_next_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "_MAX_WARNED", 1)

    async def test(on: Scene) -> None:
        gateway, users = on.at.site.gateway, on.at.site.enterprise.users
        notices = ClearNotices(gateway, on.at.clock)
        post = gateway.post

        async def warn_another_and_fail(*_: object) -> None:
            gateway.post = post  # type: ignore[method-assign]
            await notices.warn(users[BOB], "far.example")
            raise DiskError("full")

        gateway.post = warn_another_and_fail  # type: ignore[method-assign]
        await notices.warn(users[ALICE], "far.example")
        assert len(on.at.site.stored(BOB)) == 1 and on.at.reports() == []
        await notices.warn(users[ALICE], "far.example")
        assert len(on.at.reports()) == 1

    scene(tmp_path, test)


def test_the_next_servers_refusal_is_the_clients_to_hear(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        program = await on.ready()
        for answer, expected in ((LATER, "451 4.7.1"), (NEVER, "550 5.1.1")):
            on.carrier.replies["eve@far.example"] = answer
            to = ("eve@far.example", "dan@far.example")
            assert (await program.send(PLAIN_MAIL, *to))[-1].startswith(expected)
        assert on.carrier.taken == []  # to all or to none
        on.carrier.refused = LATER
        assert (await program.send(PLAIN_MAIL, "dan@far.example"))[-1].startswith("451 4.7.1")
        assert on.at.reports() == []

    scene(tmp_path, test)


def test_unsealed_mail_goes_to_one_domain_at_a_time(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        program = await on.ready()
        to = ("eve@far.example", "dan@other.example")
        assert (await program.send(PLAIN_MAIL, *to))[-1].startswith("451 4.5.3")
        again = await program.send(PLAIN_MAIL, *to)
        assert [reply[:9] for reply in again[1:]] == ["250 2.1.5", "451 4.5.3", "250 2.0.0"]
        assert (await program.send(PLAIN_MAIL, to[1]))[-1].startswith("250 2.0.0")
        assert on.carrier.addresses == list(to)

    scene(tmp_path, test)


def test_a_server_may_send_nothing_in_the_clear(tmp_path: Path) -> None:
    async def test(on: Scene) -> None:
        program = await on.ready()
        assert (await program.send(PLAIN_MAIL, "eve@far.example"))[-1].startswith("523 5.7.10")
        content = sealed(on.at.site)
        assert (await program.send(content, "eve@far.example"))[-1].startswith("250")
        await on.at.empty()
        assert on.carrier.taken == [("eve@far.example", content)]

    scene(tmp_path, test, clear=False)


@pytest.mark.parametrize("bad", ["eve", "nobody@acme.example", "eve@[192.0.2.1]"])
def test_a_bad_recipient_is_refused_at_once(tmp_path: Path, bad: str) -> None:
    async def test(on: Scene) -> None:
        program = await on.ready()
        replies = await program.send(sealed(on.at.site), bad)
        assert replies[1][0] == "5" and len(replies) == 2

    scene(tmp_path, test)
