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


def nothing() -> None:
    """A connection that a test does not look at."""


def test_memory_is_shared_out_and_given_back() -> None:
    memory = MailMemory()
    half = edges_limits.MAX_MAIL_BYTES_IN_MEMORY_PER_CLIENT
    with (
        memory.share("192.0.2.1", nothing, 0.0) as one,
        memory.share("192.0.2.2", nothing, 0.0) as neighbour,
        memory.share("198.51.100.1", nothing, 0.0) as two,
        memory.share("2001:db8::/56", nothing, 0.0) as three,
    ):
        one.grow(half, 0.0)
        with pytest.raises(MailRefusedError, match="too much mail") as refused:
            neighbour.grow(1, 0.0)  # of the same /24
        assert refused.value.reply.startswith("452 4.3.1")
        two.grow(edges_limits.MAX_MAIL_BYTES_IN_MEMORY - half, 0.0)
        with pytest.raises(MailRefusedError):
            three.grow(1, 0.0)
        assert memory.total == edges_limits.MAX_MAIL_BYTES_IN_MEMORY
    assert memory.total == 0


def test_the_slowest_mail_gives_way_when_the_memory_is_full() -> None:
    memory, dropped = MailMemory(), list[str]()
    half = edges_limits.MAX_MAIL_BYTES_IN_MEMORY // 2
    late = smtp_limits.SPEED_GRACE_SECONDS + 1.0
    with (
        memory.share("192.0.2.1", lambda: dropped.append("slow"), 0.0) as slow,
        memory.share("198.51.100.1", lambda: dropped.append("fast"), 0.0) as fast,
        memory.share("203.0.113.1", lambda: dropped.append("new"), late) as new,
    ):
        for share in (slow, fast):
            share.count(half, 0.0)
            share.grow(half, 0.0)
        fast.count(1_000_000, late)
        new.count(1, late)
        new.grow(1, late)
        assert dropped == ["slow"] and memory.total == half + 1
        assert slow.size == 0
        slow.receiving = fast.receiving = False  # complete mails are sealed, not dropped
        memory._shares.add(slow)
        memory.take("other", half - 1, late)
        with pytest.raises(MailRefusedError):
            new.grow(1, late)
        assert dropped == ["slow"]
        memory.give_back("other", half - 1)


def test_a_mail_is_too_slow_by_its_last_half_minute_and_has_its_time_in_all() -> None:
    memory = MailMemory()
    speed, window = smtp_limits.MIN_SMTP_BYTES_PER_SECOND, smtp_limits.SPEED_SECONDS
    with memory.share("192.0.2.1", nothing, 0.0) as share:
        share.count(25_000_000, 1.0)  # what came at first helps no longer than the window
        assert not share.too_slow(window)
        share.count(100, window + 2.0)
        assert share.too_slow(window + 2.0)
    with memory.share("192.0.2.1", nothing, 0.0) as share:
        for second in range(smtp_limits.MAX_DATA_SECONDS + 1):
            share.count(2 * speed, float(second))
            assert not share.too_slow(float(second))
        assert share.too_slow(smtp_limits.MAX_DATA_SECONDS + 1.0)


def test_a_mail_without_memory_is_put_off(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        with running.smtp.memory.share("127.0.0.1", nothing, 0.0) as held:
            held.grow(edges_limits.MAX_MAIL_BYTES_IN_MEMORY_PER_CLIENT, 0.0)
            await client.transaction(MAIL * 1_000, "452 4.3.1")
        await client.transaction(MAIL, "250 ")
        assert len(running.stored(ALICE)) == 1 and running.counters.mail_deferred == 1

    dialogue(tmp_path, talk)


def test_slow_senders_that_hold_all_memory_do_not_stop_a_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(edges_limits, "MAX_MAIL_BYTES_IN_MEMORY", 100_000)
    monkeypatch.setattr(edges_limits, "MAX_MAIL_BYTES_IN_MEMORY_PER_CLIENT", 60_000)
    monkeypatch.setattr(smtp_limits, "SPEED_GRACE_SECONDS", 0.2)

    async def test() -> None:
        async with site(tmp_path) as running:
            slow = []
            for address in ("127.1.0.1", "127.2.0.1"):
                client = await (await Dialogue.open(running.port, address)).greet()
                await client.say("MAIL FROM:<eve@example.net>", "250 ")
                await client.say(f"RCPT TO:<{ALICE}>", "250 ")
                await client.say("DATA", "354 ")
                client.writer.write(b"x" * 50_000)
                slow.append(client)
            await asyncio.sleep(0.5)
            assert running.smtp.memory.total == 100_000
            honest = await (await Dialogue.open(running.port)).greet()
            await honest.transaction(MAIL, "250 ")
            assert running.counters.smtp_mails_dropped == 1
            told = [await client.reply() for client in slow[:1]]
            assert told[0].startswith("421 4.3.1")
            for client in (*slow, honest):
                await client.close()

    run(test)


def test_a_large_mail_has_few_recipients(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp_limits, "MAX_MAIL_TIMES_RECIPIENTS", 2 * len(MAIL))

    async def talk(running, client) -> None:
        await client.transaction(MAIL * 2, "554 5.5.3", ALICE, BOB)
        await client.transaction(MAIL, "250 ", ALICE)
        assert [len(running.stored(who)) for who in (ALICE, BOB)] == [1, 0]

    dialogue(tmp_path, talk)


def test_a_full_mailbox_is_told_at_rcpt_and_others_get_the_mail(tmp_path: Path) -> None:
    async def test() -> None:
        async with site(tmp_path, mailbox_mib=1) as running:
            client = await (await Dialogue.open(running.port)).greet()
            await client.say("MAIL FROM:<eve@example.net> SIZE=800000", "250 ")
            await client.say(f"RCPT TO:<{ALICE}>", "452 4.2.2")
            await client.say("RSET", "250 ")
            await client.transaction(b"x: y\r\n\r\n" + b"z" * 70 + b"\r\n" * 400_000, "452 4.2.2")
            await client.transaction(MAIL, "250 ", ALICE, BOB)
            assert [len(running.stored(who)) for who in (ALICE, BOB)] == [1, 1]
            await client.close()

    run(test)


def test_refused_commands_end_the_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smtp_limits, "MAX_TARPIT_SECONDS", 0.05)

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
    monkeypatch.setattr(smtp_limits, "SPEED_SECONDS", 0.3)
    monkeypatch.setattr(smtp_limits, "SPEED_GRACE_SECONDS", 0.1)

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


def test_a_large_mail_is_sealed_to_its_recipients_in_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When the disk fills between two turns nobody has it, and the sender tries again."""
    monkeypatch.setattr(smtp_limits, "MAX_SEALED_BATCH_BYTES", 1)
    large = MAIL + b"a line of text\r\n" * 8_000

    async def talk(running, client) -> None:
        submit = running.writer.submit

        def full_at_the_second(job, done) -> None:
            running.writer.submit = lambda job, done: done(StorageError("the disk is full"))
            submit(job, done)

        for expected in (1, 2):
            running.writer.submit = full_at_the_second
            await client.transaction(large, "452 4.3.1", ALICE, BOB)
            running.writer.submit = submit
            await client.transaction(large, "250 ", ALICE, BOB)
            assert [len(running.stored(who)) for who in (ALICE, BOB)] == [expected] * 2

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
