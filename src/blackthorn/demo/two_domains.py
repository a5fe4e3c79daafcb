"""The demo of mail: two servers, three people, a stranger, and what of their mail is sealed where.

Every row is measured: what the relay between the servers saw, what both servers have on disk and in
memory, and what the recipient's device printed.
"""

import smtplib
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from blackthorn.audit.plaintext.search import Marker, Searcher
from blackthorn.audit.plaintext.verdict import Audit, Report, mint, public_marker
from blackthorn.demo import sample_mail
from blackthorn.demo.deployment import (
    COMMAND_SECONDS,
    Deployment,
    Person,
    StepFailedError,
    Steps,
    free_ports,
    wait_until,
)
from blackthorn.demo.markers import temporary_folder
from blackthorn.demo.network import HOST, NoNames, Relay
from blackthorn.demo.outward import OK, MailProgram

STEPS = 10  # of `run_mail_demo`

ARRIVAL_SECONDS: Final = 60.0
"""Timeout from acceptance to a reader's list."""

OUTSIDER: Final = sample_mail.SENDER
SEALED, CLEAR, NOTHING = "sealed", "clear", "nothing"
"""What the relay saw of a mail."""

NO_TEXT: Final = "no text"
"""On disk: at most sealed."""


@dataclass(eq=False)
class Row:
    """One mail: what is expected of it, and what was measured.

    `wire` is SEALED, CLEAR or NOTHING; `disk` is NO_TEXT or CLEAR, None before the search. `read`:
    its reader's device printed its text; None where it has none.
    """

    step: str
    sender: str
    recipient: str
    expected: str
    readers: str
    markers: tuple[Marker, Marker] = field(repr=False)
    wire: str = ""
    disk: str | None = None
    read: bool | None = None

    def failures(self) -> list[str]:
        checks = {
            f"{self.wire or 'unknown'} on the wire, not {self.expected}": (
                self.wire == self.expected
            ),
            "its text was found on a server": self.disk == NO_TEXT,
            "it was not read at its other end": self.read is not False,
        }
        return [f"{self.step}: {text}" for text, holds in checks.items() if not holds]


@dataclass(frozen=True, slots=True)
class MailOutcome:
    """What was measured. `reports` has the search of each server, by its domain."""

    rows: Sequence[Row]
    reports: dict[str, Report]
    seconds: float

    def failures(self) -> list[str]:
        """Failed expectations in words."""
        failed = [text for row in self.rows for text in row.failures()]
        for domain, report in self.reports.items():
            if report.found:
                failed.append(f"a secret was found on the server of {domain}")
            if not report.sees:
                failed.append(f"the search of the server of {domain} is blind")
        return failed


class MailDemo:
    """Alice and Bob of acme.example, Gwen of globex.example; each step is a method."""

    def __init__(self, acme: Deployment, globex: Deployment, relay: Relay) -> None:
        self.acme, self.globex, self.relay = acme, globex, relay
        self.rows: list[Row] = []
        self.reports: dict[str, Report] = {}

    def start(self) -> None:
        for deployment in (self.acme, self.globex):
            deployment.initialise()
            deployment.start_server()

    def activate(self) -> None:
        self.alice, self.bob = (self.acme.enrol(name)[0] for name in ("alice", "bob"))
        self.gwen, _ = self.globex.enrol("gwen")

    @contextmanager
    def _row(
        self, step: str, sender: str, recipient: str, expected: str, readers: str
    ) -> Iterator[Row]:
        """A row whose mail is sent and read in the block: what the relay saw of it is looked at."""
        planted = len(self.rows)
        kinds = ("sealed mail",) * 2 if expected != CLEAR else ("mail subject", "mail body")
        subject, body = (mint(f"{kind} {planted}.{n}", kind) for n, kind in enumerate(kinds))
        row = Row(step, sender, recipient, expected, readers, (subject, body))
        before = len(self.relay.seen)
        yield row
        row.wire = _wire(self.relay.seen[before:], row.markers)
        self.rows.append(row)

    def to_colleague(self) -> None:
        """From device to device on one server."""
        between = (self.alice.address, self.bob.address)
        with self._row("to a colleague", *between, NOTHING, "alice, bob") as row:
            _send(self.alice, row)
            row.read = _reads(self.bob, row) is not None and _reads(self.alice, row) is not None

    def exchange(self) -> None:
        """Gwen gives Alice her certificate in a file, as people do whose domain publishes none."""
        file = self.gwen.home.parent / "gwen.asc"
        self.gwen.run("mail", "certificate", "export", str(file), "--public")
        self.alice.run("mail", "keys", "add", self.gwen.address, str(file), "--yes")

    def to_other_domain(self) -> None:
        between = (self.alice.address, self.gwen.address)
        with self._row("to another domain", *between, SEALED, "alice, gwen") as row:
            _send(self.alice, row)
            found = _reads(self.gwen, row)
            row.read = found is not None
            self._uid = int(found["uid"]) if found else 0

    def answer(self) -> None:
        """Gwen answers by the key that came in Alice's mail: nothing was exchanged that way."""
        with self._row(
            "the answer", self.gwen.address, self.alice.address, SEALED, "gwen, alice"
        ) as row:
            (key,) = self.gwen.run_json("mail", "keys", "list")
            if (key["address"], key["source"]) != (self.alice.address, "autocrypt"):
                raise StepFailedError("the certificate in the mail was not learned")
            row.markers = (self.rows[-1].markers[0], row.markers[1])  # Re: …
            _, body = _texts(row)
            self.gwen.run("mail", "reply", str(self._uid), standard_input=body)
            row.read = _reads(self.alice, row) is not None

    def from_outsider(self) -> None:
        """By plain SMTP: everybody on its way could read it, and the server seals it."""
        readers = "the way, bob"
        with self._row("from a stranger", OUTSIDER, self.bob.address, CLEAR, readers) as row:
            message = sample_mail.plain_mail(self.bob.address, *_texts(row))
            with smtplib.SMTP(HOST, self.relay.port, timeout=COMMAND_SECONDS) as smtp:
                smtp.sendmail(OUTSIDER, [self.bob.address], message)
            found = _reads(self.bob, row)
            row.read = bool(found and found["readable_on_the_way"])

    def to_outsider(self) -> None:
        """No key is known: the device sends nothing, and keeps the mail as a draft."""
        step = "to a stranger: a draft"
        with self._row(step, self.bob.address, OUTSIDER, NOTHING, "bob") as row:
            try:
                _send(self.bob, row)
            except StepFailedError as error:
                if "no key is known" not in error.detail:
                    raise
            drafts = self.bob.run_json("mail", "draft", "list")
            row.read = [draft["subject"] for draft in drafts] == [_texts(row)[0]]

    def by_mail_program(self) -> None:
        """A mail program's unsealed mail is passed on, by Bob's own doing, and never stored."""
        program = MailProgram(self.acme, self.bob)
        readers = "the way, carla"
        step = "the same by a program"
        with self._row(step, self.bob.address, OUTSIDER, CLEAR, readers) as row:
            if (code := program.send(OUTSIDER, *_texts(row))) != OK:
                raise StepFailedError(f"the mail program could not send: {code}")

    def search(self) -> None:
        """Search both servers for every mail, of any sender."""
        planted = [marker for row in self.rows for marker in row.markers]
        for deployment, somebody in ((self.acme, self.alice), (self.globex, self.gwen)):
            written = [deployment.directory, deployment.temporary, deployment.logs]
            audit = Audit(written)
            seen = public_marker(f"address at {deployment.domain}", somebody.address)
            audit.search(deployment.pid, [*planted, seen])
            self.reports[deployment.domain] = audit.report()
        on_disk = {
            verdict.name
            for report in self.reports.values()
            for verdict in report.verdicts
            if verdict.disk
        }
        for row in self.rows:
            row.disk = CLEAR if on_disk & {marker.name for marker in row.markers} else NO_TEXT


def _texts(row: Row) -> tuple[str, str]:
    """Subject and text of the row's mail."""
    subject, body = row.markers
    return subject.spellings[0], body.spellings[0]


def _wire(seen: Sequence[Path], markers: Sequence[Marker]) -> str:
    """What of a mail stood in what the relay carried meanwhile, in whatever encoding."""
    if not seen:
        return NOTHING
    searcher = Searcher(markers)
    for file in seen:
        searcher.search_file(file, file.name)
    if searcher.findings:
        return CLEAR
    whole = all(b"-----BEGIN PGP MESSAGE-----" in file.read_bytes() for file in seen)
    return SEALED if whole else "neither sealed nor the mail"


def _send(sender: Person, row: Row) -> None:
    subject, body = _texts(row)
    sender.run("mail", "send", row.recipient, "--subject", subject, standard_input=body)


def _reads(reader: Person, row: Row) -> dict[str, Any] | None:
    """The row's mail as the reader's program prints it, once it has arrived; None: other words."""
    subject, body = _texts(row)
    found: list[int] = []

    def listed() -> bool:
        for entry in reader.run_json("mail", "list"):
            if subject in str(entry["subject"]) and row.sender in str(entry["from"]):
                found.append(int(entry["uid"]))
        return bool(found)

    wait_until(listed, ARRIVAL_SECONDS, f"a mail for {reader.address} did not come")
    mail: dict[str, Any] = reader.run_json("mail", "read", str(found[-1]))
    return mail if body in mail["text"] else None


def run_mail_demo(steps: Steps) -> MailOutcome:
    """Run the whole demo. Raises StepFailedError with the failed command and its output."""
    begun = time.monotonic()
    with _two_servers() as demo:
        for text, do in (
            ("start two servers and a relay between them", demo.start),
            ("activate Alice and Bob at one, Gwen at the other", demo.activate),
            ("write to a colleague", demo.to_colleague),
            ("give a certificate in a file", demo.exchange),
            ("write to the other domain", demo.to_other_domain),
            ("answer by the key in that mail", demo.answer),
            ("take unsealed mail of a stranger", demo.from_outsider),
            ("refuse to write unsealed to a stranger", demo.to_outsider),
            ("pass a mail program's mail on", demo.by_mail_program),
            ("search what both servers wrote, and their memory", demo.search),
        ):
            with steps.step(text):
                do()
        return MailOutcome(demo.rows, demo.reports, time.monotonic() - begun)


@contextmanager
def _two_servers() -> Iterator[MailDemo]:
    """Both deployments, not started, with the relay and the names around them."""
    with temporary_folder() as root, NoNames() as names:
        relay_port, submission, submission_tls = free_ports(3)
        settings = {
            "BLACKTHORN_OUTBOUND_SMARTHOST": f"{HOST}:{relay_port}",
            "BLACKTHORN_DNS_SERVERS": names.address,
        }
        submits = {
            "BLACKTHORN_SUBMISSION_HOST": HOST,
            "BLACKTHORN_SUBMISSION_PORT": str(submission),
            "BLACKTHORN_SUBMISSION_TLS_PORT": str(submission_tls),
        }
        with (
            Deployment(root / "acme", "acme.example", settings | submits) as acme,
            Deployment(root / "globex", "globex.example", settings) as globex,
            Relay(
                relay_port,
                root / "carried",
                {each.domain: each.smtp_port for each in (acme, globex)},
            ) as relay,
        ):
            yield MailDemo(acme, globex, relay)
