"""The demo: one enterprise from its setup to a search of the server's memory, with real processes.

All numbers are counted from outputs: accepted and received messages, SMTP replies, search results.
"""

import dataclasses
import json
import time
from dataclasses import dataclass

from blackthorn.audit.plaintext.search import Marker
from blackthorn.audit.plaintext.verdict import Audit, Report, code_marker, mint, public_marker
from blackthorn.demo import linking, markers, sample_mail
from blackthorn.demo.correspondence import DELIVERY_SECONDS, Correspondence
from blackthorn.demo.deployment import Deployment, Person, StepFailedError, Steps, wait_until

STEPS = 14  # of `run_demo`


@dataclass(frozen=True, slots=True)
class Tally:
    """Sent and received items of one kind."""

    sent: int
    received: int


@dataclass(frozen=True, slots=True)
class Outcome:
    """The counts of the demo."""

    parts: dict[str, Tally]
    mail: Tally
    audited: int
    alarms: int
    repeated: int
    removed_member_read: int
    plaintext: Report
    seconds: float

    @property
    def messages(self) -> Tally:
        """All messages, counted once for each recipient, and what a second device has read."""
        tallies = self.parts.values()
        return Tally(sum(tally.sent for tally in tallies), sum(tally.received for tally in tallies))

    def failures(self) -> list[str]:
        """Failed expectations in words."""
        checks = {
            "not every message came": all(
                tally.sent == tally.received > 0 for tally in self.parts.values()
            ),
            "a message came twice": self.repeated == 0,
            "not every e-mail was accepted and opened": self.mail.sent == self.mail.received == 3,
            "the ledger was not audited": self.audited > 0,
            "a device has raised an alarm": self.alarms == 0,
            "the removed member read what came after": self.removed_member_read == 0,
            "a secret was found on the server": self.plaintext.found == 0,
            "the plaintext search is blind": self.plaintext.sees,
        }
        return [text for text, holds in checks.items() if not holds]


class Demo:
    """Alice, Bob and Carol of one enterprise; each step is a method."""

    def __init__(self, deployment: Deployment) -> None:
        self.deployment = deployment
        self.letters = Correspondence()
        self.parts: dict[str, Tally] = {}
        self._counted = Tally(0, 0)
        self.markers: list[Marker] = []
        self.group = self._plant("group name", "group name")
        self.after_removal: list[str] = []
        self.accepted = 0
        self.opened = 0
        self.audited = 0
        self.alarms = 0
        self._mail: list[tuple[str, str]] = []
        self._audit = Audit([deployment.directory, deployment.temporary, deployment.logs])

    def _plant(self, name: str, kind: str) -> str:
        marker = mint(name, kind)
        self.markers.append(marker)
        return marker.spellings[0]

    def _text(self, words: str) -> str:
        return f"{words} {self._plant(f'message {len(self.markers)}', 'message')}"

    def _count(self, part: str) -> None:
        """Count everything since the last call as this part."""
        before, self._counted = self._counted, Tally(self.letters.sent, self.letters.received)
        sent, received = self._counted.sent - before.sent, self._counted.received - before.received
        self.parts[part] = Tally(sent, received)

    def activate(self) -> None:
        """Three people with a device each; Alice's has a passphrase."""
        passphrase = self._plant("passphrase", "passphrase")
        secrets = {"alice": passphrase, "bob": None, "carol": None}
        people: list[Person] = []
        for name, secret in secrets.items():
            person, code = self.deployment.enrol(name, secret)
            self.markers.append(public_marker(f"address of {name}", person.address))
            self.markers.append(code_marker(f"code of {name}", code))
            people.append(person)
        self.alice, self.bob, self.carol = people

    def direct(self) -> None:
        """Direct messages both ways; Bob's inbox is followed in a separate process."""
        follower = self.deployment.follow(self.bob)
        for words in ("Lunch?", "At noon?"):
            self.letters.send(self.alice, [self.bob], self._text(words))

        def arrived() -> bool:
            self.letters.keep(self.bob, list(follower.lines))
            return self.letters.missing(self.bob) == 0

        wait_until(arrived, DELIVERY_SECONDS, "Bob's follower did not print the messages")
        follower.stop()
        self.letters.send(self.bob, [self.alice], self._text("Noon it is."))
        self.letters.send(self.carol, [self.alice], self._text("May I come?"))
        self.letters.collect(self.alice)
        self._count("direct")

    def group_talk(self) -> None:
        """A group of three in which everyone writes."""
        everyone = [self.alice, self.bob, self.carol]
        self.alice.run("group", "create", self.group, self.bob.address, self.carol.address)
        for speaker in everyone:
            others = [person for person in everyone if person is not speaker]
            self.letters.collect(speaker)
            self.letters.send_to_group(speaker, self.group, others, self._text("Hello, all."))
        self.letters.collect(*everyone)
        self._count("group of three")

    def remove(self) -> None:
        """Carol is removed from the group, and tries to read later messages."""
        self.alice.run("group", "remove", self.group, self.carol.address)
        for speaker, listener in ((self.alice, self.bob), (self.bob, self.alice)):
            self.letters.collect(speaker)
            text = self._text("Without Carol.")
            self.after_removal.append(text)
            self.letters.send_to_group(speaker, self.group, [listener], text)
        self.letters.collect(self.alice, self.bob)
        self._count("group after a removal")
        self.letters.send(self.alice, [self.carol], self._text("Dear Carol, sorry."))
        self.letters.collect(self.carol)
        self._count("direct to the removed")

    @property
    def removed_member_read(self) -> int:
        """Messages after the removal that Carol's device printed."""
        return len(set(self.after_removal) & self.letters.texts(self.carol))

    def link_second(self) -> None:
        """Alice links a second device, which reads earlier and new messages."""
        self.tablet = self.deployment.person("alice-tablet")
        self.tablet = dataclasses.replace(self.tablet, address=self.alice.address)
        linking.link_device(self.alice, self.tablet)
        earlier = self.letters.texts(self.alice)
        shown = {str(line["text"]) for line in self.tablet.run_json("history")}
        text = self._text("To both of your devices.")
        self.letters.send(self.bob, [self.alice], text)
        self.letters.collect(self.alice)
        read = {str(line["text"]) for line in self.tablet.run_json("inbox")}
        self.parts["read on a second device"] = Tally(
            len(earlier) + 1, len(earlier & shown) + (text in read)
        )
        self._count("direct to two devices")

    def audit(self) -> None:
        """Audit the ledger over HTTPS, and count alarms."""
        place = f"https://127.0.0.1:{self.deployment.ledger_port}"
        audited = json.loads(self.deployment.administer("audit", "ledger", place, "--json"))
        self.audited = int(audited["entries"])
        people = (self.alice, self.bob, self.carol, self.tablet)
        self.alarms = sum(len(person.run_json("alarms")) for person in people)

    def receive_mail(self) -> None:
        for kind in ("plain", "attached", "hostile"):
            subject = self._plant(f"subject, {kind}", "mail subject")
            body = self._plant(f"body, {kind}", "mail body")
            to = self.alice.address
            if kind == "plain":
                message = sample_mail.plain_mail(to, subject, body)
            else:
                name = self._plant(f"attachment, {kind}", "attachment name") + ".png"
                message = sample_mail.WITH_FILE[kind](to, subject, body, name)
            self.deployment.deliver_mail(sample_mail.SENDER, [to], message)
            self.accepted += 1
            self._mail.append((subject, body))

    def read_mail(self) -> None:
        """Alice opens each e-mail and checks its words and safe output."""
        for entry in self.alice.run_json("mail", "list"):
            mail = self.alice.run_json("mail", "read", str(entry["uid"]))
            names = "".join(str(part["name"]) for part in mail["attachments"])
            shown = str(entry["subject"]) + str(mail["text"]) + names
            harmless = "\x1b" not in shown and "\u202e" not in shown and "/" not in names
            known = any(subject in shown and body in shown for subject, body in self._mail)
            self.opened += harmless and known

    def let_messages_wait(self) -> None:
        """Messages to Bob and to the group while nobody receives."""
        for number in range(3):
            self.letters.send(self.alice, [self.bob], self._text(f"While you were out, {number}"))
        self.letters.send_to_group(
            self.alice, self.group, [self.bob], self._text("All, read this.")
        )

    def restart(self) -> None:
        """Restart the server; it must exit cleanly."""
        if code := self.deployment.stop_server():
            raise StepFailedError(f"the server ended with {code} on SIGTERM")
        self.deployment.start_server()

    def receive_waiting(self) -> None:
        """Receive and answer the messages that waited during the restart."""
        self.letters.collect(self.bob)
        self.letters.send(self.bob, [self.alice], self._text("I am back."))
        self.letters.collect(self.alice)
        self._count("waiting over a restart")

    def search(self) -> None:
        """Search the server's disk and memory for all markers planted so far."""
        self._audit.search(self.deployment.pid, self.markers)

    def outcome(self, seconds: float) -> Outcome:
        self.letters.look(self.carol)
        return Outcome(
            parts=self.parts,
            mail=Tally(self.accepted, self.opened),
            audited=self.audited,
            alarms=self.alarms,
            repeated=self.letters.repeated,
            removed_member_read=self.removed_member_read,
            plaintext=self._audit.report(),
            seconds=seconds,
        )


def run_demo(steps: Steps) -> Outcome:
    """Run the whole demo. Raises StepFailedError with the failed command and its output."""
    begun = time.monotonic()
    with markers.temporary_deployment() as deployment:
        demo = Demo(deployment)
        with steps.step("start a server"):
            deployment.initialise()
            deployment.start_server()
        for text, do in (
            ("activate Alice, Bob and Carol", demo.activate),
            ("write to each other", demo.direct),
            ("talk in a group", demo.group_talk),
            ("remove Carol from the group", demo.remove),
            ("link a second device of Alice's", demo.link_second),
            ("receive three e-mails by SMTP", demo.receive_mail),
            ("leave messages waiting", demo.let_messages_wait),
            ("search the server's disk and memory", demo.search),
            ("restart the server", demo.restart),
            ("receive what waited", demo.receive_waiting),
            ("open the e-mails", demo.read_mail),
            ("audit the ledger", demo.audit),
            ("search the server's disk and memory again", demo.search),
        ):
            with steps.step(text):
                do()
        return demo.outcome(time.monotonic() - begun)
