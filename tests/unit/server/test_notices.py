"""Notices: whom, once, in his language, resumably; and what devices tell back."""

import asyncio
import email
import email.policy
from types import SimpleNamespace
from typing import Any

import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.crypto.tls_keys import key_fingerprint, make_key, signer
from blackthorn.edges.sealing.judging import JudgingPool, JudgingRules
from blackthorn.edges.sealing.pool import SealedMails
from blackthorn.edges.sealing.worker import SealRequest, answer
from blackthorn.edges.smtp.gateway import MailGateway
from blackthorn.errors import DiskError, StorageError
from blackthorn.governance import exits
from blackthorn.governance.cases import Cases
from blackthorn.governance.transitions import Case, Step
from blackthorn.ids import Address
from blackthorn.link.codes import Code
from blackthorn.link.frames import ExitTold, MarketNotice, TellExit
from blackthorn.mail.errors import MailRefusedError
from blackthorn.mail.pgp.notice import Reader
from blackthorn.mail.pgp.open import open_mail
from blackthorn.ports.enterprise import UserRecord
from blackthorn.programs.server.notices import NoticeDelivery, notice_signer
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.notices import NoticeHandler, notifying
from blackthorn.server.mail.pieces import PieceWriter
from blackthorn.server.mail.quota import MailQuota
from blackthorn.server.mail.recipient_policy import RecipientPolicy
from blackthorn.server.mail.recipients import Recipients
from blackthorn.server.mail.service import MailService
from blackthorn.server.markets.notice import KINDS, Notice, notice_step
from blackthorn.server.markets.notice_texts import LANGUAGES, words
from blackthorn.server.markets.notices import Notices
from blackthorn.simulation.memory import memory_database, wrapping
from blackthorn.simulation.stepped import SteppedReader, SteppedWriter
from blackthorn.storage.sqlite.engine import Engine, HostReader
from tests.support.certificates import unsealable
from tests.support.fake_dns import FakeResolver
from tests.support.market_keys import add_people
from tests.support.stored import StoredMail, StoredPersons, answered
from tests.unit.server.test_mail_server import FixedClock, RecordingSession, Table

LINK_KEY = make_key(bytes)
SECRET, CERTIFICATE = generate_user_key("u1@acme.example")
DAY = 24 * 3_600_000
STOP = 1_451_433_600_000  # 2015-12-30
U1, U2, U3, U4 = (Address(f"u{n}@acme.example") for n in range(1, 5))


def step(seq: int, action: str, **public: Any) -> Step:
    return Step(seq, action, public, (), 0, 0)


def plan(stop_ms: int = STOP) -> dict[str, int]:
    later = {"retrieval_end_ms": 30, "backups_end_ms": 180, "forwarding_end_ms": 365}
    dates = dict.fromkeys(exits.DATES, stop_ms) | {"read_only_ms": stop_ms - 14 * DAY}
    return dates | {name: stop_ms + days * DAY for name, days in later.items()}


ANNOUNCED = (step(1, "plan", **plan()), step(2, "approve"), step(3, "announce"))


class Pool:
    """The sealing worker's work, in this process; fails while `broken`, or for `refuses`."""

    def __init__(self) -> None:
        self.broken = False
        self.refuses: set[str] = set()
        self.sealed = 0

    async def seal(self, request: SealRequest, content: bytearray) -> SealedMails:
        await asyncio.sleep(0)
        if self.broken or self.refuses & {to.address for to in request.recipients}:
            raise MailRefusedError(451, "4.3.0", "the mail could not be sealed now")
        self.sealed += 1
        said, sealed = answer(request, bytes(content))
        assert said.refusal is None
        return SealedMails([bytearray(each) for each in sealed])


class World:
    """Users 1 to 3 of PK (3 without a certificate), 4 of DE; an office with what a test says."""

    def __init__(self) -> None:
        self.database = memory_database()
        add_people(self.database, 4)
        execute = self.database.writing.execute
        execute("UPDATE users SET market = 'PK' WHERE number <= 3")
        execute("UPDATE users SET language = 'de' WHERE number = 2")
        self.heard: list[tuple[str, MarketNotice]] = []
        certificates = {U1: CERTIFICATE, U2: CERTIFICATE, U3: None, U4: CERTIFICATE}
        self.enterprise = Table(
            *(
                UserRecord(int(address[1]), address, "0", each, ())
                for address, each in certificates.items()
            )
        )
        self.cases, self.accounts, self.pool = Cases(), [str(U1), "gone@acme.example"], Pool()
        self.start()

    def start(self) -> None:
        """A process over what is on the disk."""
        engine = Engine(self.database, wrapping())
        self.writer, self.reader = SteppedWriter(engine), SteppedReader(engine)
        self.office = SimpleNamespace(
            cases=self.cases,
            on_decision=[],
            on_disclosure=[],
            private=lambda case, action: {"accounts": self.accounts},
        )
        self.persons, clock = StoredPersons(engine), FixedClock()
        self.mail = StoredMail(self.database, wrapping())
        self.notices = Notices(
            decisions=self.office,
            writer=self.writer,
            reader=self.reader,
            clock=clock,
            domain="acme.example",
            postmaster=True,
            notify=notifying(lambda address, frame: self.heard.append((address, frame))),
        )
        mail_service = MailService(
            pieces=PieceWriter(writer=self.writer, random=bytes),
            reader=self.reader,
            clock=clock,
            counters=Counters(),
            arrived=lambda *_: None,
            quota=MailQuota(self.reader, clock),
        )
        recipient_policy = RecipientPolicy("acme.example", self.enterprise, clock)
        sign = notice_signer(LINK_KEY)
        judging = JudgingPool(self.pool, FakeResolver(), JudgingRules("acme.example"))
        gateway = MailGateway(
            recipient_policy,
            mail_service,
            self.pool,
            clock,
            Counters(),
            sign,
            judging,
            Recipients(recipient_policy, self.reader),
        )
        self.telling = NoticeDelivery(
            self.notices, gateway, self.enterprise, self.writer, lambda: None
        )

    def decide(self, *steps: Step, state: str = "announced", name: str = "X-PK-1") -> None:
        case = Case(name, state, len(steps), history=steps)
        self.cases.by_id[name] = case
        for told in self.office.on_decision:
            told(case, steps[-1])

    def tell(self) -> None:
        """Tell everybody who is due, with a disk that commits at once."""

        async def run() -> None:
            work = asyncio.ensure_future(self.telling.notify_all())
            while not work.done():
                await asyncio.sleep(0)
                self.writer.commit()
            await work

        asyncio.run(run())

    def mails(self, number: int) -> list[email.message.EmailMessage]:
        """What lies sealed for the user, opened with his key."""
        found = []
        for head in self.mail.list(number, 0, 100):
            read = self.mail.read(number, head.uid, 0, head.size)
            assert read is not None
            found.append(opened(read[1]))
        return found

    def tells(self, address: Address, what: str, value: str = "") -> str:
        """The answer to a device that tells something."""
        session = RecordingSession(address)
        NoticeHandler(self.notices).handle(session, TellExit(1, what, value), 0.0)
        self.writer.commit()
        (answer,) = session.sent
        assert isinstance(answer, ExitTold) and not session.waits
        return answer.refusal

    def due(self, limit: int = 9) -> list[Notice]:
        return answered(self.notices.due, limit)

    def greeting(self, address: Address) -> list[MarketNotice]:
        """What a device of the user is sent when it opens the link."""
        session = RecordingSession(address)
        NoticeHandler(self.notices).greet(session)
        assert not session.waits
        return session.sent


def opened(sealed: bytes) -> email.message.EmailMessage:
    to = email.message_from_bytes(sealed, policy=email.policy.default)["To"]
    pin = key_fingerprint(signer(LINK_KEY)[0])
    mail = open_mail(sealed, SECRET, Reader(str(to), pin))
    assert mail.own and not open_mail(sealed, SECRET, Reader("mallory@acme.example", pin)).own
    content = mail.content
    return email.message_from_bytes(content, policy=email.policy.default)


@pytest.fixture
def world() -> World:
    return World()


def test_everybody_of_the_market_is_told_once_and_nobody_else(world: World) -> None:
    world.decide(*ANNOUNCED)
    world.tell()
    world.tell()
    assert [len(world.mails(n)) for n in (1, 2, 3, 4)] == [1, 1, 0, 0]
    assert sorted(address for address, _ in world.heard) == [U1, U2, U3]
    one = world.mails(1)[0]
    assert one["From"] == "postmaster@acme.example"
    assert one["Subject"] == "The service in PK ends on 2015-12-30"
    text = one.get_content()
    for said in ("2015-12-16", "2015-12-30", "2016-01-29", "2016-12-29", "blackthorn export"):
        assert said in text
    assert "market forward" in text and "user move" in text and "postmaster@" in text
    assert world.mails(2)[0]["Subject"] == "Der Dienst in PK endet am 2015-12-30"


def test_a_notice_lies_sealed_and_wrapped(world: World) -> None:
    world.decide(*ANNOUNCED)
    world.tell()
    for (row,) in world.database.reading.execute("SELECT sealed FROM mail"):
        assert b"blackthorn export" not in row and b"PGP MESSAGE" not in row


def test_who_has_no_certificate_counts_as_unreachable_and_hears_it_on_the_link(
    world: World,
) -> None:
    world.decide(*ANNOUNCED)
    world.tell()
    assert world.persons.person(3, "X-PK-1").unreachable
    assert world.persons.person(3, "X-PK-1").notified_ms is None
    assert world.persons.person(1, "X-PK-1").notified_ms is not None
    assert not world.persons.person(1, "X-PK-1").unreachable
    assert [each.state for each in world.greeting(U3)] == ["announced"]


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_notice_names_a_postmaster_whom_nobody_is(world: World, language: str) -> None:
    world.database.writing.execute("UPDATE users SET language = ?", (language,))
    world.notices.postmaster = False
    world.decide(*ANNOUNCED)
    (due,) = world.due(1)
    assert "PK" in due.text and "postmaster" not in due.text
    asked = words(language).whom_without_postmaster
    assert due.text.endswith(f"\n\n{asked}\n")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("action", KINDS)
def test_every_kind_is_written_in_every_language(world: World, action: str, language: str) -> None:
    world.database.writing.execute("UPDATE users SET language = ?", (language,))
    dates = plan(STOP + DAY) if action in ("extend", "accelerate") else {}
    world.decide(*ANNOUNCED, step(4, action, **dates))
    due = world.due(1)[0] if action != "rescind" else None
    if due is None:
        world.decide(*ANNOUNCED)
        world.tell()
        world.decide(*ANNOUNCED, step(4, action), state="rescinded")
        due = world.due(1)[0]
    assert "{" not in due.subject + due.text
    assert "PK" in due.subject and "postmaster@acme.example" in due.text
    if action == "rescind":
        assert "2015" not in due.text and "export" not in due.text
    else:
        assert "blackthorn export" in due.text and "2015-12-" in due.text
    if action == "extend":
        assert "2015-12-31" in due.subject
    assert len(due.text) <= 8192


def test_a_language_that_is_not_there_is_served_in_english() -> None:
    assert words("xx") is words("en")
    assert set(words("en").subjects) == set(KINDS.values())


def test_nobody_is_told_before_the_exit_is_announced(world: World) -> None:
    for action in ("plan", "approve", "accelerate", "rescind"):
        world.decide(step(1, "plan", **plan()), step(2, action, **plan()), state="approved")
        assert world.due() == []
        assert world.greeting(U1) == []


def test_a_step_that_people_are_not_told_of_tells_nobody_anew(world: World) -> None:
    world.decide(*ANNOUNCED)
    world.tell()
    world.decide(*ANNOUNCED, step(4, "drain"), step(5, "hold", reason="a hold"), state="draining")
    assert world.due() == []


def test_it_goes_on_after_any_end_of_the_process_and_tells_nobody_twice(world: World) -> None:
    add = "INSERT INTO users (number, address, pin, created_ms, market) VALUES (?, ?, ?, 0, 'PK')"
    for number in range(10, 60):
        address = Address(f"v{number}@acme.example")
        world.database.writing.execute(add, (number, address, str(number)))
        world.enterprise.users[address] = UserRecord(number, address, "0", CERTIFICATE, ())
    world.decide(*ANNOUNCED)
    for unit in range(8):

        async def some(rounds: int) -> None:
            work = asyncio.ensure_future(world.telling.notify_all())
            for _ in range(rounds):
                await asyncio.sleep(0)
                world.writer.commit(told=rounds % 2 == 0)
            work.cancel()

        asyncio.run(some(3 + unit))
        world.writer.crash()
        world.start()
        world.notices.start(HostReader(world.database))
    world.tell()
    everybody = [1, 2, *range(10, 60)]
    assert [len(world.mail.list(n, 0, 9)) for n in everybody] == [1] * len(everybody)


def test_nothing_is_noted_when_the_mail_was_not_stored(world: World) -> None:
    world.decide(*ANNOUNCED)
    world.writer.fail(StorageError("the disk is full"))
    with pytest.raises((StorageError, MailRefusedError)):
        world.tell()
    world.writer.fail(None)
    assert world.persons.person(1, "X-PK-1").notified_ms is None
    world.pool.broken = True
    with pytest.raises(MailRefusedError):
        world.tell()
    world.pool.broken = False
    world.tell()
    assert [len(world.mails(n)) for n in (1, 2)] == [1, 1]


def test_users_whose_mail_cannot_be_sealed_hold_up_nobody(world: World) -> None:
    """The first two of a market of 40: one by their certificate, one by a sealing that fails."""
    add_people(world.database, 40, 4)
    world.database.writing.execute("UPDATE users SET market = 'PK'")
    everybody = [Address(f"u{n}@acme.example") for n in range(1, 45)]
    records = [UserRecord(n, to, "0", CERTIFICATE, ()) for n, to in enumerate(everybody, 1)]
    records[0] = UserRecord(1, U1, "0", unsealable(U1)[0], ())
    world.enterprise = Table(*records)
    world.start()
    world.pool.refuses = {str(U2)}
    world.decide(*ANNOUNCED)
    with pytest.raises(MailRefusedError):
        world.tell()
    assert world.persons.person(1, "X-PK-1").unreachable
    assert not world.mails(2) and all(len(world.mails(n)) == 1 for n in range(3, 45))
    world.pool.refuses = set()
    world.tell()
    assert len(world.mails(2)) == 1


def test_only_who_was_told_of_an_exit_is_told_that_it_was_rescinded(world: World) -> None:
    world.decide(*ANNOUNCED)
    world.tell()
    world.database.writing.execute(
        "INSERT INTO users (number, address, pin, created_ms, market)"
        " VALUES (9, 'new@acme.example', '9', 0, 'PK')"
    )
    world.decide(*ANNOUNCED, step(4, "rescind", document=bytes(32)), state="rescinded")
    world.tell()
    assert [each["Subject"] for each in world.mails(1)][1:] == ["The service in PK goes on"]
    assert world.greeting(Address("new@acme.example")) == []
    assert [each.state for each in world.greeting(U1)] == ["rescinded"]
    assert world.tells(U1, "read") == ""
    assert world.greeting(U1) == []


def test_who_has_moved_is_told_no_more(world: World) -> None:
    world.decide(*ANNOUNCED)
    world.tell()
    world.database.writing.execute("UPDATE users SET market = 'DE' WHERE number = 1")
    world.decide(*ANNOUNCED, step(4, "extend", **plan(STOP + DAY)))
    world.tell()
    assert [len(world.mails(n)) for n in (1, 2)] == [1, 2]
    assert world.greeting(U1) == []


# --- What devices tell ----------------------------------------------------------------------


def test_a_notice_is_said_until_it_was_read_and_a_new_one_again(world: World) -> None:
    world.decide(*ANNOUNCED)
    world.tell()
    assert [each.read for each in world.greeting(U1)] == [False]
    assert world.greeting(U4) == []
    assert world.tells(U1, "read") == ""
    assert [each.read for each in world.greeting(U1)] == [True]
    assert world.persons.person(1, "X-PK-1").read_ms is not None
    world.decide(*ANNOUNCED, step(4, "extend", **plan(STOP + DAY)))
    said = world.greeting(U1)[0]
    assert (said.read, said.stop_ms) == (False, STOP + DAY)


def test_a_device_tells_exported_and_forward(world: World) -> None:
    world.decide(*ANNOUNCED)
    assert world.tells(U1, "exported") == ""
    assert world.tells(U1, "forward", "Me@New.Example") == ""
    person = world.persons.person(1, "X-PK-1")
    assert person.exported_ms is not None
    assert person.forward == "me@new.example"
    assert world.tells(U1, "forward", "") == ""
    assert world.persons.person(1, "X-PK-1").forward is None


def test_a_device_waits_while_the_store_is_read(world: World) -> None:
    world.decide(*ANNOUNCED)
    handler = NoticeHandler(world.notices)
    session = RecordingSession(U1)
    world.reader.hold()
    handler.greet(session)
    assert session.waits and session.sent == []
    world.decide(*ANNOUNCED, step(4, "extend", **plan(STOP + DAY)))
    world.reader.release()
    (notice,) = session.sent
    assert notice.stop_ms == STOP + DAY and not session.waits
    world.reader.fail(DiskError("the disk failed"))
    handler.greet(session)
    assert session.closed == (Code.STORAGE, "the disk failed")


def test_a_step_decided_while_people_are_looked_for_is_the_one_told_of(world: World) -> None:
    world.decide(*ANNOUNCED)
    found: list = []
    world.reader.hold()
    world.notices.due(9, found.append)
    world.decide(*ANNOUNCED, step(4, "extend", **plan(STOP + DAY)))
    world.reader.release()
    assert [each.seq for each in found[0]] == [4, 4, 4]


@pytest.mark.parametrize("value", ["no address", "a@b.example\r\n250 ok", "<a@b.example>", U1])
def test_a_forwarding_address_must_be_another_address(world: World, value: str) -> None:
    world.decide(*ANNOUNCED)
    assert world.tells(U1, "forward", value)
    assert world.persons.person(1, "X-PK-1").forward is None


def test_there_is_nothing_to_tell_without_an_exit_and_nothing_else_to_tell(world: World) -> None:
    for what in ("read", "exported", "forward"):
        assert (
            world.tells(U4, what)
            == "the service in your market is not ending: there is nothing to report"
        )
    world.decide(*ANNOUNCED)
    assert world.tells(U1, "moved")
    assert world.tells(U1, "unreachable")
    assert world.persons.person(1, "X-PK-1").moved_ms is None


# --- Directives -----------------------------------------------------------------------------

FACTS = {"authority": "High Court", "country": "PK", "kind": "production"}


def directive(world: World, *actions: str) -> Case:
    steps = [step(1, "receive", **FACTS), step(2, "approve", categories=["sealed-mail"])]
    steps += [step(n, each) for n, each in enumerate(actions, 3)]
    case = Case("D-000001", "produced", len(steps), history=tuple(steps))
    world.cases.by_id[case.id] = case
    return case


def test_who_is_named_by_a_directive_is_told_once_it_was_produced(world: World) -> None:
    world.notices.disclosed(directive(world))
    assert world.due() == []
    world.notices.disclosed(directive(world, "produce"))
    world.tell()
    world.notices.disclosed(directive(world, "produce", "deliver"))
    world.tell()
    assert [len(world.mails(n)) for n in (1, 2, 4)] == [1, 0, 0]
    text = world.mails(1)[0].get_content()
    for said in ("D-000001", "High Court", "PK", "production", "sealed mail"):
        assert said in text
    assert [each.exit for each in world.greeting(U1)] == ["D-000001"]
    assert world.greeting(U2) == []
    assert world.tells(U1, "read") == ""
    assert world.greeting(U1) == []


def test_a_gag_holds_over_a_start_and_what_ended_it_goes_on(world: World) -> None:
    directive(world, "produce", "deliver")
    insert = (
        "INSERT INTO decision (number, case_id, seq, signed, private, salt, taken_ms, sealed)"
        " VALUES (1, 'D-000001', 1, x'', x'', x'', 0, ?)"
    )
    world.database.writing.execute(insert, (1,))
    world.notices.start(HostReader(world.database))
    assert world.due() == []
    world.database.writing.execute("UPDATE decision SET sealed = 0")
    world.start()
    world.notices.start(HostReader(world.database))
    world.tell()
    assert len(world.mails(1)) == 1


def test_the_newest_step_that_is_told_of_counts() -> None:
    def case(*steps: Step) -> Case:
        return Case("X-PK-1", "announced", history=steps)

    extended = (*ANNOUNCED, step(4, "extend", **plan()))
    assert notice_step(case(*ANNOUNCED[:2])) is None
    assert notice_step(case(*ANNOUNCED)) == ANNOUNCED[2]
    assert notice_step(case(*extended, step(5, "drain"))) == extended[3]
