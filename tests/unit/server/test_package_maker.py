"""Packages of directives: what the server makes, finishes, and deletes with the delivery."""

import asyncio
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from blackthorn.errors import BlackthornError, ForbiddenError, UnavailableError
from blackthorn.governance.package.build import LedgerProof
from blackthorn.link.frames import FetchProduction
from blackthorn.programs.server import package_maker, production
from blackthorn.programs.server.package_maker import PackageMaker
from blackthorn.server.governance.access import Access
from blackthorn.server.governance.productions import PackagePart
from blackthorn.server.handlers.productions import ProductionHandler
from tests.support.bags import MemoryRows
from tests.support.office_people import OfficePeople

WHOLE = 1 << 30


class Office:
    """A directive about pat up to its production, and the server's packages."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.people = people = OfficePeople(seed=2015)
        self.folder = folder
        unused: Any = None

        @contextmanager
        def rows(*_: Any) -> Any:
            yield MemoryRows()

        monkeypatch.setattr(production, "frozen_rows", rows)
        keys = people.world.keys
        self.maker = PackageMaker(
            people.office, people.world.ledger, keys, folder, folder, unused, unused
        )
        signed, kept = people.receive()
        assert people.submit("lea", people.sign(signed, "lea"), kept) == ("", ())
        self.case = signed.statement.case
        contact = {"contact": "the registry", "source": "a directory"}
        self.decide("verify", {"method": "call-back", "result": "genuine"}, contact)
        self.decide("assess", {"decision": "comply", "grounds": "G", "deadline_ms": 0})
        self.decide("approve", {"categories": ["account-facts"]})

    def decide(self, action: str, public: Any, private: Any = None) -> None:
        self.people.decide(self.case, action, public, private, by="lea cus")

    def fetch(self, offset: int = 0, length: int = WHOLE) -> PackagePart:
        case = self.people.office.cases.case(self.case)
        return asyncio.run(self.maker._part(Access(True, True), case, offset, length))

    def produce(self) -> None:
        part = self.fetch()
        measured = {"items": part.items, "accounts_with_data": part.accounts_with_data}
        self.decide("produce", {"manifest": part.manifest_hash, "recipient": None, **measured})

    def deliver(self) -> str:
        """Both sign the delivery; the refusal."""
        public = {"delivered_ms": self.people.world.now_ms, "receipt": None}
        signed, kept = self.people.draft(self.case, "deliver", public)
        refusal, lacks = self.people.submit("lea", self.people.sign(signed, "lea", "cus"), kept)
        assert not lacks
        return refusal


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Office:
    return Office(tmp_path / "productions", monkeypatch)


def test_no_delivery_before_the_finished_package_was_fetched_to_its_end(office: Office) -> None:
    office.produce()
    says = f"blackthorn directive produce {office.case} --out FILE"
    assert says in office.deliver()
    office.fetch(length=100)
    assert says in office.deliver(), "a part of it proves nothing"
    office.fetch()
    office.maker = PackageMaker(
        *(
            getattr(office.maker, name)
            for name in ("decisions", "ledger", "keys", "folder", "database", "wrapping", "tasks")
        )
    )  # a restart forgets nothing of it
    assert office.deliver() == ""
    assert office.people.office.cases.case(office.case).state == "delivered"
    assert list(office.folder.iterdir()) == []


def test_a_package_without_its_proof_counts_for_nothing(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def not_yet(*_: Any) -> LedgerProof:
        raise UnavailableError("the ledger shows it with its next epoch")

    office.produce()
    monkeypatch.setattr(package_maker, "decision_proof", not_yet)
    with pytest.raises(UnavailableError):
        office.fetch()
    assert "nobody has fetched the finished package" in office.deliver()


def test_a_package_that_was_being_made_when_it_was_signed_is_finished_all_the_same(
    office: Office,
) -> None:
    office.produce()
    office.maker._manifests[office.case] = office.maker._make(
        office.people.office.cases.case(office.case), None
    )
    part = office.fetch()
    assert office.maker._manifests[office.case].finished
    assert part.total == len(part.data)


@dataclass
class Peer:
    """A session that has asked once."""

    device: Any = field(default_factory=lambda: SimpleNamespace(address="a@acme.example"))
    answers: list[Any] = field(default_factory=list)

    def ask(self) -> None:
        """Nothing waits behind it."""

    def answer(self, frame: Any) -> None:
        self.answers.append(frame)


@pytest.mark.parametrize(
    ("error", "later"), [(UnavailableError("soon"), True), (ForbiddenError("never"), False)]
)
def test_a_refusal_says_whether_to_ask_again(error: BlackthornError, later: bool) -> None:
    productions: Any = SimpleNamespace(part=lambda *given: given[-1](error))
    peer: Any = Peer()
    ProductionHandler(productions).handle(peer, FetchProduction(3, "D-000001", 0), 0.0)
    (answer,) = peer.answers
    assert (answer.refusal, answer.later) == (str(error), later)
