"""The desk of exits: officers get an exit's facts, a person his own receipt, nobody another's."""

from pathlib import Path

import pytest

from blackthorn.errors import DiskError
from blackthorn.governance.closure.receipt import decode_placed
from blackthorn.ids import Address
from blackthorn.link.frames import FetchExit, FetchReceipt
from blackthorn.server.governance.access import Access
from blackthorn.server.handlers.exits import ExitHandler
from blackthorn.server.markets.closure_facts import list_hash
from tests.support.closing import Market, address
from tests.support.sessions import RecordingSession

OFFICER = address(7)


class Officers:
    """`DecisionService.access`: one user is an officer."""

    def access(self, who: Address, done) -> None:
        done(Access(who == OFFICER, False))


@pytest.fixture
def market(tmp_path: Path):
    market = Market(tmp_path)
    yield market
    market.database.close()


def ask(market: Market, who: Address | None, frame):
    session = RecordingSession(who)
    ExitHandler(market.closures, Officers()).handle(session, frame, 0.0)
    assert not session.waits
    return session.sent[0] if session.sent else None


def test_an_officer_sees_whom_it_concerns_and_what_was_counted(market: Market) -> None:
    facts = ask(market, OFFICER, FetchExit(4, "PK"))
    assert (facts.request, facts.users, facts.fields, facts.refusal) == (4, 5, {}, "")
    assert facts.list == list_hash([address(number) for number in (3, 1, 2, 5, 4)])
    market.until("preparing")
    market.work()
    facts = ask(market, OFFICER, FetchExit(4, "PK"))
    assert facts.fields["users"] == 5 and facts.fields["key"] == market.keys.fingerprint("PK")
    assert ask(market, OFFICER, FetchExit(4, "FR")).users == 0


def test_nobody_else_sees_it(market: Market) -> None:
    facts = ask(market, address(1), FetchExit(4, "PK"))
    assert facts.refusal == "only officers see the facts of an exit"
    assert (facts.users, facts.list, facts.fields) == (0, bytes(32), {})
    assert ask(market, None, FetchExit(4, "PK")) is None


def test_a_person_gets_his_own_receipt_once_it_was_prepared(market: Market) -> None:
    assert "no receipt" in ask(market, address(2), FetchReceipt(9)).refusal
    market.until("preparing")
    market.work()
    part = ask(market, address(2), FetchReceipt(9))
    assert part.refusal == "" and decode_placed(part.receipt).receipt.address == address(2)
    assert "no receipt" in ask(market, address(6), FetchReceipt(9)).refusal


def test_a_failing_database_is_told_in_one_line(market: Market) -> None:
    market.reader.fail(DiskError("the disk failed"))
    assert ask(market, address(2), FetchReceipt(9)).refusal == "the disk failed"
    assert ask(market, OFFICER, FetchExit(9, "PK")).refusal == "the disk failed"
