"""A world in which people mail each other: their servers' queue, and mailboxes in the database."""

import re
from types import SimpleNamespace
from typing import Any

from blackthorn.crypto.openpgp.recipients import RecipientCertificate, judge, seal_to_all
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.secret import Secret
from blackthorn.device.letters import letters
from blackthorn.device.letters.letters import Head, Written
from blackthorn.device.mail import keys
from blackthorn.device.mail.signatures import VerifiedMail, certificates
from blackthorn.device.mail.signatures import judge as judge_signature
from blackthorn.device.operations import change_chain, send_mail
from blackthorn.errors import UnavailableError
from blackthorn.ids import Address, Fingerprint
from blackthorn.mail.compose import protection
from blackthorn.mail.compose.answer import Thread
from blackthorn.mail.compose.entity import Entity, File, compose
from blackthorn.mail.compose.letter import Letter, Mailbox
from blackthorn.mail.pgp.notice import Reader
from blackthorn.mail.pgp.open import OpenedMail
from blackthorn.ports.device_letters import LetterRecord
from blackthorn.ports.mail import ListMail, ReadMail, SealedMail, StoreMail
from blackthorn.ports.outbound.queue import DueDeliveries, DueDomains, FinishDelivery, ReadQueued
from blackthorn.ports.outside.certificates import FoundCertificates
from blackthorn.ports.store import Done
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.dispatcher import FrameHandler
from blackthorn.server.handlers.mail.mailbox import MailHandler
from blackthorn.server.handlers.mail.submission import SubmissionHandler
from blackthorn.server.mail.outside_certificates import OutsideCertificates
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.mail.quota import MailQuota
from blackthorn.server.mail.recipient_policy import RecipientPolicy
from blackthorn.server.mail.recipients import Recipients
from blackthorn.server.mail.service import MailService
from blackthorn.server.outbound.envelope import decode
from blackthorn.server.outbound.queue import OutboundQueue
from blackthorn.server.outbound.submission import SubmissionService
from blackthorn.simulation.device import Person
from tests.support.device_world import World

DOMAIN = "acme.example"


class MailWorld(World):
    """People with mail keys that the ledger shows. `full`: the disk has no room for mail."""

    full = False

    def __init__(self, seed: int, *names: str) -> None:
        self.published: dict[str, bytes] = {}
        """Certificates of people outside, as their domains publish them."""
        self.unreachable = False
        self.asked: list[str] = []
        self.outside: list[tuple[str, bytes]] = []
        """What was delivered to other domains: recipient and sealed mail."""
        super().__init__(seed, *names)
        for person in self.people:
            person.enqueue(
                lambda unit: change_chain.enqueue_mail_key(
                    unit, keys.fresh(unit.records, unit.me.address, unit.now_ms)
                )
            )
        self.settle()
        self.publish()
        self.settle()
        for person in self.people:
            self.introduce(person)

    def mail_handlers(self, counters: Counters) -> tuple[FrameHandler | None, FrameHandler | None]:
        pieces = PieceWriter(writer=self.writer, random=self.chance.randbytes)
        mail = MailService(
            pieces=pieces,
            reader=self.ledger.reader,
            clock=self,
            counters=counters,
            arrived=lambda address, uid: None,
            quota=MailQuota(self.ledger.reader, self),
        )
        queue = OutboundQueue(
            pieces=pieces,
            reader=self.ledger.reader,
            clock=self,
            random=self.chance.randbytes,
            counters=counters,
            has_room=lambda size: not self.full,
        )
        policy = RecipientPolicy(DOMAIN, self.ledger.cache, self)
        recipients = Recipients(policy, self.ledger.reader)
        submissions = SubmissionService(queue=queue, recipients=recipients)
        self.submission = SubmissionHandler(submissions, self.ledger.cache)
        published = OutsideCertificates(DOMAIN, self._published, self)
        mailbox = MailHandler(mail, self.ledger.cache, counters, published)
        return mailbox, self.submission

    def _published(self, address: Address, done: Done[FoundCertificates]) -> None:
        """What the web server of the address's domain publishes."""
        self.asked.append(address)
        if self.unreachable:
            done(UnavailableError("the domain does not answer"))
        else:
            done(FoundCertificates(self.published.get(address, b"")))

    def deliver(self) -> None:
        """Empty the queue: to mailboxes here, and to `outside`."""
        engine = self.ledger.engine
        for due in engine.read(DueDomains(self.now_ms, "", 100)):
            for delivery in engine.read(DueDeliveries(due.domain, self.now_ms, 100)):
                sealed = engine.read(ReadQueued(delivery.mail))
                assert sealed is not None
                for to in decode(delivery.envelope).recipients:
                    if due.domain == DOMAIN:
                        number = self.number_of(to.address)
                        engine.execute(StoreMail((SealedMail(number, sealed),), self.now_ms))
                    else:
                        self.outside.append((to.address, sealed))
                engine.execute(FinishDelivery(delivery.number))

    def publish_key(self, address: str) -> Secret:
        """Somebody outside publishes a certificate; its secret key."""
        secret, self.published[address] = generate_user_key(address)
        return secret

    def number_of(self, address: str) -> int:
        user = re.sub(r"\+[^@]*", "", address)
        (person,) = [one for one in self.people if one.address == user]
        return person.number

    def mailbox(self, person: Person) -> list[bytes]:
        """The sealed mail of the person on the server's disk."""
        engine = self.ledger.engine
        heads = engine.read(ListMail(person.number, 0, 1_000))
        parts = [engine.read(ReadMail(person.number, head.uid, 0, head.size)) for head in heads]
        return [part.data for part in parts if part is not None]

    def opened(self, person: Person) -> list[OpenedMail]:
        """The person's mail as their device opens it."""
        with person.vault.transaction() as records:
            secrets = keys.secrets(records)
        return [keys.open_with_any(sealed, secrets) for sealed in self.mailbox(person)]


def judged(person: Person, sealed: bytes) -> VerifiedMail:
    """A mail as the person's device opens and judges it."""
    reader = Reader(person.address, Fingerprint(bytes(32)))
    with person.vault.transaction() as records:
        secrets = keys.secrets(records)
        mail = keys.open_with_any(sealed, secrets, reader)
        found = certificates(records, mail, person.address)
    return VerifiedMail(mail, judge_signature(sealed, secrets, found))


def program_of(person: Person) -> Any:
    """The person's device as the program that opens mail has it."""
    server = SimpleNamespace(pin=Fingerprint(bytes(32)))
    return SimpleNamespace(
        opened=SimpleNamespace(vault=person.vault, keys=person.keys, server=server)
    )


def reader_of(person: Person, now: int) -> RecipientCertificate:
    """The person's newest certificate, to seal to."""
    with person.vault.transaction() as records:
        key = keys.newest(records)
    assert key is not None
    return judge(key.certificate, person.address, now)


def secret_of(person: Person) -> Secret:
    """The key by which the person's device signs."""
    with person.vault.transaction() as records:
        key = keys.newest(records)
    assert key is not None
    return Secret(key.secret)


def mail_to(
    *to: str,
    cc: tuple[str, ...] = (),
    bcc: tuple[str, ...] = (),
    subject: str = "the plan",
    text: str = "Attack at dawn.\n",
    files: tuple[File, ...] = (),
) -> Written:
    """A mail as a person writes it."""
    return Written(
        [Mailbox(address) for address in to],
        [Mailbox(address) for address in cc],
        [Mailbox(address) for address in bcc],
        Thread(subject),
        compose(text, files, random=lambda size: bytes(size)),
    )


def signed_mail(
    author: str,
    signer: Secret | None,
    reader: RecipientCertificate,
    now: int,
    to: str,
    *,
    entity: Entity | None = None,
) -> bytes:
    """A mail of the author `to` somebody, signed by any key and sealed to any reader."""
    letter = Letter(Mailbox(author), (Mailbox(to),), (), "hi", 1, "<1@x.example>")
    outer = protection.outside(letter)
    inner = protection.payload(letter, entity or compose("hi", random=bytes), outer)
    armored = seal_to_all(inner, [reader], now=now, signer=signer)
    return protection.message(outer, armored, bytes)


def send(person: Person, written: Written) -> int:
    return person.enqueue(lambda unit: send_mail.enqueue(unit, written))


def letter_of(person: Person) -> tuple[LetterRecord, Head]:
    """The person's one letter."""
    with person.vault.transaction() as records:
        (record,) = records.letters.all()
    return record, letters.head_of(record)
