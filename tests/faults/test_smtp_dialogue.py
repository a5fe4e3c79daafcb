"""SMTP as a dialogue on a real socket: who may receive, what is refused, with which code."""

import asyncio
from pathlib import Path

import pytest

from blackthorn.edges.smtp import limits as smtp_limits
from blackthorn.mail import limits as mail_limits
from blackthorn.server.mail.service import DiskRoom
from tests.support.smtp_harness import ALICE, BOB, Dialogue, run, site

MAIL = b"From: eve@example.net\r\nSubject: hello\r\n\r\nHow are you?\r\n"


def dialogue(folder: Path, talk, **options) -> None:
    """Run `talk(site, client)` with a client that has said EHLO."""

    async def test() -> None:
        async with site(folder, **options) as running:
            client = await (await Dialogue.open(running.port)).greet()
            await talk(running, client)
            await client.close()

    run(test)


def every_byte(folder: Path) -> bytes:
    """What all files of the server hold."""
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_a_mail_is_sealed_stored_and_opened(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        await client.transaction(MAIL, "250 2.0.0", ALICE, BOB)
        await client.say("QUIT", "221 ")
        await client.closed()
        for who in (ALICE, BOB):
            (opened,) = running.opened(who)
            assert opened.content == MAIL + b"\r\n"
            assert b"Return-Path: <eve@example.net>" in opened.trace
        assert [address for address, _ in running.notified] == [ALICE, BOB]
        assert running.counters.mail_accepted == 2

    dialogue(tmp_path, talk)


def test_nothing_of_the_mail_is_on_disk(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        await client.say("MAIL FROM:<canary-sender@example.net>", "250 ")
        await client.say(f"RCPT TO:<{ALICE}>", "250 ")
        await client.say("DATA", "354 ")
        await client.say(b"Subject: canary-subject\r\n\r\ncanary-body\r\n.\r\n", "250 ")
        written = every_byte(tmp_path)
        assert b"CREATE TABLE mail" in written  # the search does find what is there
        assert b"canary" not in written

    dialogue(tmp_path, talk)


def test_recipients_are_only_known_users_who_can_be_sealed_to(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        running.enterprise.add("new@acme.example")
        await client.say("RCPT TO:<alice@acme.example>", "503 ")
        await client.say("MAIL FROM:<eve@example.net>", "250 ")
        for path, code in (
            ("nobody@acme.example", "550 5.1.1"),
            ("new@acme.example", "450 4.2.1"),
            ("alice@example.net", "550 5.7.1"),
            ("alice%example.net@acme.example", "550 5.1.1"),
            ('"al ice"@acme.example', "550 5.1.1"),
            ('"alice@acme.example"@acme.example', "550 5.1.1"),
            ('"alice"@example.net', "550 5.7.1"),
            ("@acme.example:alice@example.net", "550 5.7.1"),
            ("alice@acme.example@example.net", "550 5.7.1"),
            ("alice@acme.example.", "550 5.7.1"),
            ("аlice@acme.example", "550 5.1.1"),  # a Cyrillic a
            ("postmaster", "450 4.2.1"),
            ("ALICE@ACME.EXAMPLE", "250 2.1.5"),
        ):
            await client.say(f"RCPT TO:<{path}>", code)
        for argument in ("alice@acme.example", "<alice@acme.example", "<>", "", "<a b>x"):
            await client.say(f"RCPT TO:{argument}", "5")

    dialogue(tmp_path, talk)


@pytest.mark.parametrize(
    "path",
    [
        '"alice"@acme.example',
        r'"\al\ice"@acme.example',
        "@relay.example:alice@acme.example",
        '@relay.example,@two.example:"Alice"@Acme.Example',
        "postmaster",
        "POSTMASTER",
        '"Postmaster"@acme.example',
        "Abuse@acme.example",
    ],
)
def test_other_forms_of_a_recipient_reach_their_mailbox(tmp_path: Path, path: str) -> None:
    async def talk(running, client) -> None:
        running.gateway.recipient_policy.postmaster = ALICE
        await client.say("MAIL FROM:<@relay.example:eve@example.net>", "250 ")
        await client.say(f"RCPT TO:<{path}>", "250 2.1.5")
        await client.say("DATA", "354 ")
        await client.say(MAIL + b"\r\n.\r\n", "250 2.0.0")
        (opened,) = running.opened(ALICE)
        assert b"Return-Path: <eve@example.net>" in opened.trace

    dialogue(tmp_path, talk)


@pytest.mark.parametrize("size", [512, 4_000, 70_000])
def test_a_huge_address_is_refused(tmp_path: Path, size: int) -> None:
    async def talk(running, client) -> None:
        await client.say("MAIL FROM:<eve@example.net>", "250 ")
        await client.say(f"RCPT TO:<{'a' * size}@acme.example>", "5")
        await client.say("NOOP", "250")

    dialogue(tmp_path, talk)


def test_recipients_are_bounded_and_get_one_copy(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        for index in range(smtp_limits.MAX_SMTP_RECIPIENTS):
            user = running.enterprise.users[ALICE]
            running.enterprise.add(f"u{index}@acme.example", user.certificate)
        await client.say("MAIL FROM:<>", "250 ")
        await client.say(f"RCPT TO:<{ALICE}>", "250 ")
        await client.say(f"RCPT TO:<{ALICE}>", "250 ")
        for index in range(smtp_limits.MAX_SMTP_RECIPIENTS - 2):
            await client.say(f"RCPT TO:<u{index}@acme.example>", "250 ")
        await client.say(
            f"RCPT TO:<u{smtp_limits.MAX_SMTP_RECIPIENTS - 1}@acme.example>", "452 4.5.3"
        )
        await client.say("DATA", "354 ")
        await client.say(MAIL + b".\r\n", "250 ")
        assert running.counters.mail_accepted == smtp_limits.MAX_SMTP_RECIPIENTS - 1
        assert len(running.opened(ALICE)) == 1
        assert b"Return-Path: <>" in running.opened(ALICE)[0].trace

    dialogue(tmp_path, talk)


def test_a_nearly_full_disk_is_told_before_the_mail_is_sent(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        service = running.gateway._mail_service
        service.room = DiskRoom(1_000)
        await client.say("MAIL FROM:<eve@example.net> SIZE=1000", "452 4.3.1")
        await client.say("RCPT TO:<alice@acme.example>", "503 ")
        service.room = DiskRoom(0)
        await client.say("MAIL FROM:<eve@example.net>", "452 4.3.1")
        service.room = DiskRoom(1_000_000)
        await client.transaction(MAIL, "250 ")

    dialogue(tmp_path, talk)


def test_too_large_is_552(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        over = mail_limits.MAX_MAIL_BYTES + 1
        await client.say(f"MAIL FROM:<eve@example.net> SIZE={over}", "552 5.3.4")
        await client.say(f"MAIL FROM:<eve@example.net> SIZE={mail_limits.MAX_MAIL_BYTES}", "250 ")
        await client.say("RSET", "250 ")
        line = b"x" * 998 + b"\r\n"
        await client.transaction(line * (over // len(line) + 1), "552 5.3.4")
        assert running.smtp.memory.total == 0
        await client.transaction(MAIL, "250 ")
        assert running.stored(ALICE) != [] and running.counters.mail_refused == 1

    dialogue(tmp_path, talk)


def test_too_many_parts_or_fields_is_554(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        multipart = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
        await client.transaction(multipart + b"--b\r\n\r\nx\r\n" * 1_001, "554 5.6.0")
        await client.transaction(b"From: eve@example.net\r\n" * 1_001 + b"\r\n", "554 5.6.0")
        await client.transaction(b"Received: by x\r\n" * 51 + b"\r\n", "554 5.4.6")
        await client.transaction(b"Subject: x\r\n\r\na\0b", "550 5.6.11")
        await client.transaction(b"Subject: x\r\n\r\n" + b"y" * 70_000, "552 5.3.4")
        assert running.stored(ALICE) == []

    dialogue(tmp_path, talk)


def test_utf8_and_8bit_are_offered_and_taken(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        offered = await client.say("EHLO mx.example.net", "250-")
        assert {"8BITMIME", "SMTPUTF8", "PIPELINING"} <= {each[4:] for each in offered.split("\n")}
        assert "AUTH" not in offered and "STARTTLS" not in offered
        await client.say("MAIL FROM:<ève@example.net> BODY=8BITMIME SMTPUTF8", "250 ")
        await client.say(f"RCPT TO:<{ALICE}>", "250 ")
        await client.say("DATA", "354 ")
        await client.say("Subject: été\r\n\r\nça\r\n.\r\n".encode(), "250 ")
        assert running.opened()[0].content == "Subject: été\r\n\r\nça\r\n".encode()

    dialogue(tmp_path, talk)


@pytest.mark.parametrize(
    "end",
    [
        b"\n.\n",
        b"\r.\r",
        b"\r.\n",
        b"\n.\r",
        b"\n.\r\n",
        b"\r\n.\n",
        b"\r.\r\n",
        b"\r\n.\r",
        b"\r\n\0.\r\n",
        b"\r\n.\0\r\n",
    ],
)
def test_no_other_end_of_data_smuggles_a_second_mail(tmp_path: Path, end: bytes) -> None:
    """Fault 20: one mail, normalised to CRLF, or a refusal; never two, never a lone CR or LF."""
    smuggled = b"MAIL FROM:<x@example.net>\r\nRCPT TO:<bob@acme.example>\r\nDATA\r\nhidden\r\n"

    async def talk(running, client) -> None:
        reply = await client.transaction(b"Subject: one\r\n\r\na" + end + smuggled, "(250|550) ")
        await client.say("NOOP", "250 ")
        assert running.stored(BOB) == []
        assert len(running.stored(ALICE)) == (1 if reply.startswith("250") else 0)
        for opened in running.opened(ALICE):
            rest = opened.content.replace(b"\r\n", b"")
            assert b"\r" not in rest and b"\n" not in rest and b"\0" not in rest

    dialogue(tmp_path, talk)


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 1_000])
def test_the_end_of_data_is_found_however_it_is_cut(tmp_path: Path, piece: int) -> None:
    async def talk(running, client) -> None:
        sent = b".a\r\n..\r\n...b\r\n\r\n.\r\n"
        await client.say("MAIL FROM:<eve@example.net>", "250 ")
        await client.say(f"RCPT TO:<{ALICE}>", "250 ")
        await client.say("DATA", "354 ")
        for start in range(0, len(sent), piece):
            client.writer.write(sent[start : start + piece])
            await asyncio.sleep(0.002)
        await client.expect("250 ")
        assert running.opened()[0].content == b"a\r\n.\r\n..b\r\n\r\n"

    dialogue(tmp_path, talk)


def test_an_empty_mail_and_pipelined_mails(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        envelope = b"MAIL FROM:<eve@example.net>\r\nRCPT TO:<alice@acme.example>\r\nDATA\r\n"
        client.writer.write((envelope + b".\r\n") + (envelope + MAIL + b".\r\n") * 3)
        for _ in range(4):
            for code in ("250 ", "250 ", "354 ", "250 2.0.0"):
                await client.expect(code)
        assert [opened.content for opened in running.opened()] == [b"", MAIL, MAIL, MAIL]

    dialogue(tmp_path, talk)


def test_order_of_commands_is_kept(tmp_path: Path) -> None:
    async def test() -> None:
        async with site(tmp_path) as running:
            client = await Dialogue.open(running.port)
            await client.expect("220 acme.example ")
            await client.say("MAIL FROM:<eve@example.net>", "503 ")
            await client.say("HELO mx", "250 ")
            await client.say("DATA", "503 ")
            await client.say("MAIL FROM:<eve@example.net>", "250 ")
            await client.say("MAIL FROM:<eve@example.net>", "503 ")
            await client.say("DATA", "503 ")
            await client.say(b"BDAT 10 LAST\r\n0123456789", "5")
            await client.say("VRFY alice", "252 ")
            await client.say("EXPN staff", "502 ")
            await client.say("HELP", "214 ")
            await client.say("AUTH PLAIN AGFsaWNlAHg=", "502 ")
            await client.say(b"\xff\xfe\x00\r\n", "500 ")
            await client.say(b"\r\n", "500 ")

    run(test)


def test_a_dropped_connection_stores_nothing(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        await client.say("MAIL FROM:<eve@example.net>", "250 ")
        await client.say(f"RCPT TO:<{ALICE}>", "250 ")
        await client.say("DATA", "354 ")
        client.writer.write(MAIL)
        await client.writer.drain()
        client.writer.close()
        for _ in range(100):
            if running.counters.smtp_connections == 0:
                break
            await asyncio.sleep(0.02)
        assert running.counters.smtp_connections == 0 and running.smtp.memory.total == 0
        assert running.stored(ALICE) == []

    dialogue(tmp_path, talk)


def test_bytes_that_are_no_text_in_the_greeting_harm_nobody(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        await client.say(b"EHLO \xff\xfe\x1b[2J\r\n", "250-")
        await client.say(b"MAIL FROM:<\xff@example.net>\r\n", "553 ")
        await client.transaction(MAIL, "250 ")
        assert b"\x1b" not in running.opened()[0].trace
        other = await (await Dialogue.open(running.port)).greet()
        await other.transaction(MAIL, "250 ")

    dialogue(tmp_path, talk)
