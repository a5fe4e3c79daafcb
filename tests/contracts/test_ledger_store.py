"""What every `ports.ledger.LedgerStore` keeps to, in memory and in a file with two connections."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from blackthorn.errors import StorageError
from blackthorn.ids import Address, DeviceId
from blackthorn.ports.enterprise import Standing
from blackthorn.ports.ledger import (
    Change,
    Checkpoint,
    Epoch,
    Label,
    Leaf,
    LedgerStore,
    NewDevice,
    Settlement,
    StoredStatement,
    WaitingRecord,
)
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.stepped import SteppedWriter
from blackthorn.storage.sqlite.stores.enterprise import SqliteEnterprise
from blackthorn.storage.sqlite.stores.ledger import SqliteLedger
from tests.market_keys import wrapping

ALICE, BOB = Address("alice@acme.example"), Address("bob@acme.example")


class Case:
    """A store, its writer, and two users without chains."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.writer = SteppedWriter(Engine(database, wrapping()))
        self.store: LedgerStore = SqliteLedger(database.reading)
        self.enterprise = SqliteEnterprise(database.reading)
        for number, address in enumerate((ALICE, BOB), 1):
            database.writing.execute(
                "INSERT INTO users (number, address, pin, created_ms) VALUES (?, ?, ?, 0)",
                (number, address, f"{number:08X}"),
            )

    def do(self, job: Any) -> Any:
        """Run one job; its result, or the StorageError that took its place."""
        told: list[Any] = []
        self.writer.submit(job, told.append)
        self.writer.commit()
        return told[0]


@pytest.fixture(params=["memory", "file"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Case]:
    in_file = request.param == "file"
    database = Database.open(tmp_path / "test.db") if in_file else Database.in_memory()
    yield Case(database)
    database.close()


def statement(seq: int, kind: str = "set_recovery", flags: int = 0) -> StoredStatement:
    return StoredStatement(seq, bytes([seq]) * 32, kind, flags, b"statement %d" % seq)


def label(number: int, address: Address) -> Label:
    return Label(number, address, bytes([number]) * 32, bytes(80), b"salt" * 8)


def first(address: Address = ALICE, number: int = 1, **more: Any) -> Change:
    """The first statement of a user."""
    known = label(number, address)
    return Change(address, 0, bytes(32), (statement(1, "genesis"),), label=known, **more)


def then(seq: int, **more: Any) -> Change:
    """The next one of Alice."""
    return Change(ALICE, seq - 1, bytes([seq - 1]) * 32, (statement(seq),), **more)


def device(number: int, standing: Standing = Standing.LIVE) -> NewDevice:
    return NewDevice(DeviceId(bytes([number]) * 16), bytes([number]) * 32, "d", standing)


def epoch(start: int, *leaves: Leaf, **more: Any) -> Epoch:
    """The mutations of some leaves, and a head."""
    entries = (*(b"mutation %d" % leaf.place for leaf in leaves), b"head %d" % start)
    size = start + len(entries)
    published = tuple((leaf.user, leaf.seq, leaf.seq, leaf.place) for leaf in leaves)
    checkpoint = Checkpoint(size, bytes([size]) * 32, b"note %d" % size, published=False)
    return Epoch(start, entries, leaves, published, more.get("records", ()), checkpoint)


# --- The log -----------------------------------------------------------------------------------


def test_an_epoch_is_pending_until_it_is_published(case: Case) -> None:
    assert case.store.checkpoints() == [] and case.store.entries(0, 9, 99) == []
    case.do(case.store.append(epoch(0)))
    pending = Checkpoint(1, b"\x01" * 32, b"note 1", published=False)
    assert case.store.checkpoints() == [pending]
    case.do(case.store.publish(1, b"note 1, cosigned"))
    one = Checkpoint(1, b"\x01" * 32, b"note 1, cosigned", published=True)
    assert case.store.checkpoints() == [one]
    case.do(case.store.append(epoch(1)))
    two = Checkpoint(2, b"\x02" * 32, b"note 2", published=False)
    assert case.store.checkpoints() == [one, two]
    case.do(case.store.publish(2, b"note 2, cosigned"))
    assert [each.note for each in case.store.checkpoints()] == [b"note 2, cosigned"]
    assert case.store.roots() == [(1, b"\x01" * 32), (2, b"\x02" * 32)]


def test_no_second_epoch_of_a_size_and_no_second_pending_one_is_ever_stored(case: Case) -> None:
    case.do(case.store.append(epoch(0)))
    assert isinstance(case.do(case.store.append(epoch(0))), StorageError)
    assert isinstance(case.do(case.store.append(epoch(1))), StorageError)
    assert case.store.entries(0, 9, 99) == [b"head 0"]


def test_entries_come_in_order_and_end_within_the_bounds(case: Case) -> None:
    for start in range(5):
        case.do(case.store.append(epoch(start)))
        case.do(case.store.publish(start + 1, b""))
    assert case.store.entries(1, 3, 10**6) == [b"head 1", b"head 2", b"head 3"]
    assert case.store.entries(1, 3, 7) == [b"head 1", b"head 2"]
    assert case.store.entries(5, 3, 10**6) == []
    assert [case.store.epoch_end(place) for place in (0, 4, 5)] == [1, 5, None]
    assert case.store.newest_config() is None


def test_evidence_is_kept_once(case: Case) -> None:
    for note in (b"b", b"a", b"b"):
        case.do(case.store.keep_evidence(note, len(case.store.evidence())))
    assert case.store.evidence() == [b"b", b"a"]


def test_typed_entries_wait_until_the_epoch_that_has_them(case: Case) -> None:
    for kind in (16, 17, 18):
        case.do(case.store.add_record(kind, bytes([kind])))
    waiting = case.store.waiting_records(2)
    assert waiting == [WaitingRecord(1, 16, b"\x10"), WaitingRecord(2, 17, b"\x11")]
    case.do(case.store.append(epoch(0, records=(1, 2))))
    assert [each.kind for each in case.store.waiting_records(9)] == [18]


# --- Chains ------------------------------------------------------------------------------------


def test_a_change_is_stored_once_and_only_where_the_chain_stands(case: Case) -> None:
    fits = case.store.fits
    assert case.do(fits(first())) is None
    assert "first in this chain" in case.do(fits(then(2)))
    assert case.do(case.store.change(first())) is None
    assert case.do(case.store.change(first())) == "" == case.do(fits(first()))
    assert case.do(case.store.change(then(2))) is None
    assert case.do(case.store.change(first())) == "", "also when the chain has gone on"
    other = Change(ALICE, 1, bytes([1]) * 32, (statement(9),))
    assert "first in this chain" in case.do(case.store.change(other))
    wrong = Change(ALICE, 2, bytes(32), (statement(3),))
    assert "first in this chain" in case.do(case.store.change(wrong))
    assert [each.seq for each in case.store.statements(ALICE, 0)] == [1, 2]
    assert case.store.statements(ALICE, 1) == [statement(2)]
    assert case.store.statements(BOB, 0) == [] and case.store.label(BOB) is None
    assert case.store.label(ALICE) == label(1, ALICE)


def test_devices_come_change_and_go_with_their_statement(case: Case) -> None:
    one, two = device(1), device(2)
    case.do(case.store.change(first(devices=(one,))))
    case.do(case.store.change(then(2, devices=(two,))))
    renamed = ((two.id, device(3)),)
    case.do(case.store.change(then(3, removed=(one.id,), renamed=renamed)))
    (left,) = case.enterprise.user(ALICE).devices
    assert (left.id, left.number) == (device(3).id, 2)
    taken = case.do(case.store.change(then(4, devices=(device(3),))))
    assert "activated before" in taken
    case.do(case.store.change(then(4, devices=(two,))))
    refused = case.do(case.store.change(then(5, renamed=((two.id, device(3)),))))
    assert "these keys already" in refused
    assert case.store.statements(ALICE, 4) == []


def test_what_a_job_removes_of_another_user_stays(case: Case) -> None:
    case.do(case.store.change(first(devices=(device(1),))))
    case.do(case.store.change(first(BOB, 2, removed=(device(1).id,))))
    assert len(case.enterprise.user(ALICE).devices) == 1


def test_waiting_statements_come_in_their_order_with_the_version_behind_them(case: Case) -> None:
    case.do(case.store.change(first()))
    case.do(case.store.change(first(BOB, 2)))
    case.do(case.store.change(then(2)))
    waiting = case.store.waiting(9)
    assert [(each.label.address, len(each.statements)) for each in waiting] == [
        (ALICE, 2),
        (BOB, 1),
    ]
    assert [len(each.statements) for each in case.store.waiting(2)] == [1, 1]
    leaf = Leaf(1, 1, bytes([2]) * 32, 2, 0, 0)
    made = epoch(0, leaf)
    case.do(
        case.store.append(Epoch(0, made.entries, (leaf,), ((1, 1, 2, 0),), (), made.checkpoint))
    )
    (bob,) = case.store.waiting(9)
    assert bob.label.address == BOB and bob.version == 0
    assert [each.place for each in case.store.statements(ALICE, 0)] == [0, 0]
    case.do(case.store.change(then(3)))
    assert case.store.waiting(9)[-1].version == 1


def test_leaves_are_found_by_size_by_statement_and_by_place(case: Case) -> None:
    case.do(case.store.change(first()))
    one = Leaf(1, 1, bytes([1]) * 32, 1, 0, 0)
    case.do(case.store.append(epoch(0, one)))
    case.do(case.store.publish(2, b""))
    case.do(case.store.change(then(2)))
    two = Leaf(1, 2, bytes([2]) * 32, 2, 1, 2)
    case.do(case.store.append(epoch(2, two)))
    assert case.store.leaf(1, 0) is None and case.store.leaf(2, 99) is None
    assert [case.store.leaf(1, size) for size in (1, 2, 3)] == [one, one, two]
    assert case.store.leaf_of(1, 2) == two and case.store.leaf_of(1, 3) is None
    assert case.store.leaves(0, 4) == [(ALICE, one), (ALICE, two)]
    assert case.store.newest_leaves(0, 9) == [(label(1, ALICE), two)]
    assert case.store.newest_leaves(1, 9) == []


def test_certificates_are_kept_until_a_newer_one_is_published(case: Case) -> None:
    case.do(case.store.change(first(certificate=b"one", certificate_seq=1)))
    case.do(case.store.change(then(2, certificate=b"two", certificate_seq=2)))
    assert [case.store.certificate(1, seq) for seq in (0, 1, 2, 9)] == [
        None,
        b"one",
        b"two",
        b"two",
    ]
    case.do(case.store.forget_certificates([(1, 1)]))
    assert case.store.certificate(1, 1) == b"one"
    case.do(case.store.forget_certificates([(1, 9)]))
    assert case.store.certificate(1, 1) is None and case.store.certificate(1, 2) == b"two"
    assert case.enterprise.user(ALICE).certificate == b"two"


def test_what_came_too_late_is_dropped_and_nothing_else(case: Case) -> None:
    case.do(case.store.change(first()))
    case.do(case.store.append(epoch(0, Leaf(1, 1, bytes([1]) * 32, 1, 0, 0))))
    case.do(case.store.change(then(2, certificate=b"late", certificate_seq=2)))
    case.do(case.store.drop(ALICE, 1))
    assert [each.seq for each in case.store.statements(ALICE, 0)] == [1]
    assert case.store.certificate(1, 9) is None
    assert case.do(case.store.change(then(2))) is None


def test_a_settled_reset_leaves_its_device_alone(case: Case) -> None:
    pending = device(9, Standing.PENDING)
    case.do(case.store.change(first(devices=(device(1),), certificate=b"c", certificate_seq=1)))
    case.do(case.store.change(then(2, devices=(device(2), pending))))
    case.do(case.store.change(first(BOB, 2, devices=(device(5),))))
    assert case.store.resets() == [(ALICE, pending.id)]
    gone = case.do(case.store.settle(Settlement(ALICE, 2, pending.id)))
    assert gone == [device(1).id, device(2).id] and case.store.resets() == []
    (left,) = case.enterprise.user(ALICE).devices
    assert left.id == pending.id and left.standing is Standing.LIVE
    assert case.store.certificate(1, 9) is None
    assert len(case.enterprise.user(BOB).devices) == 1
    case.do(case.store.remove(ALICE, pending.id))
    case.enterprise.forget(ALICE)
    assert case.enterprise.user(ALICE).devices == ()
