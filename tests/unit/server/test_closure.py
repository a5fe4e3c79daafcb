"""A closure survives its process at every step, destroys only what was decided, and only once."""

import json
import random
import shutil
from pathlib import Path

import pytest

from blackthorn.errors import (
    ConflictError,
    DamageError,
    DefectError,
    DiskError,
    InputError,
    StorageError,
    VerificationError,
)
from blackthorn.governance.closure.check import check_person, check_receipt, check_statement
from blackthorn.governance.closure.receipt import decode_placed
from blackthorn.link import limits as link_limits
from blackthorn.ports.governance.closure import DropClosure, Phase
from blackthorn.ports.governance.exits import NoteAct, NoteNotified
from blackthorn.server.markets import closure as closure_module
from blackthorn.server.markets import limits as markets_limits
from blackthorn.storage.sqlite.database import Database
from tests.support.closing import KEPT, LEFT, MAILS, Market, address
from tests.support.stored import StoredMail

ALL = (5 * MAILS, 10, 5, 5)
OTHERS = (3 * MAILS, 6, 3, 3)
NONE = (0, 0, 0, 0)


@pytest.fixture
def market(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(markets_limits, "CLOSURE_PERSONS", 2)
    monkeypatch.setattr(markets_limits, "CLOSURE_ROWS", 7)
    market = Market(tmp_path)
    yield market
    market.database.close()


def check_closed(market: Market) -> None:
    """The end, whatever happened on the way."""
    assert market.rows("PK") == NONE
    assert market.rows("DE") == OTHERS
    assert all(market.readable(user) for user in KEPT)
    assert market.keys.key("PK") is None
    assert market.phase() == "closed"
    assert market.published is not None
    statement, _ = check_statement(market.published.read_bytes(), None, market.walk.case)
    assert (statement.mails, statement.parcels) == (5 * MAILS, 10)
    assert statement.counts["users"] == len(statement.leaves) == 5
    assert len(statement.samples) == 5
    assert list(statement.tried) == ["DE"]
    assert len(list((market.folder / "closures").iterdir())) == 1


def test_a_market_is_closed_and_the_other_is_untouched(market: Market) -> None:
    market.close()
    check_closed(market)
    assert market.work() == 0
    assert market.sql("SELECT count(*) FROM users WHERE market = 'PK'") == [(5,)]


def test_nothing_is_destroyed_before_the_custodians_decide(market: Market) -> None:
    market.until("preparing")
    market.work()
    assert market.phase() == "ready"
    assert market.rows("PK") == ALL
    assert all(market.readable(user) for user in LEFT)
    assert market.closures.problems() == []
    assert market.published is None


@pytest.mark.parametrize("told", [True, False])
def test_the_process_ends_at_every_step_and_the_end_is_the_same(
    tmp_path: Path, monkeypatch, told: bool
) -> None:
    """`told` False: the step was durable and nobody heard; True: it was lost before its commit."""
    monkeypatch.setattr(markets_limits, "CLOSURE_PERSONS", 2)
    monkeypatch.setattr(markets_limits, "CLOSURE_ROWS", 7)
    steps = _run(Market(_folder(tmp_path, "whole")), -1, told)
    assert steps >= 18
    for crash_at in range(steps):
        market = Market(_folder(tmp_path, f"at{crash_at}"))
        _run(market, crash_at, told)
        check_closed(market)
        market.database.close()


def _folder(parent: Path, name: str) -> Path:
    folder = parent / name
    folder.mkdir()
    return folder


def _run(market: Market, crash_at: int, told: bool) -> int:
    """Close it, with the end of the process at that step; how many steps there were."""
    market.until("preparing")
    count = 0
    for action in ("destroy", "close", ""):
        while market.closures.tick():
            if count == crash_at:
                if not told:
                    market.writer.commit(told=False)
                market.restart()
            market.writer.commit()
            count += 1
            assert count < 500
            if market.state == "preparing":
                assert market.rows("PK") == ALL
                assert market.keys.key("PK") is not None
        assert market.closures.problems() == []
        if action:
            market.decide(action)
    return count


@pytest.mark.parametrize("seed", range(6))
def test_answers_that_come_late_or_not_at_all_change_nothing(market: Market, seed: int) -> None:
    """The reader holds at random, and the process may end while it does."""
    print(f"seed {seed}")
    chance = random.Random(seed)
    market.until("preparing")
    for action in ("destroy", "close", ""):
        for _ in range(600):
            market.reader.hold()
            market.closures.tick()
            if chance.random() < 0.1:
                market.writer.commit(told=chance.random() < 0.5)
                market.restart()
                continue
            if chance.random() < 0.7:
                market.reader.release()
            if chance.random() < 0.7:
                market.writer.commit()
            if market.phase() == {"destroy": "ready", "close": "destroyed"}.get(action, "closed"):
                break
        market.reader.release()
        market.writer.commit()
        market.work()
        if action:
            market.decide(action)
    check_closed(market)


def test_the_key_is_destroyed_once(market: Market, monkeypatch) -> None:
    """Whatever is repeated after a crash, the time of its destruction is the first one."""
    market.until("preparing")
    market.work()
    market.decide("destroy")
    while market.phase() != "key":
        assert market.step()
    assert market.closures.tick()
    first = market.keys.tombstone("PK")
    market.writer.crash()
    market.world.now_ms += 5
    market.restart()
    market.work()
    assert market.keys.tombstone("PK") == first
    assert market.stored[0].destroyed_ms == first.destroyed_ms


@pytest.mark.parametrize("action", ["extend", "rescind"])
def test_extending_or_rescinding_while_it_is_prepared_throws_it_away(
    tmp_path: Path, monkeypatch, action: str
) -> None:
    monkeypatch.setattr(markets_limits, "CLOSURE_PERSONS", 2)
    monkeypatch.setattr(markets_limits, "CLOSURE_ROWS", 2)
    for steps in range(1, 7):
        market = Market(_folder(tmp_path, str(steps)))
        market.until("preparing")
        for _ in range(steps):
            market.step()
        market.walk.take(action)
        assert market.closures.tick()
        market.restart()
        market.work()
        assert market.stored == []
        assert market.sql("SELECT count(*) FROM closure_receipt") == [(0,)]
        assert market.sql("SELECT count(*) FROM closure_sample") == [(0,)]
        assert market.rows("PK") == ALL
        assert all(market.readable(user) for user in LEFT)
        market.database.close()


def test_after_an_extension_it_is_prepared_anew_and_closed(market: Market) -> None:
    market.until("preparing")
    market.work()
    before = market.stored[0].root
    market.walk.take("extend")
    market.work()
    market.walk.take("prepare")
    market.work()
    assert market.stored[0].root != before
    market.decide("destroy")
    market.work()
    market.decide("close")
    market.work()
    check_closed(market)


def test_a_decision_that_came_first_keeps_what_was_prepared(market: Market) -> None:
    """What is thrown away was looked at before the decision was durable: then it stays."""
    market.until("preparing")
    market.work()
    closure = market.stored[0]
    seq = market.walk.case.seq
    command = DropClosure(closure, seq, 100)
    market.sql("INSERT INTO decision VALUES (1, 'X-PK-1', ?, x'', x'', x'', 0, 0)", seq + 1)
    with pytest.raises(ConflictError, match="moved on"):
        market.do(command)
    assert market.stored == [closure]


def test_a_restored_backup_reads_nothing_of_the_market_and_all_of_the_other(
    market: Market, tmp_path: Path
) -> None:
    assert market.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(tmp_path / "b.db", tmp_path / "backup.db")
    market.close()
    backup = Database.open(tmp_path / "backup.db")
    mail = StoredMail(backup, market.wrapping)
    for user in LEFT:
        with pytest.raises(StorageError, match="destroyed"):
            mail.read(user, 1, 0, 10)
    for user in KEPT:
        assert mail.read(user, 1, 0, 11) == (99, b"sealed mail")
    backup.close()


def test_what_came_after_the_purge_is_deleted_too(market: Market) -> None:
    market.until("preparing")
    market.work()
    market.decide("destroy")
    while market.phase() != "key":
        assert market.step()
    market.put_mail(2, 2)
    market.work()
    assert market.rows("PK") == NONE
    assert market.stored[0].mails == 5 * MAILS + 2
    with pytest.raises(StorageError, match="destroyed"):
        market.put_mail(2)


def test_a_reader_that_holds_the_log_puts_the_key_off(market: Market) -> None:
    market.until("preparing")
    market.work()
    market.decide("destroy")
    market.compacts = False
    for _ in range(30):
        market.step()
    assert market.phase() == "compact"
    assert market.keys.key("PK") is not None
    market.compacts = True
    market.work()
    assert market.phase() == "destroyed"


def test_a_blocking_step_that_fails_is_taken_again(market: Market) -> None:
    market.until("preparing")
    market.work()
    market.decide("destroy")
    compact, failures = market.closures.compact, [DefectError("x"), DiskError("x")]

    def failing() -> bool:
        if failures:
            raise failures.pop(0)
        return compact()

    market.closures.compact = failing
    for _ in range(60):
        market.step()
    assert failures == []
    assert market.phase() == "destroyed"
    assert market.closures.problems() == []


def test_a_full_disk_is_told_and_the_work_goes_on_afterwards(market: Market) -> None:
    market.until("preparing")
    market.work()
    market.decide("destroy")
    market.writer.fail(StorageError("the disk is full"))
    market.step()
    assert market.closures.problems() == ["the closure of a market is blocked: the disk is full"]
    market.writer.fail(None)
    market.work()
    market.decide("close")
    market.work()
    check_closed(market)
    assert market.closures.problems() == []


def test_a_sample_that_opens_with_another_key_stops_it(market: Market, monkeypatch) -> None:
    market.until("preparing")
    market.work()
    market.decide("destroy")
    while market.phase() != "probe":
        assert market.step()
    monkeypatch.setattr(closure_module, "_opens", lambda key, sample: True)
    assert not market.closures.tick()
    assert "opens a mail of PK" in market.closures.problems()[0]
    assert market.facts().fields == {}


# --- Persons --------------------------------------------------------------------------------


def test_persons_are_counted_as_they_did(market: Market) -> None:
    market.until("retrieval")
    told = (
        NoteNotified(1, "X-PK-1", 5),
        NoteAct(1, "X-PK-1", "read", "", 6),
        NoteAct(2, "X-PK-1", "exported", "", 6),
        NoteAct(3, "X-PK-1", "forward", "new@b.example", 6),
        NoteAct(4, "X-PK-1", "unreachable", "1", 6),
        NoteAct(6, "X-PK-1", "moved", "", 6),
    )
    for job in told:
        market.do(job)
    market.walk.take("prepare")
    market.work()
    fields = market.facts().fields
    assert {name: fields[name] for name in fields if isinstance(fields[name], int)} == {
        "users": 6,
        "notified": 1,
        "read": 1,
        "exported": 1,
        "moved": 1,
        "forwarded": 1,
        "unreachable": 1,
        "held": 0,
    }
    moved = decode_placed(market.receipt(address(6)))
    assert (moved.receipt.moved, moved.receipt.mails, moved.receipt.parcels) == (True, 0, 0)


def test_each_person_finds_his_receipt_and_nobody_elses(market: Market) -> None:
    market.close()
    statement, _ = check_statement(market.published.read_bytes(), None, market.walk.case)
    for user in LEFT:
        data = market.receipt(address(user))
        assert len(data) <= link_limits.MAX_RECEIPT_BYTES
        placed = check_receipt(data, statement)
        check_person(placed.receipt, address(user))
        assert (placed.receipt.mails, placed.receipt.parcels) == (MAILS, 2)
        with pytest.raises(VerificationError, match="C18"):
            check_person(placed.receipt, address(9))
    assert market.receipt(address(6)) is None
    assert b"acme" not in market.published.read_bytes().replace(b"acme.example/ledger", b"")


def test_there_is_no_receipt_before_the_tree_stands(market: Market) -> None:
    market.until("preparing")
    market.step()
    market.step()
    assert market.phase() == "receipts"
    assert market.receipt(address(1)) is None


def test_receipts_are_made_anew_when_somebody_came_or_moved(market: Market) -> None:
    market.until("preparing")
    market.work()
    assert market.facts().fields["users"] == 5
    market.sql("UPDATE users SET market = 'PK' WHERE number = 6")
    assert market.facts().fields == {}
    market.work()
    assert market.facts().fields["users"] == 6
    market.do(NoteAct(6, "X-PK-1", "moved", "", 6))
    assert market.facts().fields == {}
    market.work()
    assert market.facts().fields["moved"] == 1


def test_what_is_kept_of_persons_goes_with_the_forwarding(market: Market) -> None:
    market.do(NoteAct(3, "X-PK-1", "forward", "new@b.example", 6))
    market.close()
    assert market.persons.person(3, "X-PK-1").forward == "new@b.example"
    market.world.now_ms += 400 * 86_400_000
    market.work()
    assert market.persons.person(3, "X-PK-1").forward is None
    assert market.receipt(address(3)) is None
    assert market.phase() == "closed"


# --- What the office asks -------------------------------------------------------------------


class Asked:
    """A decision as the office's checks see it."""

    def __init__(self, action: str, **public) -> None:
        self.signed = self
        self.statement = self
        self.case, self.action, self.public = "X-PK-1", action, public


def test_a_plan_names_just_the_users_of_now(market: Market) -> None:
    facts = market.facts()
    assert facts.users == 5
    market.refuse(Asked("plan", users=5, list=facts.list))
    for users, listed in ((4, facts.list), (5, bytes(32))):
        with pytest.raises(InputError, match="not those of this plan"):
            market.refuse(Asked("plan", users=users, list=listed))
    market.sql("UPDATE users SET market = 'DE'")
    with pytest.raises(InputError, match="PK has no users"):
        market.refuse(Asked("plan", users=0, list=bytes(32)))


@pytest.mark.parametrize("action", ["destroy", "close"])
def test_what_is_decided_is_what_was_counted(market: Market, action: str) -> None:
    with pytest.raises(InputError, match="not ready"):
        market.refuse(Asked(action))
    market.until("preparing")
    market.work()
    if action == "close":
        market.decide("destroy")
        market.work()
    fields = market.facts().fields
    market.refuse(Asked(action, **fields))
    for name, value in fields.items():
        wrong = bytes(32) if isinstance(value, bytes) else value + 1
        with pytest.raises(InputError, match=f"^{name} differs from the server"):
            market.refuse(Asked(action, **(fields | {name: wrong})))


@pytest.mark.parametrize("action", ["prepare", "destroy"])
def test_no_directive_is_open_on_a_user_of_the_market(market: Market, action: str) -> None:
    market.until("preparing")
    market.work()
    fields = market.facts().fields
    market.refuse(Asked(action, **fields))
    market.world.receive("PK")
    market.named = [address(6)]
    market.refuse(Asked(action, **fields))
    market.named = [address(6), address(2)]
    with pytest.raises(InputError, match="D-000001 is open and names a user of PK"):
        market.refuse(Asked(action, **fields))
    market.world.verify("D-000001", "forged")
    market.refuse(Asked(action, **fields))


def test_the_statement_is_json_that_names_no_person(market: Market) -> None:
    market.close()
    statement = json.loads(market.published.read_bytes())["statement"]
    assert statement["persons"]["users"] == 5
    assert [each["opened"] for each in statement["samples"]] == [0] * 5
    assert Phase.CLOSED.value == market.phase()


def test_a_receipt_that_was_altered_is_told_as_damage(market: Market) -> None:
    market.close()
    market.sql("UPDATE closure_receipt SET receipt = x'00'")
    with pytest.raises(DamageError, match="C15"):
        market.receipt(address(1))
