"""Plant the markers of the plaintext audit through real devices, and check that they arrived.

A marker that never arrived would prove nothing, so each recipient's device reads every message and
mail. Mail that its sender sealed only has to arrive.
"""

import json
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from blackthorn.audit.plaintext.search import Marker
from blackthorn.audit.plaintext.verdict import Audit, Report, code_marker, mint
from blackthorn.demo import correspondence, sample_mail
from blackthorn.demo.deployment import Deployment, Person, StepFailedError, Steps, wait_until
from blackthorn.demo.outward import (
    GONE,
    LATE,
    NOBODY,
    UNSEALED,
    MailProgram,
    outward_settings,
    send_sealed,
)

STEPS = 9  # of `run_audit`

_ARRIVING = ("message", "group name", "mail body", "mail subject", "attachment name")
"""Kinds of markers that the recipient's program prints."""

_SENT = ("subject", "body", "attachment's name", "attachment")


class Planting:
    """One run: an enterprise, two people, their secrets, and the searches."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.markers: dict[str, Marker] = {}
        self.people: list[Person] = []
        self.mailed = 0
        self.sent: set[str] = set()
        """Markers of mail from device to device that its recipients print."""
        self._letters = correspondence.Correspondence()
        self._audit = Audit([deployment.directory, deployment.temporary, deployment.logs])

    def _mint(self, name: str, kind: str) -> str:
        marker = mint(name, kind)
        self.markers[name] = marker
        return marker.spellings[0]

    def enrol(self) -> None:
        """Enrol two people; their local parts are the public control markers."""
        for who in ("first", "second"):
            name = self._mint(f"address of the {who}", "public")
            passphrase = self._mint(f"passphrase of the {who}", "passphrase")
            person, code = self.deployment.enrol(name, passphrase)
            self.people.append(person)
            self.markers[f"code of the {who}"] = code_marker(f"code of the {who}", code)

    def write(self) -> None:
        """Send direct and group messages; those to the second person wait on the server."""
        first, second = self.people
        group = self._mint("name of the group", "group name")
        self._letters.send(second, [first], self._mint("direct message, read", "message"))
        self._letters.collect(first)
        self._letters.send(first, [second], self._mint("direct message, waiting", "message"))
        first.run("group", "create", group, second.address)
        text = self._mint("group message, waiting", "message")
        self._letters.send_to_group(first, group, [second], text)

    def mail(self) -> None:
        """Send plain, attached, hostile and sealed mail by SMTP."""
        recipient = self.people[0].address
        for kind in ("plain", "attached", "hostile"):
            subject = self._mint(f"subject of the {kind} mail", "mail subject")
            body = self._mint(f"body of the {kind} mail", "mail body")
            if kind == "plain":
                self._deliver(sample_mail.plain_mail(recipient, subject, body))
                continue
            name = self._mint(f"attachment of the {kind} mail", "attachment name") + ".png"
            self._deliver(sample_mail.WITH_FILE[kind](recipient, subject, body, name))
        sealed = self._mint("body of the sealed mail", "sealed mail")
        certificate = _certificate(self.deployment.directory / "blackthorn.db", recipient)
        self._deliver(sample_mail.sealed_mail(recipient, sealed, certificate, int(time.time())))

    def send_mail(self) -> None:
        """Send a mail with a file from device to device, reply to it, and keep a draft."""
        first, second = self.people
        words = [self._mint(f"{what} of the sent mail", "sealed mail") for what in _SENT]
        subject, body, name, content = words
        file = self.deployment.root / f"{name}.txt"
        file.write_text(content)
        send = ("mail", "send", second.address, "--subject", subject, "--attach", str(file))
        first.run(*send, standard_input=body)
        file.unlink()
        wait_until(lambda: bool(second.run_json("mail", "list")), 30, "the sent mail did not come")
        answer = self._mint("body of the reply", "sealed mail")
        (entry,) = second.run_json("mail", "list")
        second.run("mail", "reply", str(entry["uid"]), standard_input=answer)
        draft = self._mint("body of the draft", "sealed mail")
        first.run("mail", "draft", "save", second.address, standard_input=draft)
        self.sent = {*words[:3], answer}
        self.mailed += 2  # the own copy, and the reply

    def send_out(self) -> None:
        """Mail that waits in the queue, mail that comes back, and mail of a mail program."""
        first, second = self.people
        for recipient, what in ((LATE, "queued"), (GONE, "returned")):
            words = [self._mint(f"{part} of the {what} mail", "sealed mail") for part in _SENT[:2]]
            send_sealed(first, recipient, self.deployment.root, *words)
            self.sent |= set(words)
        program = MailProgram(self.deployment, first)
        for recipient, what, expected in (
            (GONE, "mail of a program", NOBODY),
            (second.address, "mail of a program to a user", UNSEALED),
        ):
            words = [self._mint(f"{part} of the {what}", "refused mail") for part in _SENT[:2]]
            if (code := program.send(recipient, *words)) != expected:
                raise StepFailedError(f"the {what} was answered {code}, not {expected}")
        self.mailed += 3  # two own copies, and the notice about the one that came back
        self._await_mail()
        queued = json.loads(self.deployment.administer("mail", "queue", "list", "--json"))
        if not queued:
            raise StepFailedError("the mail for later does not wait in the queue")

    def _deliver(self, message: bytes) -> None:
        self.deployment.deliver_mail(sample_mail.SENDER, [self.people[0].address], message)
        self.mailed += 1

    def search(self) -> None:
        self._audit.search(self.deployment.pid, list(self.markers.values()))

    def read(self) -> None:
        """Read everything. Raises StepFailedError when a marker did not arrive."""
        first, second = self.people
        self._letters.collect(second)
        arrived: set[str] = self._letters.texts(first) | self._letters.texts(second)
        self._await_mail()
        listing = first.run_json("mail", "list")
        printed = [str(entry) for entry in listing]
        printed += [first.run("mail", "read", str(entry["uid"]), "--json") for entry in listing]
        everything = "\n".join([*arrived, *printed, second.run("inbox", "--json")])
        if len(listing) != self.mailed:
            raise StepFailedError(f"{self.mailed} e-mails were accepted, {len(listing)} arrived")
        for marker in self.markers.values():
            due = marker.kind in _ARRIVING or marker.spellings[0] in self.sent
            if due and marker.spellings[0] not in everything:
                raise StepFailedError(f"the {marker.name} did not arrive")

    def _await_mail(self) -> None:
        def listed() -> bool:
            return len(self.people[0].run_json("mail", "list")) >= self.mailed

        wait_until(listed, 30, "not every e-mail came")

    def report(self) -> Report:
        return self._audit.report()


def _certificate(database: Path, address: str) -> bytes:
    """A user's public OpenPGP certificate, read from the server's database."""
    query = (
        "SELECT certificate FROM user_certificate JOIN users ON users.number = user "
        "WHERE users.address = ? ORDER BY seq DESC"
    )
    uri = f"file:{database}?mode=ro"
    with closing(sqlite3.connect(uri, uri=True)) as connection:
        return bytes(connection.execute(query, (address,)).fetchone()[0])


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """A temporary folder, removed also on SIGTERM."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with TemporaryDirectory(prefix="blackthorn-") as root:
            yield Path(root)
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def temporary_deployment() -> Iterator[Deployment]:
    """A test deployment in a temporary folder, removed also on SIGTERM."""
    with (
        temporary_folder() as root,
        outward_settings() as settings,
        Deployment(root, settings=settings) as deployment,
    ):
        yield deployment


def run_audit(steps: Steps) -> Report:
    """The whole audit on a new server. Raises StepFailedError when a marker did not arrive."""
    with temporary_deployment() as deployment:
        planting = Planting(deployment)
        with steps.step("start a server"):
            deployment.initialise()
            deployment.start_server()
        for text, do in (
            ("activate two devices", planting.enrol),
            ("plant markers in messages and group names", planting.write),
            ("plant markers in e-mails", planting.mail),
            ("plant markers in mail of the devices", planting.send_mail),
            ("plant markers in mail to other domains", planting.send_out),
            ("search disk and memory while messages wait", planting.search),
            ("read everything at its other end", planting.read),
            ("search disk and memory again", planting.search),
        ):
            with steps.step(text):
                do()
        return planting.report()
