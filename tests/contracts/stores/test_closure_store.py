"""What every store of closures keeps to (`ports.governance.closure`)."""

import hashlib
from typing import Any

import pytest

from blackthorn.errors import ConflictError, DiskError
from blackthorn.ids import Address
from blackthorn.ports.governance.cases import StoredDecision, StoreDecision
from blackthorn.ports.governance.closure import (
    AddReceipts,
    AdvanceClosure,
    BeginClosure,
    CheckReceipts,
    Closure,
    CountMoved,
    DropClosure,
    FindReceipts,
    ForgetPersons,
    HashStatement,
    ListAddresses,
    ListClosures,
    ListLeaves,
    ListPersons,
    ListSamples,
    NewReceipt,
    NoteKeyDestroyed,
    Phase,
    PurgeRows,
    ReadStatement,
    ReceiptCheck,
    RemembersPersons,
    SetRoot,
    StoredReceipt,
    StoreStatement,
)
from blackthorn.ports.governance.exits import FindExitPerson, NoteAct, NoteNotified
from blackthorn.ports.key_packages import KeyPackageStock, PublishKeyPackages
from blackthorn.ports.mail import ListMail, SealedMail, StoreMail
from blackthorn.ports.parcels import Parcels, StoreParcels, WaitingParcels
from blackthorn.ports.store import Command
from blackthorn.storage.limits import STATEMENT_PART_BYTES
from tests.contracts.stores.conftest import Store

EXIT = "X-PK-1"
U = [Address(f"u{number}@acme.example") for number in range(7)]


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    """Users 1 to 4 are of PK, 5 and 6 of DE; each has two mails and a parcel."""
    store.add_people(6, "PK")
    store.set_market("DE", 5, 6)
    for user in range(1, 7):
        store.submit(StoreMail((SealedMail(user, b"one"), SealedMail(user, b"two")), 1))
        store.submit(StoreParcels(Parcels([(user, user, b"parcel", 0)])))
    store.submit(BeginClosure(EXIT, "PK", b"k" * 32, 9))


def closure(store: Store) -> Closure:
    (found,) = store.ask(ListClosures())
    return found


def add(store: Store, *users: int) -> AddReceipts:
    """Receipts for these, behind what there is."""
    now = closure(store)
    new = tuple(NewReceipt(user, b"r%d" % user, bytes([user]) * 32) for user in users)
    counts = now.counts | {"users": now.counts["users"] + len(users)}
    return AddReceipts(now, new, (), counts, users[-1] if users else now.cursor)


def persons(store: Store, limit: int = 9, samples: bool = False) -> list[Any]:
    return store.ask(ListPersons(closure(store), limit, samples))


def leaves(store: Store) -> list[bytes]:
    return store.ask(ListLeaves(EXIT, 0, 99))


# --- Receipts -------------------------------------------------------------------------------


def test_a_closure_begins_once(store: Store) -> None:
    store.submit(BeginClosure(EXIT, "DE", b"x" * 32, 99))
    begun = closure(store)
    assert (begun.exit, begun.market, begun.phase) == (EXIT, "PK", Phase.RECEIPTS)
    assert (begun.cursor, begun.begun_ms, begun.fingerprint) == (0, 9, b"k" * 32)
    assert (begun.mails, begun.parcels, begun.root, begun.destroyed_ms) == (0, 0, None, None)
    assert set(begun.counts.values()) == {0} and "held" in begun.counts


def test_persons_are_the_users_of_the_market_and_who_moved_away(store: Store) -> None:
    store.submit(NoteNotified(2, EXIT, 1))
    for act in (NoteAct(2, EXIT, "read", "", 1), NoteAct(3, EXIT, "exported", "", 1)):
        store.submit(act)
    store.submit(NoteAct(6, EXIT, "moved", "", 1))
    store.submit(NoteAct(4, EXIT, "forward", "a@b.example", 1))
    store.submit(NoteAct(1, EXIT, "unreachable", "1", 1))
    store.submit(NoteAct(5, EXIT, "read", "", 1))
    found = persons(store)
    assert [person.number for person in found] == [1, 2, 3, 4, 6]
    assert [person.address for person in found] == [U[1], U[2], U[3], U[4], U[6]]
    assert [(person.mails, person.parcels) for person in found] == [(2, 1)] * 4 + [(0, 0)]
    flags = ("unreachable", "notified", "read", "exported", "forwarded", "moved")
    told = [[name for name in flags if getattr(person, name)] for person in found]
    assert told == [["unreachable"], ["notified", "read"], ["exported"], ["forwarded"], ["moved"]]
    assert all(person.sample is None for person in found)
    with_samples = [person.sample is not None for person in persons(store, samples=True)]
    assert with_samples == [True] * 4 + [False]


def test_persons_come_page_by_page_behind_the_cursor(store: Store) -> None:
    assert [person.number for person in persons(store, 3)] == [1, 2, 3]
    store.submit(add(store, 1, 2, 3))
    assert [person.number for person in persons(store, 3)] == [4]


def test_receipts_are_found_by_place_and_by_person(store: Store) -> None:
    store.submit(add(store, 1, 2))
    store.submit(add(store, 4))
    assert closure(store).counts["users"] == 3 and closure(store).cursor == 4
    assert leaves(store) == [bytes([user]) * 32 for user in (1, 2, 4)]
    assert store.ask(ListLeaves(EXIT, 1, 1)) == [bytes([2]) * 32]
    assert store.ask(FindReceipts(U[4])) == [StoredReceipt(EXIT, 2, b"r4")]
    assert store.ask(FindReceipts(U[3])) == []
    store.submit(add(store))
    assert closure(store).phase is Phase.ROOT
    store.submit(SetRoot(closure(store), b"r" * 32))
    assert (closure(store).phase, closure(store).root) == (Phase.READY, b"r" * 32)


def test_samples_are_kept_in_their_order(store: Store) -> None:
    for sample in (b"a", b"b"):
        now = closure(store)
        receipt = NewReceipt(len(leaves(store)) + 1, b"r", bytes(32))
        counts = now.counts | {"users": now.counts["users"] + 1}
        store.submit(AddReceipts(now, (receipt,), (sample,), counts, now.cursor + 1))
    assert store.ask(ListSamples(EXIT)) == [b"a", b"b"]
    assert store.ask(ListSamples("X-PK-2")) == []


def test_who_came_after_the_receipts_is_noticed(store: Store) -> None:
    store.submit(add(store, 1, 2, 3, 4))
    assert store.ask(CheckReceipts(EXIT, "PK", 0, 9)) == ReceiptCheck(True, None)
    assert store.ask(CheckReceipts(EXIT, "PK", 0, 2)) == ReceiptCheck(True, 2)
    store.set_market("PK", 5)
    assert store.ask(CheckReceipts(EXIT, "PK", 2, 9)) == ReceiptCheck(False, None)
    assert store.ask(CountMoved(EXIT)) == 0
    store.submit(NoteAct(1, EXIT, "moved", "", 1))
    store.submit(NoteAct(2, EXIT, "read", "", 1))
    assert store.ask(CountMoved(EXIT)) == 1


def test_addresses_of_a_market_come_sorted_page_by_page(store: Store) -> None:
    assert store.ask(ListAddresses("PK", "", 3)) == U[1:4]
    assert store.ask(ListAddresses("PK", U[3], 3)) == [U[4]]
    assert store.ask(ListAddresses("FR", "", 3)) == []


# --- Destruction ----------------------------------------------------------------------------


def test_rows_are_purged_in_steps_and_counted(store: Store) -> None:
    store.submit(PublishKeyPackages(1, [b"p" * 9], None, 9))
    store.submit(AdvanceClosure(closure(store), Phase.PURGE))
    steps = 0
    while closure(store).phase is Phase.PURGE:
        store.submit(PurgeRows(closure(store), 3, Phase.COMPACT))
        steps += 1
        assert steps < 20
    assert steps > 3
    now = closure(store)
    assert (now.phase, now.cursor, now.mails, now.parcels) == (Phase.COMPACT, 0, 8, 4)
    for user, count in ((1, 0), (4, 0), (5, 2), (6, 2)):
        assert len(store.ask(ListMail(user, 0, 9))) == count
        assert len(store.ask(WaitingParcels(user, 0, False, 9, 999))) == count // 2
    assert store.ask(KeyPackageStock(1)) == 0


def test_the_end_of_a_closure_is_stored(store: Store) -> None:
    store.submit(NoteKeyDestroyed(closure(store), 77))
    assert (closure(store).phase, closure(store).destroyed_ms) == (Phase.SWEEP, 77)
    assert store.ask(ReadStatement(EXIT)) == b""
    statement = b"{" + bytes(2 * STATEMENT_PART_BYTES) + b"}"
    store.submit(StoreStatement(closure(store), statement))
    assert closure(store).phase is Phase.DESTROYED
    assert store.ask(ReadStatement(EXIT)) == statement
    assert store.ask(HashStatement(EXIT)) == hashlib.sha256(statement).digest()
    store.submit(AdvanceClosure(closure(store), Phase.CLOSED))
    assert store.ask(ReadStatement(EXIT)) == statement


def test_a_closure_is_dropped_in_steps(store: Store) -> None:
    store.submit(add(store, 1, 2, 3))
    store.submit(DropClosure(closure(store), 5, 2))
    assert closure(store).phase is Phase.DROP and len(leaves(store)) == 1
    store.submit(DropClosure(closure(store), 5, 2))
    assert store.ask(ListClosures()) == [] and leaves(store) == []


def test_nothing_is_dropped_behind_a_newer_decision(store: Store) -> None:
    store.submit(add(store, 1))
    store.submit(StoreDecision(StoredDecision(1, EXIT, 6, b"", b"", bytes(32), 1, False)))
    with pytest.raises(ConflictError, match="moved on"):
        store.submit(DropClosure(closure(store), 5, 9))
    assert len(leaves(store)) == 1
    store.submit(DropClosure(closure(store), 6, 9))
    assert store.ask(ListClosures()) == []


def test_what_is_kept_of_persons_is_forgotten_in_steps(store: Store) -> None:
    for user in (1, 2, 3):
        store.submit(NoteNotified(user, EXIT, 1))
    store.submit(NoteNotified(1, "X-PK-2", 1))
    store.submit(add(store, 1, 2, 3))
    steps = 0
    while store.ask(RemembersPersons(EXIT)):
        store.submit(ForgetPersons(EXIT, 2))
        steps += 1
    assert steps == 2 and leaves(store) == []
    assert store.ask(FindExitPerson(1, "X-PK-2")).notified_ms == 1


# --- Steps and faults -----------------------------------------------------------------------


def steps(now: Closure) -> list[Command[None]]:
    receipt = NewReceipt(1, b"r", bytes(32))
    return [
        AddReceipts(now, (receipt,), (), now.counts, 1),
        SetRoot(now, bytes(32)),
        AdvanceClosure(now, Phase.KEY),
        PurgeRows(now, 9, Phase.COMPACT),
        NoteKeyDestroyed(now, 1),
        StoreStatement(now, b"{}"),
        DropClosure(now, 9, 9),
    ]


@pytest.mark.parametrize("number", range(7))
def test_no_step_is_taken_twice(store: Store, number: int) -> None:
    seen = closure(store)
    store.submit(AdvanceClosure(seen, Phase.SWEEP))
    before = closure(store)
    with pytest.raises(ConflictError, match="moved on"):
        store.submit(steps(seen)[number])
    assert closure(store) == before and leaves(store) == []
    assert len(store.ask(ListMail(1, 0, 9))) == 2


@pytest.mark.parametrize("number", range(7))
def test_a_failed_commit_leaves_the_closure_where_it_was(store: Store, number: int) -> None:
    before = closure(store)
    broken = DiskError("the disk failed")
    store.fail(broken)
    assert store.submit_group(steps(before)[number]) == [broken]
    store.fail(None)
    assert closure(store) == before and leaves(store) == []
    store.submit_unanswered(steps(before)[number])
    assert store.ask(ListClosures()) != [before], "it was durable"
