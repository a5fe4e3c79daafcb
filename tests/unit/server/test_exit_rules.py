"""What each state of an exit leaves to its users, and what SMTP answers for them."""

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.edges.smtp.replies import refusal
from blackthorn.errors import DiskError, ForbiddenError
from blackthorn.governance import exits
from blackthorn.governance.cases import Cases
from blackthorn.governance.transitions import Case, Step
from blackthorn.ids import Address
from blackthorn.link.activation import exchange
from blackthorn.ports.enrolment import OpenCode
from blackthorn.ports.enterprise import UserRecord
from blackthorn.server.accounts.enrolment import EnrolmentService, Try
from blackthorn.server.counters import Counters
from blackthorn.server.mail.recipient_policy import RecipientPolicy, RecipientRefusedError
from blackthorn.server.markets.exit_rules import ALLOWED, ExitRules, May, allowed
from tests.support.stored import answered
from tests.unit.server.test_mail_server import CERTIFICATE, FixedClock, Table

HERE, ELSEWHERE = Address("here@acme.example"), Address("else@acme.example")
MARKETS = {HERE: "PK", ELSEWHERE: "DE"}
STOP_MS, FORWARDING_END_MS = 1_451_433_600_000, 1_482_969_600_000

TABLE = {
    # activate, log in, send, fetch, be sent to, mail in
    "": "111111",
    "draft": "111111",
    "approved": "111111",
    "announced": "111111",
    "draining": "011111",
    "read-only": "010111",
    "stopped": "000000",
    "retrieval": "010100",
    "preparing": "010100",
    "destroying": "000000",
    "closed": "000000",
    "rescinded": "111111",
}
LEFT = ("stopped", "retrieval", "preparing", "destroying", "closed")


def exit_case(state: str, name: str = "X-PK-1", *, held: bool = False) -> Case:
    """An exit in that state, of a plan with the dates of this module."""
    public = dict.fromkeys(exits.DATES, STOP_MS) | {"forwarding_end_ms": FORWARDING_END_MS}
    return Case(name, state, 1, history=(Step(1, "plan", public, (), 0, 0),), held=held)


def rules(*cases: Case, forward: str = "", log_ms: int = STOP_MS) -> ExitRules:
    """The rules where these are all the cases, looked at afresh."""
    made = ExitRules(
        lambda: Cases({}, {each.id: each for each in cases}),
        MARKETS.get,
        lambda case, address: forward if (case, address) == ("X-PK-1", HERE) else "",
        lambda: log_ms,
    )
    made.renew()
    return made


def test_the_table_knows_every_state_that_an_exit_can_come_to() -> None:
    reached = {source for move in exits.TRANSITIONS for source in move.sources}
    reached |= {
        target for move in exits.TRANSITIONS for s in move.sources for target in move.targets(s)
    }
    assert set(ALLOWED) == reached == set(TABLE)


@pytest.mark.parametrize("state", TABLE)
@pytest.mark.parametrize("held", [False, True])
def test_every_state_allows_what_its_row_says(state: str, held: bool) -> None:
    asked = rules(exit_case(state, held=held)) if state else rules()
    for what, digit in zip(May, TABLE[state], strict=True):
        assert allowed(state, what) == (digit == "1"), what
        assert bool(asked.refusal(HERE, what)) == (digit == "0"), what
        assert asked.refusal(ELSEWHERE, what) == ""
        assert asked.refusal(Address("nobody@acme.example"), what) == ""


def test_the_specification_shows_the_table() -> None:
    text = (Path(__file__).parents[3] / "docs/specs/exits.md").read_text()
    shown: dict[str, str] = {}
    for line in text.splitlines():
        cells = [each.strip() for each in line.strip("|").split("|")]
        if len(cells) == 7 and set(cells[1:]) <= {"yes", "no"}:
            digits = "".join("1" if each == "yes" else "0" for each in cells[1:])
            shown |= {each.strip("` "): digits for each in cells[0].split(",")}
    assert {"" if state == "none" else state: row for state, row in shown.items()} == TABLE


def test_a_refusal_names_the_country_and_what_can_be_done() -> None:
    assert "PK" in rules(exit_case("read-only")).refusal(HERE, May.SEND)
    assert "export" in rules(exit_case("stopped")).refusal(HERE, May.LOG_IN)
    assert "export" not in rules(exit_case("closed")).refusal(HERE, May.LOG_IN)


def test_the_newest_exit_of_a_market_counts() -> None:
    first, tenth = exit_case("rescinded", "X-PK-9"), exit_case("stopped", "X-PK-10")
    assert rules(first, tenth).refusal(HERE, May.LOG_IN)
    assert not rules(exit_case("rescinded", "X-PK-10"), first).refusal(HERE, May.LOG_IN)


def test_a_decision_is_heard_of_only_when_it_is_about_an_exit() -> None:
    cases = Cases()
    asked = ExitRules(lambda: cases, MARKETS.get)
    cases.by_id["X-PK-1"] = exit_case("stopped")
    asked.decided(Case("D-000001"), Step(1, "receive", {}, (), 0, 0))
    assert not asked.refusal(HERE, May.SEND)
    asked.decided(cases.by_id["X-PK-1"], Step(2, "stop", {}, (), 0, 0))
    assert asked.refusal(HERE, May.SEND)


# --- SMTP -----------------------------------------------------------------------------------


def reply(asked: ExitRules, address: Address) -> str:
    """What the reception answers to RCPT."""
    users = [UserRecord(n, each, "0", CERTIFICATE, ()) for n, each in enumerate(MARKETS)]
    policy = RecipientPolicy("acme.example", Table(*users), FixedClock(), asked)
    try:
        answered(policy.recipient, address)
    except RecipientRefusedError as error:
        return refusal(error).reply
    return "250"


@pytest.mark.parametrize("state", TABLE)
def test_mail_is_answered_by_the_state(state: str) -> None:
    asked = rules(exit_case(state)) if state else rules()
    assert reply(asked, ELSEWHERE) == "250"
    if state in LEFT:
        assert reply(asked, HERE).startswith("550 5.1.6 <here@acme.example> has left; ")
    else:
        assert reply(asked, HERE) == "250"


@pytest.mark.parametrize("state", LEFT)
def test_a_forwarding_address_is_named_until_forwarding_ends(state: str) -> None:
    new, case = "me@new.example", exit_case(state)
    before = rules(case, forward=new, log_ms=FORWARDING_END_MS - 1)
    after = rules(case, forward=new, log_ms=FORWARDING_END_MS)
    moved = "551 5.1.6 <here@acme.example> has moved; please try <me@new.example>"
    assert reply(before, HERE) == moved
    assert reply(after, HERE).startswith("550 5.1.6 ")


def test_a_forwarding_address_changes_nothing_while_mail_is_taken() -> None:
    assert reply(rules(exit_case("read-only"), forward="me@new.example"), HERE) == "250"
    assert reply(rules(exit_case("rescinded"), forward="me@new.example"), HERE) == "250"


# --- Activation -----------------------------------------------------------------------------


@pytest.mark.parametrize("state", ["announced", "draining", "read-only", "stopped", "closed"])
def test_a_proven_code_is_used_only_while_devices_are_activated(state: str) -> None:
    used: list[str] = []
    refused = enrol(rules(exit_case(state)), used)
    assert used == [HERE] * (state == "announced")
    assert [type(error) for error in refused] == [ForbiddenError] * (state != "announced")
    assert all("PK" in str(error) for error in refused)


def enrol(asked: ExitRules, used: list[str]) -> list[object]:
    """Use a code that is proven: into `used`, and the answers."""
    answers: list[object] = []
    enrolment = EnrolmentService(
        writer=None,
        reader=None,
        enterprise=None,
        ledger=None,
        admissions=SimpleNamespace(admit=lambda address, keys, now, done: used.append(address)),
        counters=Counters(),
        clock=FixedClock(),
        warn=lambda event: None,
        random=bytes,
        exits=asked,
    )
    verifier = exchange.Verifier(Secret(bytes(32)), bytes(32))
    code = OpenCode("1", HERE, verifier, FixedClock().wall_ms() + 1, None, None)
    attempt = Try("", code, verifier, exchange.Owner(HERE, 0, bytes(32)))
    enrolment.enrol(attempt, SimpleNamespace(identity_key=bytes(32)), answers.append)
    return answers


@pytest.mark.parametrize("state", [each for each in TABLE if each])
def test_only_where_people_log_in_and_may_not_send_is_each_frame_looked_at(state: str) -> None:
    assert rules(exit_case(state)).reading == (state in ("read-only", "retrieval", "preparing"))
    assert not rules().reading


def unreadable(address: Address) -> str:
    raise DiskError("the disk failed")


def test_rules_that_cannot_be_read_are_a_fault_of_the_disk_and_keep_no_mail_waiting() -> None:
    asked = rules(exit_case("closed"))
    asked.market_of = unreadable
    loads: list[Callable[[UserRecord], None]] = []
    enterprise = SimpleNamespace(load_user=lambda address, done: loads.append(done))
    told: list[object] = []
    policy = RecipientPolicy("acme.example", enterprise, FixedClock(), asked)
    policy.recipient(HERE, told.append)
    loads[0](UserRecord(1, HERE, "0", CERTIFICATE, ()))
    assert [type(error) for error in told] == [DiskError]


def test_rules_that_cannot_be_read_keep_no_activation_waiting() -> None:
    asked = rules(exit_case("closed"))
    asked.market_of = unreadable
    assert [type(error) for error in enrol(asked, [])] == [DiskError]
