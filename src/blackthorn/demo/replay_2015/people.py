"""People of the replay, made in worker processes: real keys, identity chains, mail and messages.

Two people share one MLS group with the suite of real devices.
"""

import os
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.utils import formatdate
from typing import Final

from blackthorn.crypto import openpgp_seal, secret
from blackthorn.crypto.openpgp_open import generate_user_key, sign_detached
from blackthorn.device.core import envelope
from blackthorn.device.core.envelope import EnvelopeKey
from blackthorn.device.core.keys import info_of
from blackthorn.identity.chain import first_statement
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.openpgp import claim
from blackthorn.identity.statements import Genesis, Statement, make
from blackthorn.link.activation.exchange import DeviceKeys
from blackthorn.mail.pgp.seal import Envelope, seal_mail
from blackthorn.mls import suites
from blackthorn.mls.credential import BasicCredential
from blackthorn.mls.framing.key_package import create_key_package, parse_key_package
from blackthorn.mls.group.group import Application, Group

MAIL_BYTES: Final = 6_000
"""Size of a mail before sealing: a page of text with quotations."""

_WORDS: Final = "the order of the day is to be read before noon and answered in writing "


@dataclass(frozen=True, slots=True)
class PeopleTask:
    """One or two addresses of one domain to create people for; times in Unix milliseconds."""

    addresses: tuple[str, ...]
    now_ms: int
    mails: int
    messages: int


@dataclass(frozen=True, slots=True)
class Person:
    """One person; `seeds` and `openpgp` are secret.

    `parcels` are undelivered; `group` is the MLS state that opens them, b"" without one.
    """

    address: str
    seeds: tuple[bytes, bytes] = field(repr=False)
    openpgp: bytes = field(repr=False)
    keys: DeviceKeys
    mails: tuple[bytes, ...] = field(repr=False)
    parcels: tuple[bytes, ...] = field(repr=False)
    group: bytes = field(repr=False)

    @property
    def signing(self) -> SigningKeys:
        return SigningKeys(secret.Secret(self.seeds[0]), secret.Secret(self.seeds[1]))


def make_people(task: PeopleTask) -> list[Person]:
    """Create the people; each writes `messages` messages to the other."""
    drafts = [_Draft(address, task.now_ms) for address in task.addresses]
    if len(drafts) == 2 and task.messages:
        _converse(drafts, task)
    return [draft.made(task) for draft in drafts]


class _Draft:
    """A person under construction."""

    def __init__(self, address: str, now_ms: int) -> None:
        self.address = address
        self.signing = SigningKeys.generate(os.urandom)
        self.openpgp, certificate = generate_user_key(address)
        self.keys = self._brings(now_ms, certificate)
        self.parcels: list[bytes] = []
        self.group = b""

    def _brings(self, now_ms: int, certificate: bytes) -> DeviceKeys:
        """The activation's keys with genesis and certificate statements."""
        info = info_of(self.signing, "phone")
        signers = [(info.id, self.signing)]
        first = make(first_statement(self.address, Genesis(info), now_ms), signers)
        body = claim(self.address, certificate, lambda data: sign_detached(data, self.openpgp))
        second = make(Statement(self.address, 2, first.statement.hash, body, now_ms), signers)
        return DeviceKeys(
            identity_key=self.signing.public.ed25519,
            name="phone",
            certificate=certificate,
            key_packages=[],
            last_resort=b"none",
            statements=[first.encode(), second.encode()],
        )

    def made(self, task: PeopleTask) -> Person:
        certificate = openpgp_seal.parse_certificate(self.keys.certificate)
        mails = [
            seal_mail(
                plain_mail(self.address, f"Letter {number + 1}", task.now_ms),
                envelope_of(self.address, task.now_ms),
                certificate,
                os.urandom,
            )
            for number in range(task.mails)
        ]
        return Person(
            self.address,
            (self.signing.ed25519.expose(), self.signing.ml_dsa.expose()),
            self.openpgp.expose(),
            self.keys,
            tuple(mails),
            tuple(self.parcels),
            self.group,
        )


def plain_mail(address: str, subject: str, now_ms: int, body: str = "") -> bytes:
    """A mail to the address from another server."""
    message = EmailMessage()
    message["From"] = "Carla Outside <carla@outside.example>"
    message["To"] = address
    message["Subject"] = subject
    message["Date"] = formatdate(now_ms // 1000)
    text = body or _WORDS * (MAIL_BYTES // len(_WORDS))
    message.set_content(text)
    return message.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


def envelope_of(address: str, now_ms: int) -> Envelope:
    domain = address.rpartition("@")[2]
    peer = ("carla@outside.example", "mx.outside.example", "192.0.2.25")
    return Envelope(domain, address, *peer, True, now_ms // 1000)


def _believe(*_: object) -> None:
    """Accept both members: they were created here."""


def _converse(drafts: list[_Draft], task: PeopleTask) -> None:
    """Create one group for both, and messages in each direction."""
    suite, now = suites.suite(suites.DEFAULT_SUITE), task.now_ms // 1000
    founder, joiner = drafts
    credentials = [BasicCredential(each.address.encode()) for each in drafts]
    package, private = create_key_package(
        suite,
        credentials[1],
        joiner.signing.ed25519,
        joiner.signing.public.ed25519,
        random=os.urandom,
        now=now,
    )
    first = Group.create(
        suite,
        os.urandom(16),
        credentials[0],
        founder.signing.ed25519,
        founder.signing.public.ed25519,
        random=os.urandom,
        now=now,
    )
    added = [parse_key_package(package, now=now, validate=_believe)]
    welcome = first.commit(add=added, random=os.urandom, now=now, validate=_believe).welcome
    first.merge_pending()
    second = Group.join(welcome or b"", private, joiner.signing.ed25519, validate=_believe)
    for number in range(task.messages):
        for here, there, group in ((0, 1, first), (1, 0, second)):
            text = f"{drafts[here].address} writes number {number + 1}".encode()
            message = group.encrypt(text, random=os.urandom)
            drafts[there].parcels.append(_key(group).seal(message, os.urandom))
    founder.group, joiner.group = first.serialise(), second.serialise()


def _key(group: Group) -> EnvelopeKey:
    exported = group.export(envelope.EXPORT_LABEL, b"", envelope.KEY_BYTES)
    return EnvelopeKey((group.group_id, group.epoch), secret.Secret(exported))


def open_parcels(group: bytes, parcels: list[bytes], now_ms: int) -> list[tuple[bytes, str, str]]:
    """Group id, sender and text of each parcel. Raises EnvelopeError, MLSError."""
    held = Group.deserialise(group)
    found = []
    for parcel in parcels:
        _, message = envelope.open_group_parcel(parcel, [_key(held)])
        outcome = held.process(message, validate=_believe)
        if isinstance(outcome, Application):
            text = outcome.content.decode()
            found.append((held.group_id, text.partition(" ")[0], text))
    return found
