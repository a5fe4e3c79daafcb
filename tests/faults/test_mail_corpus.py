"""Real and malformed mail, each file by SMTP through real workers into a real database.

Every file must be accepted, opened and rendered, or refused with a right code. The corpus is
found through BLACKTHORN_MAIL_CORPUS, or lies in .vectors/mail.
"""

import asyncio
import os
import re
import sys
from collections import Counter
from pathlib import Path

import pytest

from blackthorn import limits
from blackthorn.mail.render import render
from blackthorn.mail.scan import normalise
from tests.faults.smtp_harness import ALICE, resident_bytes, run, site
from tests.faults.test_smtp_dialogue import dialogue

MIB = 1024 * 1024
RIGHT_CODES = {"550 5.6.11", "552 5.3.4", "554 5.6.0", "554 5.4.6"}
PRINTABLE = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]*")


def corpus() -> list[Path]:
    """The files of the corpus, or none."""
    folder = Path(os.environ.get("BLACKTHORN_MAIL_CORPUS", ".vectors/mail"))
    return sorted(folder.rglob("*.eml"))


def resident_of(processes: list[int]) -> int:
    """Resident memory of other processes, in bytes."""
    texts = [Path(f"/proc/{process}/status").read_text() for process in processes]
    return sum(int(re.findall(r"VmRSS:\s+(\d+)", text)[0]) * 1024 for text in texts)


def wire_form(content: bytes) -> bytes:
    """A file as a client sends it: dots doubled, and a line end at the end."""
    stuffed = re.sub(rb"(?m)^\.", b"..", content)
    return stuffed.removesuffix(b"\n").removesuffix(b"\r")


def test_every_file_of_the_corpus(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], record_property
) -> None:
    files = corpus()
    if not files:
        with capsys.disabled():
            print(
                "\nNOT RUN on the mail corpus: it is not here. "
                "`make vectors` fetches it, or set BLACKTHORN_MAIL_CORPUS to its folder."
            )
        pytest.skip("the mail corpus is not here: set BLACKTHORN_MAIL_CORPUS, or `make vectors`")
    outcomes: Counter[str] = Counter()
    memory: list[int] = []

    async def talk(running, client) -> None:
        before = resident_bytes()
        for path in files:
            content = path.read_bytes()
            stored = running.counters.mail_accepted
            reply = await client.transaction(wire_form(content), r"[245]\d\d \d\.\d+\.\d+ ")
            code = " ".join(reply.split()[:2])
            outcomes[f"{path.parent.name}: {code}"] += 1
            if code == "250 2.0.0":
                (opened,) = running.opened()[stored:]
                expected = normalise(content.removesuffix(b"\n").removesuffix(b"\r") + b"\r\n")
                assert opened.content == expected, path
                mail = render(opened.content)
                assert mail.parsed, path
                for text in (mail.sender, mail.subject, mail.text, *map(repr, mail.attachments)):
                    assert PRINTABLE.fullmatch(text), path
            else:
                assert code in RIGHT_CODES, (path, reply)
                assert running.counters.mail_accepted == stored
        memory.extend((before, resident_bytes(), resident_of(running.pool.process_ids)))

    dialogue(tmp_path, talk)
    before, after, workers = memory
    with capsys.disabled():
        print(f"\nmail corpus: {len(files)} files")
        for outcome, count in sorted(outcomes.items()):
            print(f"  {count:4d}  {outcome}")
        print(
            f"  memory: server (with the test in it) {after // MIB} MiB, "
            f"{(after - before) // MIB} more than before; workers {workers // MIB} MiB"
        )
    assert after < 300 * MIB


CLIENT = """
import smtplib, sys, threading
mail = b"Subject: large\\r\\n\\r\\n" + (b"x" * 998 + b"\\r\\n") * int(sys.argv[2])
def send():
    with smtplib.SMTP("127.0.0.1", int(sys.argv[1]), timeout=60) as client:
        try:
            client.sendmail("eve@example.net", ["alice@acme.example"], mail)
            print(250, flush=True)
        except smtplib.SMTPDataError as error:
            print(error.smtp_code, flush=True)
threads = [threading.Thread(target=send) for _ in range(6)]
[each.start() for each in threads]
"""


def test_memory_stays_bounded_under_the_largest_mails(tmp_path: Path) -> None:
    """Six of the largest mails at once: some are put off, none makes the server swell."""
    lines = limits.MAX_MAIL_BYTES // 1_000 - 1
    peak = 0

    async def test() -> None:
        nonlocal peak
        async with site(tmp_path) as running:
            client = await asyncio.create_subprocess_exec(
                *(sys.executable, "-c", CLIENT, str(running.port), str(lines)),
                stdout=asyncio.subprocess.PIPE,
            )
            finished = asyncio.ensure_future(client.communicate())
            while not finished.done():
                peak = max(peak, resident_bytes())
                await asyncio.sleep(0.01)
            output, _ = await finished
            codes = Counter(output.decode().split())
            assert set(codes) <= {"250", "452"} and codes["250"] >= 1
            assert running.smtp.memory.total == 0
            user = running.enterprise.users[ALICE].number
            sizes = [head.size for head in running.store.list(user, 0, 10)]
            assert len(sizes) == codes["250"] and min(sizes) > lines * 1_000

    run(test)
    print(f"peak resident memory: {peak // MIB} MiB")
    assert peak < 300 * MIB
