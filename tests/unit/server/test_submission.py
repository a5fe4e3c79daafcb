"""Submission: a user's own sealed mail is queued for each domain, and nothing else is."""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.errors import BlackthornError, DiskError, LimitError
from blackthorn.ids import Address
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.pgp.seal import Envelope, seal_mail
from blackthorn.mail.pgp.sealed import NotSealedError
from blackthorn.ports.enterprise import UserRecord
from blackthorn.ports.outbound.queue import DueDeliveries, DueDomains, ReadQueued
from blackthorn.server.counters import Counters
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.mail.recipient_policy import RecipientPolicy, RecipientRefusedError
from blackthorn.server.mail.recipients import Recipients
from blackthorn.server.outbound import limits
from blackthorn.server.outbound.envelope import decode
from blackthorn.server.outbound.queue import OutboundQueue
from blackthorn.server.outbound.submission import (
    BadRecipientError,
    NotDirectError,
    NotOwnAddressError,
    Submission,
    SubmissionService,
    TooManyRecipientsError,
)
from blackthorn.server.rate_limiter import Buckets
from blackthorn.simulation.stepped import SteppedReader, SteppedWriter
from tests.support.memory_store.engine import MemoryEngine
from tests.support.memory_store.state import User

_, CERTIFICATE = generate_user_key("bob@acme.example")
ALICE = UserRecord(1, Address("alice@acme.example"), "00000001", CERTIFICATE, ())
BOB = UserRecord(2, Address("bob@acme.example"), "00000002", CERTIFICATE, ())
TOKEN = bytes(range(16))


def sealed(author: str = "alice@acme.example", extra: str = "", size: int = 10) -> bytes:
    envelope = Envelope("acme.example", "bob@acme.example", "", "", "", False, 1_900_000_000)
    content = seal_mail(
        bytes(size), envelope, parse_certificate(CERTIFICATE), random.Random(2).randbytes
    )
    _, _, rest = content.partition(b"\r\n")
    return f"From: {author}\r\n{extra}".encode() + rest


class People:
    def load_user(self, address: str, done: Callable[[UserRecord | None], None]) -> None:
        known = {user.address: user for user in (ALICE, BOB)}
        done(known.get(Address(address)))

    def load_users(
        self, addresses: Sequence[Address], done: Callable[[dict[Address, UserRecord]], None]
    ) -> None:
        done({user.address: user for user in (ALICE, BOB) if user.address in addresses})


@dataclass
class Clock:
    now: float = 1_900_000_000.0

    def wall_ms(self) -> int:
        return int(self.now * 1000)

    def monotonic(self) -> float:
        return self.now


class World:
    def __init__(self) -> None:
        self.engine = MemoryEngine()
        for user in (ALICE, BOB):
            self.engine.state.users[user.number] = User(user.address, user.pin, "XX")
        self.writer = SteppedWriter(self.engine)
        self.clock, self.counters, source = Clock(), Counters(), random.Random(1)
        self.room, self.woken = True, list[str]()
        reader = SteppedReader(self.engine)
        queue = OutboundQueue(
            pieces=PieceWriter(writer=self.writer, random=source.randbytes),
            reader=reader,
            clock=self.clock,
            random=source.randbytes,
            counters=self.counters,
            has_room=lambda size: self.room,
            queued=self.woken.extend,
        )
        policy = RecipientPolicy("acme.example", People(), self.clock)  # type: ignore[arg-type]
        self.service = SubmissionService(queue=queue, recipients=Recipients(policy, reader))

    def submit(
        self,
        *recipients: str,
        content: bytes | None = None,
        sender: str = "alice@acme.example",
        token: bytes = b"",
    ) -> int:
        outcomes: list[int | BlackthornError] = []
        content = sealed() if content is None else content
        submission = Submission(ALICE, sender, recipients, content, token)
        self.service.accept(submission, outcomes.append)
        while self.writer.commit():
            pass
        (outcome,) = outcomes
        if isinstance(outcome, BlackthornError):
            raise outcome
        return outcome

    @property
    def domains(self) -> list[str]:
        now = self.clock.wall_ms()
        return [found.domain for found in self.engine.read(DueDomains(now, "", 99))]


@pytest.fixture
def world() -> World:
    return World()


def test_local_and_remote_recipients_are_split_by_domain(world: World) -> None:
    to = ("bob@acme.example", "Carol@Far.example", "dave@far.example", "eve@other.example")
    content = sealed()
    number = world.submit(*to, content=content)
    assert world.domains == ["acme.example", "far.example", "other.example"] == sorted(world.woken)
    (delivery,) = world.engine.read(DueDeliveries("far.example", world.clock.wall_ms(), 9))
    envelope = decode(delivery.envelope)
    assert envelope.sender == "alice@acme.example" and delivery.mail == number
    assert [to.address for to in envelope.recipients] == ["Carol@far.example", "dave@far.example"]
    assert world.engine.read(ReadQueued(number)) == content
    assert (world.counters.outbound_queued, world.counters.outbound_waiting) == (1, 3)


def test_a_mail_sent_again_by_its_token_is_one_mail(world: World) -> None:
    number = world.submit("eve@far.example", token=TOKEN)
    assert world.submit("eve@far.example", token=TOKEN) == number
    assert len(world.engine.read(DueDeliveries("far.example", world.clock.wall_ms(), 9))) == 1
    assert world.counters.outbound_waiting == 1


def test_a_large_mail_is_queued_whole(world: World) -> None:
    content = sealed(size=300_000)
    assert world.engine.read(ReadQueued(world.submit("a@far.example", content=content))) == content


@pytest.mark.parametrize(
    ("sender", "author"),
    [
        ("bob@acme.example", "alice@acme.example"),
        ("alice@acme.example", "bob@acme.example"),
        ("alice@acme.example", "Alice <bob@acme.example>"),
        ("alice@acme.example", "bob@acme.example, <alice@acme.example>"),
        ("alice@acme.example", "alice@acme.example\r\nFrom: bob@acme.example"),
        ("alice@acme.example", ""),
        ("alice@acme.example", "álice@acme.example"),
        ("", "alice@acme.example"),
        ("alice@far.example", "alice@far.example"),
    ],
)
def test_nobody_writes_in_the_name_of_another(world: World, sender: str, author: str) -> None:
    with pytest.raises(NotOwnAddressError):
        world.submit("eve@far.example", sender=sender, content=sealed(author))
    assert world.domains == [] and world.counters.submissions_refused == 1


@pytest.mark.parametrize(
    "author",
    ['"a@b, <c>" <alice@acme.example>', "ALICE@Acme.example", "Alice <alice+list@acme.example>"],
)
def test_the_own_address_may_be_written_in_many_ways(world: World, author: str) -> None:
    assert world.submit("eve@far.example", content=sealed(author))


@pytest.fixture
def named(world: World) -> World:
    """With an alias of each, a list, and a catch-all."""
    names = {"sales": [1], "help": [2], "team": [1, 2], "*": [1]}
    world.engine.state.aliases.update(names)
    return world


@pytest.mark.parametrize("own", ["sales@acme.example", "Sales+x@acme.example"])
def test_an_alias_of_the_user_alone_is_theirs_to_write_as(named: World, own: str) -> None:
    assert named.submit("eve@far.example", sender=own, content=sealed(own))


@pytest.mark.parametrize(
    "other",
    [
        "help@acme.example",
        "team@acme.example",
        "nobody@acme.example",
        "*@acme.example",
        "*+x@acme.example",
        "postmaster@acme.example",
        "bob+sales@acme.example",
        "sales@far.example",
    ],
)
def test_what_leads_to_others_too_is_nobodys_to_write_as(named: World, other: str) -> None:
    plain = b"From: %s\r\n\r\nHello\r\n" % other.encode()
    for sender, content in (
        (other, sealed()),
        ("alice@acme.example", sealed(other)),
        ("alice@acme.example", plain),
    ):
        with pytest.raises(NotOwnAddressError):
            named.submit("eve@far.example", sender=sender, content=content)
    assert named.domains == []


def test_a_users_own_name_goes_before_an_alias_of_another(world: World) -> None:
    world.engine.state.aliases["bob"] = [1]
    with pytest.raises(NotOwnAddressError):
        world.submit("eve@far.example", sender="bob@acme.example")


def test_a_program_writes_to_other_names_and_a_device_to_people(named: World) -> None:
    for to in (
        "sales@acme.example",
        "help+x@acme.example",
        "team@acme.example",
        "new@acme.example",
    ):
        assert named.submit(to)
        with pytest.raises(NotDirectError, match="write to the people themselves"):
            named.submit(to, token=TOKEN)
    for to in ("bob@acme.example", "BOB+x@acme.example"):
        assert named.submit(to, token=to.encode()[:16])


def test_unsealed_mail_is_never_queued(world: World) -> None:
    plain = b"From: alice@acme.example\r\nSubject: ...\r\n\r\nAttack at dawn.\r\n"
    for to in ("bob@acme.example", "eve@far.example"):
        with pytest.raises(NotSealedError):
            world.submit(to, content=plain)
    with pytest.raises(MailRefusedError):
        world.submit("eve@far.example", content=sealed() + b"\0")
    assert world.domains == []


@pytest.mark.parametrize(
    ("to", "error"),
    [
        ("eve", BadRecipientError),
        ("eve@[192.0.2.1]", BadRecipientError),
        ("eve@localhost", BadRecipientError),
        ("e ve@far.example", BadRecipientError),
        ("e\r\nve@far.example", BadRecipientError),
        ("<eve@far.example>", BadRecipientError),
        ("e" * 600 + "@far.example", BadRecipientError),
        ("nobody@acme.example", RecipientRefusedError),
    ],
)
def test_one_bad_recipient_refuses_the_mail(
    world: World, to: str, error: type[BlackthornError]
) -> None:
    with pytest.raises(error):
        world.submit("eve@far.example", to)
    assert world.domains == []


def test_local_parts_elsewhere_are_theirs(world: World) -> None:
    for local in ("é", '"a b"', "x" * 100, "A.b+c"):
        assert world.submit(f"{local}@far.example")


def test_bounds(world: World) -> None:
    with pytest.raises(BadRecipientError):
        world.submit()
    with pytest.raises(LimitError):
        world.submit(*(f"a{n}@far.example" for n in range(limits.MAX_RECIPIENTS + 1)))
    world.service.spent = Buckets(2, 1, 9)
    world.submit("a@far.example", "b@far.example", "c@far.example")
    with pytest.raises(TooManyRecipientsError):
        world.submit("a@far.example")
    world.clock.now += 1
    world.room = False
    with pytest.raises(DiskError):
        world.submit("a@far.example")


def test_nothing_is_accepted_that_is_not_durable(world: World) -> None:
    world.writer.fail(DiskError("the disk failed"))
    with pytest.raises(DiskError):
        world.submit("a@far.example")
    world.writer.fail(None)
    assert world.domains == [] and world.counters.outbound_waiting == 0
