"""A person with things to export and no vault, no link and no disk: what a test says she has."""

import io
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from blackthorn.device.export.export import ExportMail
from blackthorn.device.export.manifest import Problem, encode_chain
from blackthorn.device.export.messages import ExportConversation, ExportMessage
from blackthorn.device.export.vcard import ExportContact
from blackthorn.identity.bodies import DeviceInfo, Genesis
from blackthorn.identity.chain import Terms, first_statement
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import ENROLMENT, make

NOW_MS = 1_700_000_000_000
ADDRESS = "alice@acme.example"


@dataclass
class Person:
    """`device.export.export.ExportSource`, of lists."""

    mail: list[ExportMail] = field(default_factory=list)
    talks: list[ExportConversation] = field(default_factory=list)
    people: list[ExportContact] = field(default_factory=list)
    unopened: list[Problem] = field(default_factory=list)
    address: str = ADDRESS
    created_ms: int = NOW_MS
    locked_keys: tuple[bytes, ...] = (b"-----BEGIN PGP MESSAGE-----\n",)
    signing: SigningKeys = field(
        default_factory=lambda: SigningKeys.generate(random.Random(1).randbytes)
    )

    @property
    def chain(self) -> bytes:
        office = SigningKeys.generate(random.Random(2).randbytes)
        public = self.signing.public
        info = DeviceInfo.of("laptop", public, public.ed25519)
        draft = first_statement(self.address, Genesis(info), NOW_MS)
        first = make(draft, [(info.id, self.signing), (ENROLMENT, office)])
        terms = Terms(office.public, 1_000, NOW_MS)
        return encode_chain(self.address, [first.encode()], terms)

    def mails(self) -> list[ExportMail]:
        return self.mail

    def conversations(self) -> list[ExportConversation]:
        return self.talks

    def contacts(self) -> list[ExportContact]:
        return self.people

    def problems(self) -> list[Problem]:
        return self.unopened


@dataclass
class Memory:
    """`device.export.export.ExportSink`, in memory."""

    files: dict[str, bytes] = field(default_factory=dict)

    @contextmanager
    def create(self, path: str) -> Iterator[io.BytesIO]:
        assert path not in self.files
        file = io.BytesIO()
        yield file
        self.files[path] = file.getvalue()


def mail(uid: int, content: bytes | None, problem: str = "", sender: str = "") -> ExportMail:
    return ExportMail(uid, NOW_MS, content, sender, problem)


def talk(name: str, *texts: str, kind: str = "group") -> ExportConversation:
    messages = [
        ExportMessage(bytes([number]) * 32, name, "text", text, NOW_MS, NOW_MS, "received")
        for number, text in enumerate(texts)
    ]
    return ExportConversation(kind, name, [b"i" * 32], [ADDRESS, name], "active", messages)


def ordinary() -> Person:
    """Someone with five mails and three messages."""
    content = b"From: eve@example.net\r\nSubject: hello\r\n\r\nFrom here\r\n>From there\r\n"
    return Person(
        mail=[mail(number, content + b"%d\r\n" % number) for number in range(1, 6)],
        talks=[talk("team", "one", "two"), talk("bob@acme.example", "three", kind="direct")],
        people=[ExportContact("bob@acme.example", True), ExportContact("eve@acme.example")],
    )
