"""The office: what it takes, what waits, what it publishes, and that nobody edits it in hiding."""

import re
from dataclasses import replace

import pytest

from blackthorn.errors import ConflictError, DiskError, StorageError
from blackthorn.governance.statements import Signed, decode
from blackthorn.governance.transitions import Case
from blackthorn.ports.governance.cases import PendingDecision
from blackthorn.server.governance.access import Access, DecisionPage
from blackthorn.storage.sqlite.stores.cases import open_founding
from tests.support.office_people import OfficePeople
from tests.support.stored import answered

DAY = 24 * 3_600_000


@pytest.fixture
def people() -> OfficePeople:
    return OfficePeople(seed=2015)


def access(people: OfficePeople, name: str) -> Access:
    return answered(people.office.access, people.address(name))


def received(people: OfficePeople, **other: object) -> str:
    """A directive is received; its id."""
    signed, kept = people.receive(**other)  # type: ignore[arg-type]
    assert people.submit("lea", people.sign(signed, "lea"), kept) == ("", ())
    people.world.settle()
    return signed.statement.case


def test_the_auditor_sees_what_was_decided(people: OfficePeople) -> None:
    case = received(people)
    people.decide(case, "refuse", {"reason": "not-lawful", "letter": bytes(32)}, by="lea cus")
    register = people.register()
    assert register.cases.case(case).state == "refused"
    assert register.cases.officers == people.office.cases.officers
    assert register.sealed == {}


def test_one_person_decides_nothing_however_often(people: OfficePeople) -> None:
    case = received(people)
    signed, kept = people.draft(case, "refuse", {"reason": "not-lawful", "letter": bytes(32)})
    once = people.sign(signed, "lea")
    refusal, lacks = people.submit("lea", once, kept)
    assert refusal == "" and len(lacks) == 1
    assert people.submit("lea", once, kept) == ("", lacks)
    assert people.office.cases.case(case).state == "received"
    people.restart()
    (waits,) = people.office.pending
    assert waits.signed == once.encode()
    assert people.submit("cus", people.sign(once, "cus"), kept) == ("", ())
    assert people.office.cases.case(case).state == "refused"
    assert people.office.pending == []
    assert people.submit("cus", people.sign(once, "cus"), kept)[0].endswith("[G2]"), "a replay"


def test_strangers_and_helpdesk_decide_nothing(people: OfficePeople) -> None:
    signed, kept = people.receive()
    assert people.submit("pat", people.sign(signed, "lea"), kept)[0] == "only officers decide"
    assert "[G6]" in people.submit("hal", people.sign(signed, "hal"), kept)[0]
    assert access(people, "hal") == Access(True, False)
    assert access(people, "lea") == Access(True, True)
    assert access(people, "pat") == Access(False, False)


@pytest.mark.parametrize(
    ("accounts", "says"),
    [
        (["*@acme.example"], "no account"),
        (["%@acme.example"], "no account"),
        (["@acme.example"], "not an account"),
        (["acme.example"], "not an account"),
        (["PAT@acme.example"], "as pat@"),
        (["nobody@acme.example"], "--unknown"),
        (["pat@other.example"], "--unknown"),
        ([f"p{n}@acme.example" for n in range(6)], "at most 5"),
    ],
)
def test_only_accounts_that_are_named(people: OfficePeople, accounts, says) -> None:
    signed, kept = people.receive(accounts)
    refusal, _ = people.submit("lea", people.sign(signed, "lea"), kept)
    assert says in refusal and "\n" not in refusal
    assert people.office.cases.directives == []


@pytest.mark.parametrize("count", [0, 26, 1000])
def test_no_accounts_or_very_many(people: OfficePeople, count: int) -> None:
    names = [f"p{n}@acme.example" for n in range(count)]
    signed, kept = people.receive(names)
    refusal, _ = people.submit("lea", people.sign(signed, "lea"), kept)
    assert re.search(r"\[G[0-9]+\]$", refusal)
    assert people.office.cases.directives == []


def test_a_number_that_is_not_that_of_the_names(people: OfficePeople) -> None:
    signed, kept = people.receive(unknown=0)
    public = {**signed.statement.public, "accounts": 2}
    signed = Signed(replace(signed.statement, public=public), ())
    assert "number of accounts" in people.submit("lea", people.sign(signed, "lea"), kept)[0]


def test_what_is_gagged_is_committed_to_and_shown_by_itself(people: OfficePeople) -> None:
    world = people.world
    case = received(people, gag_until_ms=world.now_ms + 10 * DAY)
    told: list[str] = []
    people.office.on_disclosure.append(lambda each: told.append(each.id))
    people.decide(
        case,
        "verify",
        {"method": "call-back", "result": "genuine"},
        {"contact": "c", "source": "s"},
        by="lea ann",
    )
    assert people.register().sealed == {case: 2} and told == []
    people.clock.jump_ms = 30 * DAY
    people.office.tick()
    world.settle()
    assert people.register().sealed == {case: 2}, "a jump of the clock shows nothing"
    people.clock.jump_ms = 0
    people.restart()
    people.office.on_disclosure.append(lambda each: told.append(each.id))
    world.tick(11 * DAY)
    world.settle()
    people.office.tick()
    world.settle()
    register = people.register()
    assert register.sealed == {}
    assert register.cases.case(case).state == "verified"
    assert told == [case]
    people.restart()
    people.office.tick()
    assert world.writer.waiting == 0


def test_lifting_a_gag_shows_all_of_it(people: OfficePeople) -> None:
    case = received(people, gag_until_ms=people.world.now_ms + 10 * DAY)
    people.decide(case, "lift-gag", {"order": None}, by="lea cus")
    register = people.register()
    assert register.sealed == {} and register.cases.case(case).seq == 2


@pytest.mark.parametrize(
    "edit",
    [
        "UPDATE decision SET private = zeroblob(64) WHERE case_id = 'D-000001'",
        "UPDATE decision SET taken_ms = taken_ms, salt = zeroblob(32) WHERE case_id = 'D-000001'",
        "UPDATE decision SET signed = (SELECT signed FROM decision WHERE number = 1)"
        " WHERE case_id = 'D-000001'",
        "UPDATE decision SET sealed = 1 WHERE case_id = 'D-000001'",
        "DELETE FROM decision WHERE case_id = 'D-000001'",
        "UPDATE decision SET seq = 9 WHERE case_id = 'D-000001'",
    ],
)
def test_an_edited_row_stops_the_server(people: OfficePeople, edit: str) -> None:
    received(people)
    people.world.database.writing.execute(edit)
    with pytest.raises(StorageError) as stopped:
        people.restart()
    assert "D-000001" in str(stopped.value) and "\n" not in str(stopped.value)


def test_a_crash_before_the_commit_leaves_nothing_and_after_it_all(people: OfficePeople) -> None:
    signed, kept = people.receive()
    whole = people.sign(signed, "lea")
    told: list[object] = []
    people.office.submit(people.address("lea"), whole.encode(), kept, told.append)
    people.restart()
    assert told == [] and people.office.cases.directives == []
    people.office.submit(people.address("lea"), whole.encode(), kept, told.append)
    people.world.crash(committed=True)
    people.start()
    assert told == [] and people.office.cases.case("D-000001").state == "received"
    people.world.settle()
    assert people.register().cases.case("D-000001").state == "received"


def test_founding_is_once_and_only_by_who_was_named(people: OfficePeople) -> None:
    names = [people.address("lea"), people.address("pat")]
    refusal = open_founding(people.world.database.writing, names)
    assert "founded" in refusal
    assert answered(people.office.founders) == []


def test_officers_are_different_people_with_live_devices(people: OfficePeople) -> None:
    public = {**people.person("lea"), "officer": "O-0000aaaa"}
    signed, kept = people.draft("officers", "appoint", public, {"address": people.address("lea")})
    refusal, _ = people.submit("ann", people.sign(signed, "ann", "bob"), kept)
    assert refusal.endswith("[G11]")
    other = people.world.model("second")
    public = {
        **people.person("lea"),
        "officer": "O-0000aaaa",
        "ed25519": other.keys.public.ed25519,
        "ml_dsa": other.keys.public.ml_dsa,
    }
    signed, kept = people.draft("officers", "appoint", public, {"address": people.address("lea")})
    assert "already" in people.submit("ann", people.sign(signed, "ann", "bob"), kept)[0]
    signed, kept = people.draft("officers", "appoint", public, {"address": people.address("pat")})
    assert "no live device" in people.submit("ann", people.sign(signed, "ann", "bob"), kept)[0]


def test_clocks_of_devices_that_are_wrong(people: OfficePeople) -> None:
    signed, kept = people.receive()
    for at_ms, says in (
        (people.world.now_ms + DAY, "ahead"),
        (people.world.now_ms - 30 * DAY, "too old"),
    ):
        refusal, _ = people.submit("lea", people.sign(signed, "lea", at_ms=at_ms), kept)
        assert says in refusal


def test_officers_who_know_only_the_wrong_time_of_the_ledger_let_it_fall(
    people: OfficePeople,
) -> None:
    """What their devices sign is dated by heads that are two days ahead."""
    world = people.world
    received(people)
    epoch = world.ledger.published.epoch
    for ahead_ms in (2 * DAY, -2 * DAY):
        world.now_ms += ahead_ms
        world.ledger.wake()
        world.settle(20_000)
    ahead_ms = world.ledger.time_ms
    assert ahead_ms > world.now_ms + DAY
    public = {"ledger": world.keys.origin, "epoch": epoch, "least_ms": 0}
    wrong, kept = people.draft("ledger", "heal", {**public, "epoch": 1})
    assert "[D41]" in people.submit("ann", people.sign(wrong, "ann", at_ms=ahead_ms), kept)[0]
    signed, kept = people.draft("ledger", "heal", public)
    one = people.sign(signed, "ann", at_ms=ahead_ms)
    refusal, lacks = people.submit("ann", one, kept)
    assert refusal == "" and len(lacks) == 1
    world.settle(20_000)
    assert world.ledger.time_ms > world.now_ms + DAY, "one officer is not enough"
    assert people.submit("lea", people.sign(one, "lea", at_ms=ahead_ms), kept) == ("", ())
    people.restart()
    world.settle(20_000)
    assert world.ledger.time_ms <= world.now_ms
    assert len(world.audit().falls) == 1
    assert people.register().cases.case("ledger").state == "healed"


def test_a_proposal_is_not_pushed_out_by_another_officer(people: OfficePeople) -> None:
    case = received(people)
    first, kept = people.draft(case, "refuse", {"reason": "not-lawful", "letter": bytes(32)})
    assert people.submit("lea", people.sign(first, "lea"), kept)[0] == ""
    other, none = people.draft(case, "refuse", {"reason": "disproportionate", "letter": bytes(32)})
    assert "waits" in people.submit("cus", people.sign(other, "cus"), none)[0]
    people.world.tick(2 * 3_600_000)
    assert people.submit("cus", people.sign(other, "cus"), none)[0] == ""


def test_of_two_officers_who_propose_before_one_commit_the_second_is_told(
    people: OfficePeople,
) -> None:
    case = received(people)
    told: list[object] = []
    for name, reason in (("lea", "not-lawful"), ("cus", "disproportionate")):
        signed, kept = people.draft(case, "refuse", {"reason": reason, "letter": bytes(32)})
        whole = people.sign(signed, name).encode()
        people.office.submit(people.address(name), whole, kept, told.append)
    people.world.writer.commit()
    assert isinstance(told[0], tuple) and isinstance(told[1], ConflictError)
    assert "look at it, and approve that, or wait an hour" in str(told[1])
    (pending,) = people.office.pending
    assert decode(pending.signed).statement.public["reason"] == "not-lawful"


def test_bytes_that_are_no_decision(people: OfficePeople) -> None:
    told: list[object] = []
    for data in (b"x", b"\x80", bytes(15_000)):
        people.office.submit(people.address("lea"), data, b"", told.append)
    assert [str(each).split()[-1] for each in told] == ["[G1]"] * 3


def test_nothing_is_asked_of_a_market_that_is_closed(people: OfficePeople) -> None:
    people.office.cases.by_id["X-ZZ-1"] = Case("X-ZZ-1", "closed", 1)
    signed, kept = people.receive()
    refusal, _ = people.submit("lea", people.sign(signed, "lea"), kept)
    assert "which is closed" in refusal
    assert people.office.cases.directives == []


def test_one_decision_at_a_time_while_the_store_is_read(people: OfficePeople) -> None:
    signed, kept = people.receive()
    whole = people.sign(signed, "lea").encode()
    told: list[object] = []
    people.reader.hold()
    for _ in range(2):
        people.office.submit(people.address("lea"), whole, kept, told.append)
    assert [str(each) for each in told] == ["another decision is being written: try again"]
    people.reader.release()
    people.world.writer.commit()
    assert told[1:] == [()]
    people.reader.fail(DiskError("the disk failed"))
    other, none = people.receive()
    assert people.submit("lea", people.sign(other, "lea"), none) == ("the disk failed", ())
    people.reader.fail(None)
    assert people.submit("lea", people.sign(other, "lea"), none) == ("", ())


def test_a_defect_in_a_check_does_not_keep_everybody_from_deciding(people: OfficePeople) -> None:
    def defective(checked: object, private: object, done: object) -> None:
        raise TypeError

    people.office.checks.append(defective)
    signed, kept = people.receive()
    with pytest.raises(TypeError):
        people.submit("lea", people.sign(signed, "lea"), kept)
    people.office.checks.remove(defective)
    assert people.submit("lea", people.sign(signed, "lea"), kept) == ("", ())


def test_a_listener_that_raises_silences_no_other(people: OfficePeople) -> None:
    told: list[str] = []

    def defective(*unused: object) -> None:
        raise OSError

    people.office.on_decision[:0] = [defective, lambda case, step: told.append(step.action)]
    people.office.on_disclosure[:0] = [defective, lambda case: told.append("disclosed")]
    signed, kept = people.receive()
    with pytest.raises(OSError):
        people.submit("lea", people.sign(signed, "lea"), kept)
    assert told[0] == "receive"
    assert "disclosed" in told
    people.office.on_decision.remove(defective)
    people.office.on_disclosure.remove(defective)
    case = signed.statement.case
    people.decide(case, "refuse", {"reason": "not-lawful", "letter": bytes(32)}, by="lea cus")
    assert people.office.cases.case(case).state == "refused"


def test_what_is_pending_is_not_newer_than_the_decisions_that_it_is_shown_with(
    people: OfficePeople,
) -> None:
    signed, kept = people.receive()
    shown: list[DecisionPage] = []
    people.reader.hold(early=True)
    people.office.page(people.address("lea"), 0, 100, shown.append)
    reads, people.reader._waiting = people.reader._waiting, []
    people.reader.release()
    assert people.submit("lea", people.sign(signed, "lea"), kept) == ("", ())
    people.office._proposals._pending["next"] = PendingDecision("next", b"", b"", 0)
    for answer, done in reads:
        done(answer())
    (page,) = shown
    assert signed.statement.case not in [row.case for row in page.decisions]
    assert page.pending == []
