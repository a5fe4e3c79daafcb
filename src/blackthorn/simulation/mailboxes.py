"""Mail that comes in for users, and moves of users between markets, while devices live.

Mail is sealed as the server seals it, to the certificate that is in force, and lies in the real
store. A move rewraps a few rows at a time, as `user move` does beside the server: whatever happens
may come between its steps.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.device.mail import keys
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.errors import BlackthornError, UserError
from blackthorn.mail.errors import SealBrokenError
from blackthorn.mail.pgp.seal import Envelope, seal_mail
from blackthorn.ports.mail import ListMail, ReadMail, SealedMail, StoreMail
from blackthorn.ports.markets import MoveUser
from blackthorn.server.mail.recipient_policy import Recipient, RecipientPolicy
from blackthorn.simulation.device import Person
from blackthorn.simulation.ledger import DOMAIN
from blackthorn.simulation.world import World
from blackthorn.storage.sqlite.stores import markets

ROWS: Final = 4
"""Rows that one step of a move rewraps."""

MOST: Final = 100_000
"""Mails of one user that are read at the end."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A mail that the server has accepted for a user, at that age of the world."""

    user: str
    number: int
    uid: int
    at: float
    body: bytes


@dataclass(slots=True)
class Mailboxes:
    """The mail of one world."""

    world: World
    mails: list[Arrived] = field(default_factory=list)

    def arrive(self, user: str, age: float) -> None:
        """Accept a mail for the user, unless there is no certificate to seal it to."""
        world, found = self.world, list[Recipient | BlackthornError]()
        policy = RecipientPolicy(DOMAIN, world.ledger.cache, world)
        policy.recipient(world.user(user), found.append)
        if not isinstance(found[0], Recipient):
            return
        body = b"mail %d for %s" % (len(self.mails), user.encode())
        content = b"From: outside@example.org\r\nSubject: a mail\r\n\r\n" + body + b"\r\n"
        peer, now = "192.0.2.1", world.now_ms // 1000
        sender = "outside@example.org"
        envelope = Envelope(DOMAIN, world.user(user), sender, "mx.example.org", peer, True, now)
        certificate = parse_certificate(found[0].certificate)
        sealed = seal_mail(content, envelope, certificate, world.chance.randbytes)
        number = found[0].user.number
        (uid,) = world.ledger.engine.execute(StoreMail((SealedMail(number, sealed),), world.now_ms))
        self.mails.append(Arrived(user, number, uid, age, body))

    def move(self, user: str, market: str, steps: int) -> None:
        """Take so many steps of a move of the user to that market; all of them for 0."""
        world = self.world
        fingerprint = hashlib.sha256(market.encode()).digest()
        markets.register(world.database.writing, market, fingerprint, world.now_ms)
        command, taken, over = MoveUser(world.user(user), market, ROWS), 0, False
        while not over and (taken < steps or not steps):
            over, taken = world.ledger.engine.write(command), taken + 1

    def unread(self, person: Person, user: str) -> Iterator[Arrived]:
        """The mails of the user that the device cannot open."""
        engine, mine = self.world.ledger.engine, [m for m in self.mails if m.user == user]
        if not mine:
            return
        with person.vault.transaction() as records:
            secrets = keys.secrets(records)
        sizes = {head.uid: head.size for head in engine.read(ListMail(mine[0].number, 0, MOST))}
        for mail in mine:
            part = engine.read(ReadMail(mail.number, mail.uid, 0, sizes.get(mail.uid, 0)))
            try:
                opened = part is not None and keys.open_with_any(part.data, secrets)
            except SealBrokenError:
                opened = False
            if not opened or mail.body not in opened.content:
                yield mail


def state_key(person: Person) -> None:
    """The user gets a key for mail, as at activation, if there is none yet."""
    chain = person.chain_of(person)
    if chain is not None and chain.openpgp is not None:
        raise UserError("there is a key for mail already")
    person.enqueue(
        lambda unit: change_chain.enqueue_mail_key(
            unit, keys.fresh(unit.records, unit.me.address, clock_ms(unit))
        )
    )
