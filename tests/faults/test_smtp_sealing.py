"""The sealing workers: their deaths put mail off, poison is refused, none outlives the server."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from blackthorn.edges.sealing import limits
from blackthorn.edges.sealing.worker import SealRequest, SealTo
from blackthorn.edges.smtp.gateway import Transaction
from blackthorn.mail.errors import MailRefusedError
from tests.faults.test_smtp_dialogue import MAIL, dialogue
from tests.support.smtp_harness import ALICE, run, site


def stopped_worker(running) -> int:
    """The one worker, stopped, so that what it is given waits in it."""
    (process,) = running.pool.process_ids
    os.kill(process, signal.SIGSTOP)
    return process


def alive(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().split()[2] != "Z"
    except OSError:
        return False


def test_no_worker_runs_before_the_first_mail(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        assert running.pool.process_ids == []
        await client.transaction(MAIL, "250 ")
        assert len(running.pool.process_ids) == 1

    dialogue(tmp_path, talk)


def test_a_dead_worker_puts_off_and_is_replaced(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        await client.transaction(MAIL, "250 ")
        process = stopped_worker(running)
        asyncio.get_running_loop().call_later(0.2, os.kill, process, signal.SIGKILL)
        await client.transaction(MAIL, "451 4.3.0")
        await client.transaction(MAIL, "250 ")
        assert running.pool.process_ids != [process]
        assert running.counters.sealing_workers_died == 1 and len(running.stored()) == 2

    dialogue(tmp_path, talk)


def test_an_idle_worker_may_die_unnoticed(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        await client.transaction(MAIL, "250 ")
        os.kill(running.pool.process_ids[0], signal.SIGKILL)
        await asyncio.sleep(0.2)
        await client.transaction(MAIL, "250 ")
        assert running.counters.sealing_workers_died == 0

    dialogue(tmp_path, talk)


def test_a_mail_that_kills_every_worker_is_refused_for_good(tmp_path: Path) -> None:
    async def talk(running, client) -> None:
        poison = MAIL + b"poison"
        for _ in range(limits.MAX_SEALING_ATTEMPTS):
            await client.transaction(MAIL, "250 ")
            process = stopped_worker(running)
            asyncio.get_running_loop().call_later(0.1, os.kill, process, signal.SIGKILL)
            await client.transaction(poison, "451 4.3.0")
        await client.transaction(poison, "554 5.6.0")
        await client.transaction(MAIL, "250 ")

    dialogue(tmp_path, talk)


def test_a_worker_that_cannot_start_blames_no_mail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No memory, a broken installation: the mail is put off for as long as that lasts."""

    async def talk(running, client) -> None:
        program = sys.executable
        for broken in ("/bin/false", "/nowhere/python"):
            monkeypatch.setattr(sys, "executable", broken)
            for _ in range(limits.MAX_SEALING_ATTEMPTS + 1):
                await client.transaction(MAIL, "451 4.3.0")
        monkeypatch.setattr(sys, "executable", program)
        await client.transaction(MAIL, "250 ")

    dialogue(tmp_path, talk)


def test_closing_ends_a_worker_that_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("blackthorn.edges.sealing.pool._END_SECONDS", 0.2)
    processes: list[int] = []

    async def talk(running, client) -> None:
        await client.transaction(MAIL, "250 ")
        processes.append(stopped_worker(running))

    dialogue(tmp_path, talk)
    assert not alive(processes[0])


def test_a_hanging_worker_is_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def talk(running, client) -> None:
        await client.transaction(MAIL, "250 ")
        monkeypatch.setattr(limits, "SEALING_SECONDS", 0.3)
        process = stopped_worker(running)
        await client.transaction(MAIL, "451 4.3.0")
        monkeypatch.setattr(limits, "SEALING_SECONDS", 30)
        await client.transaction(MAIL, "250 ")
        assert not alive(process)

    dialogue(tmp_path, talk)


def test_more_mails_than_workers_wait_their_turn(tmp_path: Path) -> None:
    async def test() -> None:
        async with site(tmp_path, workers=2) as running:
            recipient = (await running.gateway.recipients(ALICE, 0))[0]
            requests = [request_to(recipient) for _ in range(40)]
            sealed = await asyncio.gather(
                *(running.pool.seal(request, bytearray(MAIL)) for request in requests)
            )
            assert len({bytes(each.mails[0]) for each in sealed}) == 40
            assert len(running.pool.process_ids) == 2

    run(test)


def test_a_waiter_that_is_cancelled_hands_its_wake_up_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_SEALING_DEPTH", 1)

    async def talk(running, client) -> None:
        pool = running.pool
        await client.transaction(MAIL, "250 ")
        stopped_worker(running)
        request = request_to((await running.gateway.recipients(ALICE, 0))[0])
        sealing = [asyncio.ensure_future(pool.seal(request, bytearray(MAIL))) for _ in range(3)]
        await asyncio.sleep(0)
        (worker,) = pool._workers
        assert len(worker.jobs) == 1 and len(pool._waiting) == 2
        monkeypatch.setattr(limits, "MAX_SEALING_DEPTH", 2)
        pool.freed()
        sealing[1].cancel()
        for _ in range(3):
            await asyncio.sleep(0)
        assert len(worker.jobs) == 2, "the third mail took the place of the second"
        os.kill(*pool.process_ids, signal.SIGCONT)
        assert await sealing[0] and await sealing[2]

    dialogue(tmp_path, talk)


def test_an_idle_worker_ends_and_its_memory_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "SEALING_IDLE_SECONDS", 0.2)

    async def talk(running, client) -> None:
        for _ in range(2):
            await client.transaction(MAIL, "250 ")
            (process,) = running.pool.process_ids
            for _ in range(500):
                if not alive(process):
                    break
                await asyncio.sleep(0.02)
            assert not alive(process)
        assert running.counters.sealing_workers_died == 0 and len(running.stored()) == 2

    dialogue(tmp_path, talk)


def test_a_worker_is_replaced_after_enough_mails_and_none_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_MAILS_PER_SEALING_WORKER", 3)
    started: list[int] = []
    start = asyncio.create_subprocess_exec

    async def starting(*arguments: Any, **options: Any) -> asyncio.subprocess.Process:
        process = await start(*arguments, **options)
        started.append(process.pid)
        return process

    monkeypatch.setattr(asyncio, "create_subprocess_exec", starting)

    async def test() -> None:
        async with site(tmp_path, workers=2) as running:
            recipient = (await running.gateway.recipients(ALICE, 0))[0]
            transaction = Transaction("", "", "", False, (recipient,))

            async def accept() -> None:
                await running.gateway.accept(transaction, bytearray(MAIL))

            await asyncio.gather(*(accept() for _ in range(30)))
            assert len(running.stored()) == 30
            assert len(started) >= 10
            assert running.counters.sealing_workers_died == 0

    run(test)


def test_the_buffer_that_a_mail_came_in_is_overwritten(tmp_path: Path) -> None:
    class Watched(bytearray):
        def clear(self) -> None:
            assert not any(self), "emptied before it was overwritten"
            super().clear()

    async def test() -> None:
        async with site(tmp_path) as running:
            recipient = (await running.gateway.recipients(ALICE, 0))[0]
            transaction = Transaction("", "", "", False, (recipient,))
            taken = Watched(MAIL)
            await running.gateway.accept(transaction, taken)
            assert len(running.stored()) == 1 and not taken
            refused = bytearray(MAIL + b"\0")
            with pytest.raises(MailRefusedError):
                await running.gateway.accept(transaction, refused)
            assert not any(refused)

    run(test)


def sealing_to(recipient) -> SealTo:
    """A recipient as the worker takes him."""
    return SealTo(recipient.user.address, recipient.certificate)


def request_to(recipient) -> SealRequest:
    return SealRequest(
        recipients=[sealing_to(recipient)],
        domain="acme.example",
        sender="",
        helo="",
        peer="",
        tls=False,
        now=1_800_000_000,
    )


def test_workers_end_when_the_server_is_killed(tmp_path: Path) -> None:
    """SIGKILL leaves no time to say goodbye: the workers end with their input."""
    program = (
        "import asyncio, sys; from pathlib import Path\n"
        "from tests.support.smtp_harness import *\n"
        "async def main():\n"
        "    async with site(Path(sys.argv[1])) as running:\n"
        "        client = await (await Dialogue.open(running.port)).greet()\n"
        "        await client.transaction(b'Subject: x\\r\\n\\r\\n', '250 ')\n"
        "        print(running.pool.process_ids[0], flush=True)\n"
        "        await asyncio.sleep(60)\n"
        "run(main)\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE
    ) as server:
        assert server.stdout is not None
        worker = int(server.stdout.readline())
        assert alive(worker)
        server.kill()
        server.wait()
    for _ in range(100):
        if not alive(worker):
            return
        asyncio.run(asyncio.sleep(0.05))
    raise AssertionError("the worker outlived the server")
