"""Fault 1: SIGKILL under load. A mail that was answered 250 is there after the restart."""

import os
import random
import re
import signal
import smtplib
import threading
import time
from pathlib import Path

from bench.enterprise import stored_under
from blackthorn.mail.pgp.open import open_mail
from blackthorn.ports.mail import RemovePieces
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.engine import Engine
from tests.faults.test_mail_corpus import ADDRESS, served
from tests.support import runs
from tests.support.stored import StoredMail

ROUNDS = runs.pick(6, 12)


def load(port: int, name: str, accepted: set[str]) -> None:
    """Send numbered mails until the server is gone; note each that it answered 250."""
    try:
        with smtplib.SMTP("127.0.0.1", port, timeout=10) as client:
            for number in range(100_000):
                lines = 200 if number % 3 else 90_000
                mail = f"Subject: {name}-{number}\r\n\r\n" + "line\r\n" * lines
                client.sendmail("eve@example.net", [ADDRESS], mail)
                accepted.add(f"{name}-{number}")
    except (OSError, smtplib.SMTPException):
        return


def remove_unfinished(engine: Engine) -> None:
    """Delete pieces of mails without a row, in steps, as the server does at its start."""
    while engine.write(RemovePieces(frozenset(), 2)) == 2:
        pass


def test_every_answered_mail_survives_sigkill(tmp_path: Path) -> None:
    seed = runs.seed()
    source = random.Random(seed)
    total = 0
    for round_number in range(ROUNDS):
        accepted: set[str] = set()
        folder = tmp_path / str(round_number)
        folder.mkdir()
        with served(folder) as server:
            senders = [
                threading.Thread(target=load, args=(server.port, f"s{index}", accepted))
                for index in range(4)
            ]
            for sender in senders:
                sender.start()
            while not accepted and any(sender.is_alive() for sender in senders):
                time.sleep(0.005)
            time.sleep(source.random() * 0.4)
            os.kill(server.process, signal.SIGKILL)
            for sender in senders:
                sender.join()
            key = server.key
        directory = ServerFolder(folder / "server")
        database = directory.open_database()
        store = StoredMail(database, stored_under(directory))
        found = []
        for head in store.list(1, 0, 100_000):
            piece = store.read(1, head.uid, 0, head.size)
            assert piece is not None
            subject = re.match(rb"Subject: (\S+)\r\n", open_mail(piece[1], key).content)
            assert subject is not None
            found.append(subject[1].decode())
        remove_unfinished(Engine(database, stored_under(directory)))
        count = "SELECT count(*) FROM mail_piece WHERE mail NOT IN (SELECT pieces FROM mail"
        assert database.reading.execute(f"{count} WHERE pieces IS NOT NULL)").get == 0
        assert database.reading.execute("SELECT count(*) FROM mail_begun").get == 0
        database.check()
        database.close()
        assert len(found) == len(set(found))
        assert accepted <= set(found) and len(found) - len(accepted) <= len(senders)
        total += len(accepted)
    print(f"{total} mails answered 250 in {ROUNDS} rounds, none lost")
    assert total >= ROUNDS
