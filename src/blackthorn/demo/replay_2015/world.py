"""The replay's server: the real engines over a real folder, with a simulated clock.

Nothing listens; `settle` does all periodic work. The embedded witness's key cosigns in this
process.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.crypto.secret import Secret
from blackthorn.demo.replay_2015.people import Person, envelope_of
from blackthorn.errors import BlackthornError, DefectError
from blackthorn.ids import Address
from blackthorn.link.activation.exchange import Verifier
from blackthorn.mail.pgp.seal import seal_mail
from blackthorn.ports.enrolment import Enrolled
from blackthorn.ports.enterprise import UserRecord, UsersByAddress
from blackthorn.ports.ledger import ReadChain, WaitingRecords, WaitingStatements
from blackthorn.ports.mail import ListMail, ReadMail, SealedMail, StoreMail
from blackthorn.ports.parcels import MailboxTallies, Parcels, StoreParcels, WaitingParcels
from blackthorn.ports.store import AtOnce, Command, Done, Result, Together
from blackthorn.ports.users import Home, NewCode
from blackthorn.programs.server import configuration, decisions, ledger, market_start, notices
from blackthorn.programs.server import folder as server_folder
from blackthorn.server import counters, enterprise
from blackthorn.server.accounts import enrolment, users
from blackthorn.server.accounts.admission import Admission, Admissions
from blackthorn.server.ledger.ledger import Ledger
from blackthorn.server.mail.recipient_policy import RecipientPolicy
from blackthorn.server.markets.notice import Notice
from blackthorn.server.markets.notices import Notices
from blackthorn.server.messaging.limits import MAX_MAILBOX_PARCELS
from blackthorn.storage.sqlite import database, engine, stepped, wrapping
from blackthorn.tlog.checkpoint import open_checkpoint
from blackthorn.wire.note import parse_vkey

DOMAIN: Final = "acme.example"
_NO_CODE: Final = Verifier(Secret(bytes(32)), bytes(32))
_NEVER_MS: Final = 2**50
_ROUNDS: Final = 1_000
_NOTICES: Final = 200


def at(day: str) -> int:
    """Unix milliseconds of a UTC time such as `2015-07-24T09:00`."""
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000


class ReplayClock:
    """`ports.clock.Clock` that advances only when the replay sets it."""

    def __init__(self, now_ms: int) -> None:
        self.now_ms = self._begun_ms = now_ms

    def wall_ms(self) -> int:
        return self.now_ms

    def monotonic(self) -> float:
        return (self.now_ms - self._begun_ms) / 1000


class World:
    """One server with its users; `chance` is the seeded randomness."""

    def __init__(self, folder: Path, seed: int, now_ms: int) -> None:
        home = {("enterprise", "market"): "CA"}
        self.directory = server_folder.initialise(folder, DOMAIN, home)
        self.settings = configuration.load(folder, {})
        self.chance = random.Random(seed)  # noqa: S311
        self.clock = ReplayClock(now_ms)
        self.keys = self.directory.ledger.read_keys()
        self.policy = self.directory.ledger.read_policy()
        self.market_keys = self.directory.market_keys(self.settings.enterprise.market_keys)
        self._witness = self.directory.ledger.witness.cosigner()
        self._codes = 0
        self.database = database.Database.open(self.directory.database)
        self.wrapping = wrapping.Wrapping(self.market_keys, self.chance.randbytes)
        self.engine = engine.Engine(self.database, self.wrapping)
        self.writer = stepped.SteppedWriter(self.engine)
        self.reader = AtOnce(self.engine)
        self.cache = enterprise.EnterpriseCache(self.reader)
        self._start()

    def _start(self) -> None:
        self.ledger = Ledger(
            writer=self.writer,
            reader=self.reader,
            keys=self.keys,
            policy=self.policy,
            config=ledger.ledger_config(self.keys, self.policy, self.settings),
            counters=counters.Counters(),
            changed=lambda change: self.cache.forget(change.address),
            monotonic=self.clock.monotonic,
        )
        self.ledger.start(self.engine, self.clock.now_ms)
        self._admissions = Admissions(
            self.ledger, self.keys.enrolment, self.keys.vrf, self.chance.randbytes
        )
        self.decisions = decisions.make_decision_service(
            self.ledger,
            self.cache,
            self.writer,
            self.reader,
            self.clock,
            self.settings.directives.max_accounts,
            self.chance.randbytes,
        )
        self.notices = Notices(
            decisions=self.decisions,
            writer=self.writer,
            reader=self.reader,
            clock=self.clock,
            domain=DOMAIN,
            postmaster=True,
            notify=lambda notice: None,
        )
        rules = notices.make_rules(self.database, lambda: self.decisions)
        self.decisions.on_decision.append(rules.decided)
        self.recipient_policy = RecipientPolicy(DOMAIN, self.cache, self.clock, rules)
        self.settle()
        self.decisions.start(self.engine)
        self.notices.start(self.engine)

    def close(self) -> None:
        self.database.close()

    def until(self, now_ms: int) -> None:
        """Advance the clock, and publish an epoch."""
        self.clock.now_ms = max(self.clock.now_ms + 1000, now_ms)
        self.settle()

    def settle(self) -> None:
        """Commit, cosign and publish until nothing is waiting."""
        for _ in range(_ROUNDS):
            self.writer.commit()
            self._cosign()
            self.ledger.tick(self.clock.now_ms)
            if not self.writer.waiting and self.ledger.waiting is None and self._quiet():
                return
            self.clock.now_ms += 1000
        raise DefectError("the ledger does not come to rest")

    def _quiet(self) -> bool:
        statements = self.engine.read(WaitingStatements(0, 1))
        return not statements and not self.engine.read(WaitingRecords(0, 1))

    def _cosign(self) -> None:
        waiting = self.ledger.waiting
        if waiting is not None:
            checkpoint, _ = open_checkpoint(waiting.note, parse_vkey(self.keys.log_vkey))
            line = self._witness.cosign(checkpoint, self.clock.now_ms // 1000)
            self.ledger.cosigned([line], self.clock.now_ms)

    def write(self, *commands: Command[Any]) -> list[Any]:
        """Run commands in one transaction; their results. Raises StorageError."""
        results: list[Any] = []
        for command in commands:
            self.writer.submit(command, results.append)
        self.writer.commit()
        for result in results:
            if isinstance(result, BlackthornError):
                raise result
        return results

    def answer(self, begin: Callable[[Done[Result]], None]) -> Result:
        """The result of a service with a callback. Raises its error."""
        answers: list[Result | BlackthornError] = []
        begin(answers.append)
        self.writer.commit()
        if not answers:
            raise DefectError("the server does not answer")
        if isinstance(answer := answers[0], BlackthornError):
            raise answer
        return answer

    def open_market(self, market: str) -> None:
        market_start.open_market(self.database, self.market_keys, market, self.clock.now_ms)

    def add_user(self, address: str, market: str, language: str = "en") -> str:
        """Add a user with an activation code; its nameplate."""
        self._codes += 1
        code = NewCode(f"{self._codes:06}", _NO_CODE, _NEVER_MS)
        home = Home(market, language)
        random_, now_ms = self.chance.randbytes, self.clock.now_ms
        users.add_user(self.engine, Address(address), random_, now_ms, code, home)
        return code.nameplate

    def enrol(self, people: Sequence[tuple[str, Person]]) -> None:
        """Activate the device of each (nameplate, person) in one transaction."""
        results: list[object] = []
        for nameplate, person in people:
            self._enrol(nameplate, person, results.append)
        self.writer.commit()
        for result in results:
            if not isinstance(result, Enrolled):
                raise DefectError(f"a device was not activated: {result}")

    def _enrol(self, nameplate: str, person: Person, tell: Callable[[object], None]) -> None:
        address, now_ms = Address(person.address), self.clock.now_ms
        admitted: list[Admission | BlackthornError] = []
        self._admissions.admit(address, person.keys, now_ms, admitted.append)
        (admission,) = admitted
        if not isinstance(admission, Admission) or admission.change is None:
            tell(admission)
            return
        change = admission.change

        def done(result: Enrolled | BlackthornError) -> None:
            if isinstance(result, Enrolled):
                self.cache.forget(address)
                self.ledger.stored(change, self.clock.now_ms)
            tell(result)

        command = enrolment.enrol_device(nameplate, person.keys, admission, now_ms)
        self.writer.submit(replace(command, key_packages=(), last_resort=None), done)

    def statements(self, address: str) -> list[bytes]:
        chain = self.engine.read(ReadChain(Address(address), 0))
        return [] if chain is None else [row.statement for row in chain.statements]

    def number(self, address: str) -> int:
        """The row number of a user."""
        return self._user(address).number

    def _user(self, address: str) -> UserRecord:
        user = self.engine.read(UsersByAddress((Address(address),))).get(Address(address))
        if user is None:
            raise DefectError(f"there is no user {address}")
        return user

    def store_mail(self, mails: Sequence[tuple[str, bytes]]) -> None:
        """Store (address, sealed mail) pairs."""
        rows = tuple(SealedMail(self.number(address), sealed) for address, sealed in mails)
        self.write(StoreMail(rows, self.clock.now_ms))

    def receive(self, address: str, content: bytes) -> None:
        """Seal and store a mail from outside. Raises RecipientRefusedError."""
        recipient = self.answer(partial(self.recipient_policy.recipient, address))
        self.store_mail([(address, self._seal(address, content, recipient.certificate))])

    def _seal(self, address: str, content: bytes, certificate: bytes) -> bytes:
        envelope = envelope_of(address, self.clock.now_ms)
        return seal_mail(content, envelope, parse_certificate(certificate), self.chance.randbytes)

    def tell_all(self, told: Callable[[int], None]) -> None:
        """Send all due notices as sealed mail, or record users as unreachable."""
        while due := self.answer(partial(self.notices.due, _NOTICES)):
            self.write(*map(self._notice, due))
            for notice in due:
                self.notices.notify(notice)
            told(len(due))

    def _notice(self, notice: Notice) -> Command[None]:
        user = self._user(notice.to.address)
        if user.certificate is None:
            return self.notices.note_unreachable(notice)
        sealed = self._seal(user.address, bytes(self.notices.mail(notice)), user.certificate)
        put = StoreMail((SealedMail(user.number, sealed),), self.clock.now_ms)
        return Together((put, self.notices.note_stored(notice)))

    def store_parcels(self, parcels: Sequence[tuple[str, bytes]]) -> None:
        """Store (address, parcel) pairs for each user's only device."""
        numbers = [self._user(address).devices[0].number for address, _ in parcels]
        newest = {number: self._newest_seq(number) for number in numbers}
        rows: list[tuple[int, int, bytes, int]] = []
        for number, (_, sealed) in zip(numbers, parcels, strict=True):
            newest[number] += 1
            rows.append((number, newest[number], sealed, 0))
        self.write(StoreParcels(Parcels(rows)))

    def _newest_seq(self, device: int) -> int:
        query = MailboxTallies((device,), limit=MAX_MAILBOX_PARCELS)
        return self.engine.read(query).tallies[0].newest

    def sealed_mails(self, address: str) -> list[tuple[int, int, bytes]]:
        """uid, time and sealed bytes of each mail, without the market's layer."""
        user = self.number(address)
        found = []
        for head in self.engine.read(ListMail(user, 0, 1000)):
            part = self.engine.read(ReadMail(user, head.uid, 0, head.size))
            if part is not None:
                found.append((head.uid, head.received_ms, part.data))
        return found

    def waiting_parcels(self, address: str) -> list[bytes]:
        """The parcels waiting for a user's device, without the market's layer."""
        found = self.engine.read(
            WaitingParcels(self._user(address).devices[0].number, 0, False, 1000, 2**24)
        )
        return [parcel.sealed for parcel in found]

    def count(self, query: str, *values: object) -> int:
        return int(self.database.reading.execute(query, values).get or 0)
