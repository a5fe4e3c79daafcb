"""SMTP under pressure: connections, junk, memory, slowness, a full disk, the end of the server."""

import asyncio
import logging
import random
from pathlib import Path

import pytest

from blackthorn.edges import limits as edges_limits
from blackthorn.edges.smtp import limits as smtp_limits
from blackthorn.edges.smtp.memory import MailMemory
from blackthorn.errors import StorageError
from blackthorn.mail.errors import MailRefusedError
from tests.faults.test_smtp_dialogue import MAIL, dialogue
from tests.support import runs
from tests.support.smtp_harness import ALICE, BOB, Dialogue, run, site


def test_memory_is_shared_out_and_given_back() -> None:
    memory = MailMemory()
    half = edges_limits.MAX_MAIL_BYTES_IN_MEMORY_PER_CLIENT
    with memory.share("a") as one, memory.share("b") as two, memory.share("c") as three:
        one.grow(half)
        with pytest.raises(MailRefusedError, match="too much mail") as refused:
            one.grow(1)
        assert refused.value.reply.startswith("452 4.3.1")
        two.grow(edges_limits.MAX_MAIL_BYTES_IN_MEMORY - half)
        with pytest.raises(MailRefusedError):
            three.grow(1)
        assert memory.total == edges_limits.MAX_MAIL_BYTES_IN_MEMORY
    assert memory.total == 0


def test_a_mail_without_memory_is_put_off(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        with running.smtp.memory.share("127.0.0.1") as held:
            held.grow(edges_limits.MAX_MAIL_BYTES_IN_MEMORY_PER_CLIENT)
            await client.transaction(MAIL * 1_000, "452 4.3.1")
        await client.transaction(MAIL, "250 ")
        assert len(running.stored(ALICE)) == 1 and running.counters.mail_deferred == 1

    dialogue(tmp_path, talk)


def test_refused_commands_end_the_connection(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        await client.say("MAIL FROM:<eve@example.net>", "250 ")
        for index in range(smtp_limits.MAX_SMTP_ERRORS - 1):
            await client.say(f"RCPT TO:<guess{index}@acme.example>", "550 5.1.1")
        await client.say("RCPT TO:<last@acme.example>", "550 5.1.1")
        await client.expect("421 4.7.0")
        await client.closed()

    dialogue(tmp_path, talk)


def test_junk_commands_end_the_connection(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        for _ in range(smtp_limits.MAX_SMTP_JUNK_COMMANDS):
            await client.say("NOOP", "250 ")
        await client.say("NOOP", "421 4.7.0")
        await client.closed()

    dialogue(tmp_path, talk)


def test_unknown_commands_end_the_connection(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        for _ in range(4):
            await client.say("GET / HTTP/1.1", "500 ")
        await client.say("GET / HTTP/1.1", "502 ")
        await client.closed()

    dialogue(tmp_path, talk)


def test_silence_and_trickles_end_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_limits, "SMTP_TIMEOUT_SECONDS", 0.4)
    monkeypatch.setattr("blackthorn.edges.smtp.server._GRACE_SECONDS", 0.3)

    async def test() -> None:
        async with site(tmp_path) as running:
            silent = await Dialogue.open(running.port)
            await silent.expect("220 ")
            await silent.closed()
            slow = await (await Dialogue.open(running.port)).greet()
            await slow.say("MAIL FROM:<eve@example.net>", "250 ")
            await slow.say(f"RCPT TO:<{ALICE}>", "250 ")
            await slow.say("DATA", "354 ")
            answer = asyncio.ensure_future(slow.expect("421 4.7.0"))
            for _ in range(100):
                if answer.done():
                    break
                slow.writer.write(b"x")
                await asyncio.sleep(0.05)
            await answer
            assert running.stored(ALICE) == []

    run(test)


def test_a_full_disk_puts_off_and_recovers(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        submit = running.writer.submit
        running.writer.submit = lambda job, done: done(StorageError("the disk is full"))
        await client.transaction(MAIL, "452 4.3.1")
        running.writer.submit = submit
        await client.transaction(MAIL, "250 ")
        assert len(running.stored(ALICE)) == 1 and running.counters.storage_failures == 1

    dialogue(tmp_path, talk)


def test_closing_finishes_the_mail_in_hand(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        await client.say("MAIL FROM:<eve@example.net>", "250 ")
        await client.say(f"RCPT TO:<{ALICE}>", "250 ")
        await client.say("DATA", "354 ")
        client.writer.write(MAIL + b".\r\n")
        await client.writer.drain()
        await asyncio.sleep(0.01)
        closing = asyncio.ensure_future(running.smtp.close(10.0))
        reply = await client.reply()
        await closing
        assert reply.startswith(("250 ", "421 "))
        assert len(running.stored(ALICE)) == int(reply.startswith("250"))

    dialogue(tmp_path, talk)


def test_nothing_of_a_mail_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    async def talk(running, client) -> None:
        await client.transaction(MAIL, "250 ")
        await client.say("RCPT TO:<a@b>", "503 ")

    dialogue(tmp_path, talk)
    assert "eve" not in caplog.text and "alice" not in caplog.text and "hello" not in caplog.text


def test_a_large_mail_reaches_its_recipients_in_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fills between two turns the sender tries again, and one has it already."""
    monkeypatch.setattr(smtp_limits, "MAX_SEALED_BATCH_BYTES", 1)

    async def talk(running, client) -> None:
        await client.transaction(MAIL, "250 ", ALICE, BOB)
        assert [len(running.stored(who)) for who in (ALICE, BOB)] == [1, 1]
        submit = running.writer.submit

        def full_at_the_second(job, done) -> None:
            running.writer.submit = lambda job, done: done(StorageError("the disk is full"))
            submit(job, done)

        running.writer.submit = full_at_the_second
        await client.transaction(MAIL, "452 4.3.1", ALICE, BOB)
        running.writer.submit = submit
        assert [len(running.stored(who)) for who in (ALICE, BOB)] == [2, 1]

    dialogue(tmp_path, talk)


WORDS = [
    b"EHLO x", b"HELO", b"MAIL FROM:<a@b>", b"MAIL FROM:<>", b"RCPT TO:<alice@acme.example>",
    b"RCPT TO:<", b"DATA", b"RSET", b"BDAT 4294967295", b"AUTH PLAIN", b"STARTTLS", b"VRFY ",
    b"\r\n", b"\n", b"\r", b".", b"\0", b" ", b"<", b">", b":", b"=", b"SIZE=99999999999999999999",
    b"A" * 5_000, b"\xff", b"\x1b[2J", "é".encode(), b"(" * 400, b'"', b"@",
]  # fmt: skip


def test_random_talk_leaves_the_server_serving(tmp_path: Path) -> None:
    seed = runs.seed()
    source = random.Random(seed)

    async def babble(port: int) -> None:
        client = await Dialogue.open(port)
        for _ in range(source.randrange(1, 12)):
            words = source.choices(WORDS, k=source.randrange(1, 5))
            client.writer.write(b"".join(words) + source.choice([b"\r\n", b"\n", b""]))
            await asyncio.sleep(0)
            if client.writer.is_closing():
                break
        client.writer.close()

    async def test() -> None:
        async with site(tmp_path) as running:
            for _ in range(30):
                await asyncio.gather(*(babble(running.port) for _ in range(10)))
            client = await (await Dialogue.open(running.port)).greet()
            await client.transaction(MAIL, "250 ")
            assert running.opened()[-1].content == MAIL + b"\r\n"
            await client.close()
            for _ in range(100):
                if running.counters.smtp_connections == 0:
                    break
                await asyncio.sleep(0.02)
            assert running.counters.smtp_connections == 0 and running.smtp.memory.total == 0

    run(test)
