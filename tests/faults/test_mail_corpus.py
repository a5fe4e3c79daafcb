"""Real and malformed mail, each file by SMTP into `blackthorn serve` with its sealing workers.

Every file must be accepted, opened and rendered, or refused with a right code, and the server
stays under 300 MB.
"""

import json
import re
import smtplib
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from bench.enterprise import ServerProcess, make_enterprise, stored_under
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.secret import Secret
from blackthorn.mail import limits
from blackthorn.mail.mime.scan import normalise
from blackthorn.mail.pgp.open import open_mail
from blackthorn.mail.render.render import render
from blackthorn.storage.sqlite.database import Database
from tests.support.mail_corpus import mail_corpus
from tests.support.stored import StoredMail

pytestmark = pytest.mark.real_start
"""What is imported counts for the memory that is measured."""

MIB = 1024 * 1024
ADDRESS = "user1@acme.example"
RIGHT_CODES = {"550 5.6.11", "552 5.3.4", "554 5.6.0", "554 5.4.6"}
PRINTABLE = re.compile(r"[^\x00-\x09\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]*")


@dataclass
class Served:
    """A server in a process of its own, and the key of its one user."""

    process: int
    port: int
    key: Secret
    store: StoredMail

    def send(self, content: bytes, source: str = "127.0.0.1") -> str:
        """Send one mail as smtplib does; the code and status of the answer."""
        with smtplib.SMTP("127.0.0.1", self.port, timeout=60, source_address=(source, 0)) as client:
            client.ehlo("mx.example.net")
            assert client.mail("eve@example.net")[0] == client.rcpt(ADDRESS)[0] == 250
            code, text = client.data(content)
            return f"{code} {text.decode().split()[0]}"

    def stored(self) -> list[bytes]:
        """The sealed mails, oldest first."""
        heads = self.store.list(1, 0, 10_000)
        pieces = [self.store.read(1, head.uid, 0, head.size) for head in heads]
        return [piece[1] for piece in pieces if piece is not None]

    def memory(self) -> tuple[int, int]:
        """The most memory that the server and its workers ever had resident, in bytes."""
        children = Path(f"/proc/{self.process}/task/{self.process}/children").read_text().split()
        return peak_of(self.process), sum(peak_of(int(each)) for each in children)


def peak_of(process: int) -> int:
    """The most memory that a process ever had resident, in bytes."""
    status = Path(f"/proc/{process}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+)", status)[0]) * 1024


@contextmanager
def served(folder: Path) -> Iterator[Served]:
    """`blackthorn serve` with one user who has a key."""
    key, certificate = generate_user_key(ADDRESS)
    directory, _ = make_enterprise(folder / "server", 1)
    database = Database.open(directory.database)
    database.writing.execute("INSERT INTO user_certificate VALUES (1, 1, ?)", (certificate,))
    with ServerProcess(directory) as server:
        ready = next(json.loads(line) for line in server.lines if '"ready"' in line)
        yield Served(
            server.pid,
            ready["smtp_port"],
            key,
            StoredMail(database, stored_under(directory)),
        )
    database.close()
    assert not any('"fault"' in line for line in server.lines), server.lines


def as_sent(content: bytes) -> bytes:
    """The mail that smtplib makes of a file: it ends its last line."""
    return normalise(content if content.endswith(b"\r\n") else content + b"\r\n")


def test_every_file_of_the_corpus(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = mail_corpus(capsys)
    outcomes: Counter[str] = Counter()
    with served(tmp_path) as server:
        for path in files:
            before = len(server.stored())
            content = path.read_bytes()
            answer = server.send(content)
            outcomes[f"{path.parent.name}: {answer}"] += 1
            new = server.stored()[before:]
            if answer != "250 2.0.0":
                assert answer in RIGHT_CODES and new == [], (path, answer)
                continue
            (sealed,) = new
            opened = open_mail(sealed, server.key)
            assert opened.content == as_sent(content), path
            mail = render(opened.content)
            assert mail.parsed, path
            for text in (mail.sender, mail.subject, mail.text, *map(repr, mail.attachments)):
                assert PRINTABLE.fullmatch(text), path
        memory, workers = server.memory()
    with capsys.disabled():
        print(f"\nmail corpus: {len(files)} files")
        for outcome, count in sorted(outcomes.items()):
            print(f"  {count:4d}  {outcome}")
        print(f"  peak memory: server {memory // MIB} MiB, sealing workers {workers // MIB} MiB")
    assert memory + workers < 300 * MIB


def test_memory_stays_bounded_under_the_largest_mails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nine of the largest mails at once from three clients: some are put off, nothing swells."""
    lines = limits.MAX_MAIL_BYTES // 1_000 - 1
    mail = b"Subject: large\r\n\r\n" + (b"x" * 998 + b"\r\n") * lines
    with served(tmp_path) as server:
        clients = [f"127.0.0.{number}" for number in (1, 2, 3)] * 3
        with ThreadPoolExecutor(len(clients)) as pool:
            answers = Counter(pool.map(server.send, [mail] * len(clients), clients))
        assert set(answers) <= {"250 2.0.0", "452 4.3.1"} and answers["250 2.0.0"] >= 1
        sealed = server.stored()
        assert len(sealed) == answers["250 2.0.0"] and min(map(len, sealed)) > len(mail)
        memory, workers = server.memory()
    with capsys.disabled():
        print(
            f"\nnine mails of 25 MiB at once: {dict(answers)}; "
            f"peak memory: server {memory // MIB} MiB, sealing workers {workers // MIB} MiB"
        )
    assert memory < 300 * MIB
