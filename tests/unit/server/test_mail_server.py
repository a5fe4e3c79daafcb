"""Mailroom and reception: durable before told, one's own mail only, and who may receive."""

import asyncio
import os
import random
from dataclasses import replace

import pysequoia
import pytest

from blackthorn.crypto.openpgp import compatible
from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.edges.sealing.judging import JudgingPool, JudgingRules
from blackthorn.edges.sealing.pool import SealedMails
from blackthorn.edges.sealing.worker import SealRequest, answer
from blackthorn.edges.smtp.gateway import MailGateway, Transaction
from blackthorn.edges.smtp.replies import refusal
from blackthorn.errors import DiskError, StorageError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code
from blackthorn.link.frames import (
    FetchMail,
    ListMail,
    MailArrived,
    MailChunk,
    MailEntry,
    MailListing,
    Ping,
)
from blackthorn.mail.errors import SealBrokenError
from blackthorn.mail.pgp.open import open_mail
from blackthorn.ports.enterprise import DeviceRecord, UserRecord
from blackthorn.ports.governance.notices import NoteNotice
from blackthorn.ports.mail import ReadMail
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.mail.mailbox import MailHandler, announcing
from blackthorn.server.mail import limits as mail_limits
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.mail.quota import MailboxBusyError, MailboxFullError, MailQuota
from blackthorn.server.mail.recipient_policy import RecipientPolicy, RecipientRefusedError
from blackthorn.server.mail.recipients import Recipients
from blackthorn.server.mail.service import DiskRoom, MailFor, MailService
from blackthorn.simulation.memory import memory_database, wrapping
from blackthorn.simulation.stepped import SteppedReader, SteppedWriter
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.wire.units import MIB
from tests.support.certificates import unsealable
from tests.support.fake_dns import FakeResolver
from tests.support.market_keys import add_people
from tests.support.sessions import RecordingSession
from tests.support.stored import answered

ALICE, BOB = Address("alice@acme.example"), Address("bob@acme.example")
NOW_MS = 1_900_000_000_000
_, CERTIFICATE = generate_user_key(ALICE)


class FixedClock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def wall_ms(self) -> int:
        return NOW_MS

    def monotonic(self) -> float:
        return self.seconds


class Table:
    def __init__(self, *users: UserRecord) -> None:
        self.users = {user.address: user for user in users}

    def user(self, address: Address) -> UserRecord | None:
        return self.users.get(address)

    def load_user(self, address: Address, done) -> None:
        done(self.users.get(address))

    def device(self, device: DeviceId) -> DeviceRecord | None:
        return None


class Room:
    """A mailroom over a database in memory, committed when the test says so."""

    def __init__(self) -> None:
        self.alice = UserRecord(1, ALICE, "00000001", CERTIFICATE, ())
        self.bob = UserRecord(2, BOB, "00000002", CERTIFICATE, ())
        self.database = memory_database()
        add_people(self.database, 2)
        engine = Engine(self.database, wrapping())
        self.writer, self.reader = SteppedWriter(engine), SteppedReader(engine)
        self.told: list[tuple[str, object]] = []
        self.done: list[object] = []
        self.counters = Counters()
        self.clock = FixedClock()
        self.quota = MailQuota(self.reader, self.clock, mebibytes=2, mebibytes_per_hour=3)
        chance = random.Random(20151230)
        self.pieces = PieceWriter(writer=self.writer, random=chance.randbytes)
        self.mail_service = MailService(
            pieces=self.pieces,
            reader=self.reader,
            clock=self.clock,
            quota=self.quota,
            counters=self.counters,
            arrived=announcing(lambda address, frame: self.told.append((address, frame))),
        )
        table = Table(self.alice, self.bob)
        self.handler = MailHandler(self.mail_service, table, self.counters)

    def deliver(self, *mails: MailFor) -> None:
        self.mail_service.store(mails, self.done.append)

    def commit(self) -> None:
        """Commit all that waits, and what follows from it."""
        while self.writer.waiting:
            self.writer.commit()

    def check(self, user: int, size: int) -> list[object]:
        answers: list[object] = []
        self.quota.check(user, size, answers.append)
        return answers

    def read(self, uid: int) -> bytes:
        """A stored mail of Alice's."""
        found: list[object] = []
        self.reader.ask(ReadMail(1, uid, 0, 2**30), found.append)
        return found[0].data

    def ask(self, address: Address | None, frame) -> list[object]:
        session = RecordingSession(address)
        self.handler.handle(session, frame, 0.0)
        return session.sent


@pytest.fixture
def room():
    room = Room()
    yield room
    room.database.close()


def test_nobody_is_told_before_it_is_durable(room: Room) -> None:
    room.deliver(MailFor(room.alice, b"one"), MailFor(room.bob, b"two"))
    assert room.done == [] and room.told == []
    room.commit()
    assert room.done == [[1, 1]] and room.counters.mail_accepted == 2
    assert room.told == [(ALICE, MailArrived(1)), (BOB, MailArrived(1))]


def test_a_failure_is_told_and_nothing_kept(room: Room) -> None:
    room.writer.fail(StorageError("the disk is full"))
    room.deliver(MailFor(room.alice, b"one"))
    room.commit()
    assert isinstance(room.done[0], StorageError) and room.told == []
    assert room.counters.mail_accepted == 0
    assert room.ask(ALICE, ListMail(1, 0)) == [MailListing(1, [], False)]


def test_a_sender_is_answered_though_an_announcement_fails(room: Room) -> None:
    def defective(address: Address, uid: int) -> None:
        room.told.append((address, uid))
        raise TypeError

    room.mail_service.arrived = defective
    room.deliver(MailFor(room.alice, b"one"), MailFor(room.bob, b"two"))
    with pytest.raises(TypeError):
        room.commit()
    assert room.done == [[1, 1]]
    assert room.told == [(ALICE, 1), (BOB, 1)]


def test_mail_takes_the_room_of_the_disk_before_it_is_measured_again(room: Room) -> None:
    room.mail_service.room = DiskRoom(4_001)
    for _ in range(3):
        room.deliver(MailFor(room.alice, bytes(1_000)))
    (refused,) = room.done
    assert isinstance(refused, DiskError)
    assert not room.mail_service.has_room(1_000)
    room.commit()
    assert room.done[1:] == [[1], [2]]


def test_a_full_mailbox_defers_mail_and_tells_the_users_devices(room: Room) -> None:
    assert room.check(1, MIB) == [None]
    room.deliver(MailFor(room.alice, bytes(MIB)))
    room.commit()
    assert room.done == [[1]]
    (plenty,) = room.ask(ALICE, ListMail(1, 0))
    assert isinstance(plenty, MailListing) and (plenty.used, plenty.quota) == (0, 0)
    room.deliver(MailFor(room.alice, bytes(MIB)))  # not durable, and counted already
    (full,) = room.check(1, 1)
    assert isinstance(full, MailboxFullError)
    assert refusal(full).reply.startswith("452 4.2.2 the mailbox is full")
    room.deliver(MailFor(room.bob, b"x"), MailFor(room.alice, b"x"))
    assert isinstance(room.done[1], MailboxFullError)
    room.commit()
    (listing,) = room.ask(ALICE, ListMail(1, 0))
    assert isinstance(listing, MailListing)
    assert (listing.used, listing.quota) == (2 * MIB, 2 * MIB)
    assert room.check(2, 1) == [None]


def test_a_users_two_copies_of_a_mail_need_room_together(room: Room) -> None:
    room.check(1, 0)
    half = bytes(MIB + 1)
    room.deliver(MailFor(room.alice, half), MailFor(room.alice, half, compatible=True))
    assert [type(answer) for answer in room.done] == [MailboxFullError]
    room.quota.bytes = 4 * MIB
    more = bytes(2 * MIB)
    room.deliver(MailFor(room.alice, more), MailFor(room.alice, more, compatible=True))
    assert isinstance(room.done[1], MailboxBusyError)
    assert room.quota._mailboxes[1].used == 0


def test_what_was_not_stored_is_not_counted(room: Room) -> None:
    room.check(1, 0)
    room.writer.fail(StorageError("the disk is full"))
    room.deliver(MailFor(room.alice, bytes(2 * MIB)))
    room.commit()
    room.writer.fail(None)
    assert room.check(1, MIB) == [None]


def test_a_notice_of_the_server_comes_into_a_full_mailbox(room: Room) -> None:
    room.check(1, 0)
    room.deliver(MailFor(room.alice, bytes(2 * MIB)))
    room.mail_service.store(
        [MailFor(room.alice, b"notice")],
        room.done.append,
        also=NoteNotice("X-PK-1", 1, 1, 0),
        own=True,
    )
    room.commit()
    assert room.done == [[1], [2]]


def test_mail_of_one_user_is_bounded_by_the_hour(room: Room) -> None:
    room.quota.bytes = 100 * MIB
    room.check(1, 0)
    room.deliver(MailFor(room.alice, bytes(3 * MIB)))
    room.commit()
    (busy,) = room.check(1, 1)
    assert isinstance(busy, MailboxBusyError)
    assert refusal(busy).reply.startswith("450 4.2.1 the mailbox gets too much mail")
    room.clock.seconds += 1_800
    assert room.check(1, MIB) == [None]
    assert isinstance(room.check(1, 2 * MIB)[0], MailboxBusyError)


def test_counted_mailboxes_are_few_and_read_again(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mail_limits, "MAX_COUNTED_MAILBOXES", 1)
    room.check(1, 0)
    room.deliver(MailFor(room.alice, bytes(2 * MIB)))
    room.commit()
    room.check(2, 0)
    assert list(room.quota._mailboxes) == [2]
    assert isinstance(room.check(1, 1)[0], MailboxFullError)


def test_a_device_gets_its_own_users_mail_only(room: Room) -> None:
    room.deliver(MailFor(room.alice, b"for alice"), MailFor(room.bob, b"for bob"))
    room.commit()
    entry = MailEntry(1, 9, NOW_MS)
    assert room.ask(ALICE, ListMail(5, 0)) == [MailListing(5, [entry], False, count=1)]
    assert room.ask(ALICE, FetchMail(6, 1, 4)) == [MailChunk(6, 1, 4, 9, b"alice")]
    assert room.ask(BOB, FetchMail(7, 1, 0)) == [MailChunk(7, 1, 0, 7, b"for bob")]
    assert room.ask(ALICE, FetchMail(8, 2, 0)) == [MailChunk(8, 2, 0, 0, b"")]
    assert room.ask(ALICE, FetchMail(9, 1, 2**62)) == [MailChunk(9, 1, 2**62, 9, b"")]
    assert room.ask(Address("mallory@acme.example"), FetchMail(1, 1, 0)) == []
    assert room.ask(None, FetchMail(1, 1, 0)) == []
    assert room.ask(ALICE, Ping(1)) == []


def test_a_device_is_neither_told_nor_shown_the_copy_for_other_programs(room: Room) -> None:
    copy = MailFor(room.alice, b"the same, sealed again", compatible=True)
    room.deliver(MailFor(room.alice, b"for alice"), copy)
    room.commit()
    assert room.told == [(ALICE, MailArrived(1))]
    assert room.ask(ALICE, ListMail(5, 0)) == [
        MailListing(5, [MailEntry(1, 9, NOW_MS)], False, count=1)
    ]
    used: list[object] = []
    room.quota.used(1, used.append)
    assert used == [9 + 22]  # both count
    room.deliver(MailFor(room.alice, b"next"))
    room.commit()
    assert room.ask(ALICE, ListMail(6, 1)) == [
        MailListing(6, [MailEntry(3, 4, NOW_MS)], False, count=2)
    ]


def test_a_large_mail_comes_in_chunks(room: Room) -> None:
    sealed = bytes(range(250)) * 40_000
    room.deliver(MailFor(room.alice, sealed))
    room.commit()
    got = b""
    while len(got) < len(sealed):
        (chunk,) = room.ask(ALICE, FetchMail(1, 1, len(got)))
        assert isinstance(chunk, MailChunk) and chunk.total == len(sealed)
        assert 0 < len(chunk.data) <= link_limits.MAX_MAIL_CHUNK_BYTES
        got += chunk.data
    assert got == sealed


def test_a_device_waits_while_the_disk_is_slow(room: Room) -> None:
    room.deliver(MailFor(room.alice, b"one"))
    room.commit()
    room.reader.hold()
    session = RecordingSession(ALICE)
    room.handler.handle(session, ListMail(1, 0), 0.0)
    assert session.waits and session.sent == []
    room.reader.release()
    assert not session.waits and session.sent == [
        MailListing(1, [MailEntry(1, 3, NOW_MS)], False, count=1)
    ]


@pytest.mark.parametrize("frame", [ListMail(1, 0), FetchMail(1, 1, 0)])
def test_a_disk_that_fails_ends_the_link(room: Room, frame) -> None:
    room.reader.fail(DiskError("the disk failed"))
    session = RecordingSession(ALICE)
    room.handler.handle(session, frame, 0.0)
    assert session.closed == (Code.STORAGE, "the disk failed") and session.sent == []


def test_a_long_listing_says_that_there_is_more(room: Room) -> None:
    room.deliver(*[MailFor(room.alice, b"x")] * (link_limits.MAX_MAIL_LISTING + 5))
    room.commit()
    (first,) = room.ask(ALICE, ListMail(1, 0))
    assert isinstance(first, MailListing) and first.more
    (rest,) = room.ask(ALICE, ListMail(1, first.entries[-1].uid))
    assert isinstance(rest, MailListing) and not rest.more
    assert len(first.entries) + len(rest.entries) == link_limits.MAX_MAIL_LISTING + 5


def certificate(**options: int) -> tuple[pysequoia.Tsk, bytes]:
    key = pysequoia.Tsk.generate("x", **options)
    return key, bytes(key.extract_certificate())


def test_the_reception_decides_by_user_and_certificate() -> None:
    revoked_key, revoked = certificate()
    revoked += bytes(pysequoia.Cert.from_bytes(revoked).revoke(revoked_key.certifier()))
    _, expired = certificate(validity_seconds=60)
    users = {
        "good": CERTIFICATE,
        "new": None,
        "revoked": revoked,
        "expired": expired,
        "broken": b"junk",
        "signer": unsealable("signer@acme.example")[0],
    }
    records = [
        UserRecord(number, Address(f"{name}@acme.example"), "0", data, ())
        for number, (name, data) in enumerate(users.items())
    ]
    recipient_policy = RecipientPolicy("acme.example", Table(*records), FixedClock())
    for _ in range(2):
        assert answered(recipient_policy.recipient, "Good@ACME.example").certificate == CERTIFICATE
    assert answered(recipient_policy.recipient, "good").user.address == "good@acme.example"
    for path, reply in (
        ("new@acme.example", "450 4.2.1"),
        ("expired@acme.example", "450 4.2.1"),
        ("broken@acme.example", "450 4.2.1 the user's certificate cannot be sealed to"),
        ("signer@acme.example", "450 4.2.1 the user's certificate cannot be sealed to"),
        ("revoked@acme.example", "550 5.2.1"),
        ("nobody@acme.example", "550 5.1.1"),
        ("good@example.net", "550 5.7.1"),
        ("good@acme.example.", "550 5.7.1"),
        ("good@[192.0.2.1]", "550 5.7.1"),
        ("", "550 5.1.1"),
        ("@", "550 5.7.1"),
        ("<>", "550 5.1.1"),
    ):
        with pytest.raises(RecipientRefusedError) as refused:
            answered(recipient_policy.recipient, path)
        assert refusal(refused.value).reply.startswith(reply), path


def test_a_copy_is_sealed_to_a_compatible_certificate_only_when_a_program_reads_it() -> None:
    """And a bad one never keeps the devices' copy away."""
    good = compatible.generate("x@acme.example", 1_700_000_000, os.urandom)
    revoked = compatible.revoke(good[0], 1_700_000_001)
    cases = {
        "none": (b"", False),
        "unread": (good[1], False),
        "read": (good[1], True),
        "revoked": (revoked, True),
        "broken": (b"junk", True),
    }
    records = [
        UserRecord(number, Address(f"{name}@acme.example"), "0", CERTIFICATE, (), *how)
        for number, (name, how) in enumerate(cases.items())
    ]
    policy = RecipientPolicy("acme.example", Table(*records), FixedClock())
    for name in cases:
        expected = (CERTIFICATE, good[1]) if name == "read" else (CERTIFICATE,)
        assert answered(policy.recipient, f"{name}@acme.example").certificates == expected


class SealingNow:
    """The pool, without its processes."""

    async def seal(self, request: SealRequest, content: bytearray) -> SealedMails:
        head, sealed = answer(request, bytes(content))
        assert head.refusal is None and head.sizes == [len(each) for each in sealed]
        mails = [bytearray(each) for each in sealed]
        return SealedMails(mails, tuple(head.questions), tuple(head.asked))


def test_a_mail_is_sealed_once_for_each_certificate_and_never_to_both(room: Room) -> None:
    key_a, certificate_a = generate_user_key(ALICE)
    key_b, certificate_b = compatible.generate(ALICE, 1_700_000_000, os.urandom)
    alice = replace(room.alice, certificate=certificate_a, compatible=certificate_b, copies=True)
    policy = RecipientPolicy("acme.example", Table(alice, room.bob), room.clock)
    judging = JudgingPool(SealingNow(), FakeResolver(), JudgingRules("acme.example"))

    gateway = MailGateway(
        policy,
        room.mail_service,
        SealingNow(),
        room.clock,
        room.counters,
        lambda content, _: content,
        judging,
        Recipients(policy, room.reader),
    )
    mail = b"From: eve@out.example\r\nSubject: hello\r\n\r\n" + b"A line of a mail.\r\n" * 10_000
    to = (policy.sealable(alice), policy.sealable(room.bob))
    transaction = Transaction("eve@out.example", "out.example", "192.0.2.1", True, to)

    async def deliver() -> None:
        accepting = asyncio.create_task(gateway.accept(transaction, bytearray(mail)))
        while not accepting.done():
            await asyncio.sleep(0)
            room.commit()
        await accepting

    asyncio.run(deliver())
    stored = [room.read(uid) for uid in (1, 2)]
    for sealed, key, other in ((stored[0], key_a, key_b), (stored[1], key_b, key_a)):
        assert open_mail(sealed, key).content == mail
        assert len(sealed) <= 1.4 * len(mail)
        with pytest.raises(SealBrokenError):
            open_mail(sealed, other)
    assert room.counters.mail_accepted == 2  # alice's and bob's


def test_postmaster_and_abuse_are_the_user_who_is_named() -> None:
    records = [
        UserRecord(number, Address(f"{name}@acme.example"), "0", data, ())
        for number, (name, data) in enumerate((("alice", CERTIFICATE), ("new", None)))
    ]
    own = UserRecord(9, Address("abuse@acme.example"), "0", CERTIFICATE, ())
    for named, users, reply in (
        ("alice@acme.example", records, ""),
        ("", records, "450 4.2.1 no postmaster is named"),
        ("new@acme.example", records, "450 4.2.1 the postmaster named for this domain cannot"),
        ("gone@acme.example", records, "450 4.2.1 the postmaster named for this domain cannot"),
        ("new@acme.example", [*records, own], "450 4.2.1 the postmaster"),
    ):
        policy = RecipientPolicy("acme.example", Table(*users), FixedClock(), postmaster=named)
        for path in ("postmaster", "PostMaster@ACME.example", "Abuse@acme.example"):
            if path[0] == "A" and own in users:
                assert answered(policy.recipient, path).user is own
            elif not reply:
                assert answered(policy.recipient, path).user.address == "alice@acme.example"
            else:
                with pytest.raises(RecipientRefusedError) as refused:
                    answered(policy.recipient, path)
                assert refusal(refused.value).reply.startswith(reply)
        with pytest.raises(RecipientRefusedError, match="not relayed"):
            answered(policy.recipient, "postmaster@example.net")


def test_parsed_certificates_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mail_limits, "MAX_CACHED_CERTIFICATES", 2)
    made = [certificate()[1] for _ in range(5)]
    records = [
        UserRecord(n, Address(f"u{n}@acme.example"), "0", data, ()) for n, data in enumerate(made)
    ]
    recipient_policy = RecipientPolicy("acme.example", Table(*records), FixedClock())
    for _ in range(3):
        for n in range(5):
            assert answered(recipient_policy.recipient, f"u{n}@acme.example").certificate == made[n]
    assert len(recipient_policy._parsed) <= 2
