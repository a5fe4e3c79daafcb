"""What every store of the ledger keeps to (`ports.ledger`): the log, epochs, chains."""

from typing import Any

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.errors import (
    BlackthornError,
    ConflictError,
    DiskError,
    ForbiddenError,
    RefusalError,
)
from blackthorn.ids import Address, DeviceId
from blackthorn.link.activation.exchange import Verifier
from blackthorn.ports.enrolment import OrphanStep, PurgeOrphans
from blackthorn.ports.enterprise import Standing, UserRecord, UsersByAddress
from blackthorn.ports.ledger import (
    AddRecord,
    AppendEpoch,
    Change,
    Checkpoint,
    DropStatements,
    Epoch,
    FindLeaves,
    ForgetCertificates,
    KeepEvidence,
    Label,
    Leaf,
    LeavesBetween,
    NewCompatible,
    NewDevice,
    NewestConfig,
    NewestLeaves,
    PublishedChain,
    PublishEpoch,
    ReadChain,
    ReadCheckpoints,
    ReadEntries,
    ReadEvidence,
    ReadPublishedChain,
    ReadResets,
    ReadRoots,
    RemoveDevice,
    SettleReset,
    StoreChange,
    StoredStatement,
    WaitingRecord,
    WaitingRecords,
    WaitingStatement,
    WaitingStatements,
)
from blackthorn.ports.parcels import MailboxTallies, Parcels, StoreParcels, Tally
from blackthorn.ports.users import AddUser, NewCode
from blackthorn.storage.limits import MAX_REMOVED_PARCELS
from tests.contracts.stores.conftest import FULL_DISK, Store

ALICE, BOB = Address("alice@acme.example"), Address("bob@acme.example")


class Case:
    """A store with two users without chains, and what tests ask of it."""

    def __init__(self, store: Store) -> None:
        self.kept = store
        self.store = self
        for number, address in enumerate((ALICE, BOB), 1):
            code = NewCode(str(number), Verifier(Secret(bytes(32)), bytes(32)), 2**50)
            store.submit(AddUser(address, f"{number:08X}", 0, code))

    def do(self, command: Any) -> Any:
        """Commit one command; its result, or the error that took its place."""
        (outcome,) = self.kept.submit_group(command)
        return outcome

    def entries(self, start: int, count: int, max_bytes: int) -> list[bytes]:
        return self.kept.ask(ReadEntries(start, count, max_bytes))

    def checkpoints(self) -> list[Checkpoint]:
        return self.kept.ask(ReadCheckpoints())

    def roots(self) -> list[tuple[int, bytes]]:
        return self.kept.ask(ReadRoots(0, 99))

    def evidence(self) -> list[bytes]:
        return self.kept.ask(ReadEvidence())

    def waiting(self, limit: int, after: int = 0) -> list[WaitingStatement]:
        return self.kept.ask(WaitingStatements(after, limit))

    def statements(self, address: Address, after: int) -> list[StoredStatement]:
        chain = self.kept.ask(ReadChain(address, after))
        assert chain is not None
        return list(chain.statements)

    def found(self, address: Address, size: int = 2**40) -> tuple[Label | None, Leaf | None]:
        (row,) = self.kept.ask(FindLeaves((address,), size))
        return row

    def label(self, address: Address) -> Label | None:
        return self.found(address)[0]

    def published(self, size: int, after: int = 0, room: int = 99) -> PublishedChain | None:
        return self.kept.ask(ReadPublishedChain(ALICE, after, size, room))

    def resets(self) -> list[tuple[Address, DeviceId]]:
        return [row[1:] for row in self.kept.ask(ReadResets(0, 9))]

    def user(self, address: Address) -> UserRecord:
        return self.kept.ask(UsersByAddress((address,)))[address]


@pytest.fixture
def case(store: Store) -> Case:
    return Case(store)


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
    case.do(AppendEpoch(epoch(0)))
    pending = Checkpoint(1, b"\x01" * 32, b"note 1", published=False)
    assert case.store.checkpoints() == [pending]
    case.do(PublishEpoch(1, b"note 1, cosigned"))
    one = Checkpoint(1, b"\x01" * 32, b"note 1, cosigned", published=True)
    assert case.store.checkpoints() == [one]
    case.do(AppendEpoch(epoch(1)))
    two = Checkpoint(2, b"\x02" * 32, b"note 2", published=False)
    assert case.store.checkpoints() == [one, two]
    case.do(PublishEpoch(2, b"note 2, cosigned"))
    assert [each.note for each in case.store.checkpoints()] == [b"note 2, cosigned"]
    assert case.store.roots() == [(1, b"\x01" * 32), (2, b"\x02" * 32)]


def test_no_second_epoch_of_a_size_and_no_second_pending_one_is_ever_stored(case: Case) -> None:
    case.do(AppendEpoch(epoch(0)))
    assert isinstance(case.do(AppendEpoch(epoch(0))), ConflictError)
    assert isinstance(case.do(AppendEpoch(epoch(1))), ConflictError)
    assert case.store.entries(0, 9, 99) == [b"head 0"]


def test_entries_come_in_order_and_end_within_the_bounds(case: Case) -> None:
    for start in range(5):
        case.do(AppendEpoch(epoch(start)))
        case.do(PublishEpoch(start + 1, b""))
    assert case.store.entries(1, 3, 10**6) == [b"head 1", b"head 2", b"head 3"]
    assert case.store.entries(1, 3, 7) == [b"head 1", b"head 2"]
    assert case.store.entries(5, 3, 10**6) == []
    assert case.kept.ask(NewestConfig()) is None
    case.do(
        AppendEpoch(Epoch(5, (b"\x03 one", b"head"), (), (), (), Checkpoint(7, b"", b"", False)))
    )
    assert case.kept.ask(NewestConfig()) == b"\x03 one"


def test_evidence_is_kept_once(case: Case) -> None:
    for note in (b"b", b"a", b"b"):
        case.do(KeepEvidence(note, len(case.store.evidence())))
    assert case.store.evidence() == [b"b", b"a"]


def test_typed_entries_wait_until_the_epoch_that_has_them(case: Case) -> None:
    for kind in (16, 17, 18):
        case.do(AddRecord(kind, bytes([kind])))
    waiting = case.kept.ask(WaitingRecords(0, 2))
    assert waiting == [WaitingRecord(1, 16, b"\x10"), WaitingRecord(2, 17, b"\x11")]
    case.do(AppendEpoch(epoch(0, records=(1, 2))))
    assert [row.kind for row in case.kept.ask(WaitingRecords(0, 9))] == [18]


# --- Chains ------------------------------------------------------------------------------------


def test_a_change_is_stored_once_and_only_where_the_chain_stands(case: Case) -> None:
    def overtaken(change: Change) -> bool:
        outcome = case.do(StoreChange(change))
        return isinstance(outcome, ConflictError) and "first in this chain" in str(outcome)

    assert overtaken(then(2))
    assert case.do(StoreChange(first())) is True
    assert case.do(StoreChange(first())) is False
    assert case.do(StoreChange(then(2))) is True
    assert case.do(StoreChange(first())) is False, "also when the chain has gone on"
    assert overtaken(Change(ALICE, 1, bytes([1]) * 32, (statement(9),)))
    assert overtaken(Change(ALICE, 2, bytes(32), (statement(3),)))
    nobody = Change(Address("nobody@acme.example"), 0, bytes(32), (statement(1),))
    assert isinstance(case.do(StoreChange(nobody)), RefusalError)
    assert [each.seq for each in case.store.statements(ALICE, 0)] == [1, 2]
    assert case.store.statements(ALICE, 1) == [statement(2)]
    assert case.store.statements(BOB, 0) == [] and case.store.label(BOB) is None
    assert case.store.label(ALICE) == label(1, ALICE)


def test_devices_come_change_and_go_with_their_statement(case: Case) -> None:
    one, two = device(1), device(2)
    case.do(StoreChange(first(devices=(one,))))
    case.do(StoreChange(then(2, devices=(two,))))
    renamed = ((two.id, device(3)),)
    case.do(StoreChange(then(3, removed=(one.id,), renamed=renamed)))
    (left,) = case.user(ALICE).devices
    assert (left.id, left.number) == (device(3).id, 2)
    taken = case.do(StoreChange(then(4, devices=(device(3),))))
    assert isinstance(taken, ForbiddenError) and "activated before" in str(taken)
    case.do(StoreChange(then(4, devices=(two,))))
    refused = case.do(StoreChange(then(5, renamed=((two.id, device(3)),))))
    assert isinstance(refused, ForbiddenError) and "these keys already" in str(refused)
    assert case.store.statements(ALICE, 4) == []


@pytest.mark.parametrize("beyond", [0, 44])
def test_a_purge_deletes_what_was_too_much_to_go_with_its_device(case: Case, beyond: int) -> None:
    case.do(StoreChange(first(devices=(device(1), device(2)))))
    count = MAX_REMOVED_PARCELS + beyond
    rows = [(number, seq, b"x", 0) for number in (1, 2) for seq in range(1, count + 1)]
    case.do(StoreParcels(Parcels(rows)))
    case.do(StoreChange(then(2, removed=(device(1).id,))))
    assert case.do(PurgeOrphans(0, 9, 40)) == OrphanStep(min(40, beyond), 0 if beyond else None)
    assert case.do(PurgeOrphans(0, 9, 40)) == OrphanStep(max(0, beyond - 40), None)
    assert case.kept.ask(MailboxTallies((1, 2), limit=9999)).tallies == [
        Tally(0, 0, 0, 0, 0),
        Tally(count, count, 0, 0, count),
    ]


def test_what_a_job_removes_of_another_user_stays(case: Case) -> None:
    case.do(StoreChange(first(devices=(device(1),))))
    case.do(StoreChange(first(BOB, 2, removed=(device(1).id,))))
    assert len(case.user(ALICE).devices) == 1


def test_waiting_statements_come_in_their_order_with_the_version_behind_them(case: Case) -> None:
    case.do(StoreChange(first()))
    case.do(StoreChange(first(BOB, 2)))
    case.do(StoreChange(then(2)))
    waiting = case.store.waiting(9)
    order = [(row.label.address, row.statement.seq, row.version) for row in waiting]
    assert order == [(ALICE, 1, 0), (BOB, 1, 0), (ALICE, 2, 0)]
    assert case.store.waiting(2) == waiting[:2]
    assert case.store.waiting(9, after=waiting[0].number) == waiting[1:]
    leaf = Leaf(1, 1, bytes([2]) * 32, 2, 0, 0)
    made = epoch(0, leaf)
    case.do(AppendEpoch(Epoch(0, made.entries, (leaf,), ((1, 1, 2, 0),), (), made.checkpoint)))
    (bob,) = case.store.waiting(9)
    assert bob.label.address == BOB and bob.version == 0
    assert [each.place for each in case.store.statements(ALICE, 0)] == [0, 0]
    case.do(StoreChange(then(3)))
    assert case.store.waiting(9)[-1].version == 1


def test_leaves_are_found_by_size_by_statement_and_by_place(case: Case) -> None:
    case.do(StoreChange(first()))
    one = Leaf(1, 1, bytes([1]) * 32, 1, 0, 0)
    case.do(AppendEpoch(epoch(0, one)))
    case.do(PublishEpoch(2, b""))
    case.do(StoreChange(then(2)))
    two = Leaf(1, 2, bytes([2]) * 32, 2, 1, 2)
    case.do(AppendEpoch(epoch(2, two)))
    assert case.found(ALICE, 0) == (label(1, ALICE), None) and case.found(BOB) == (None, None)
    assert [case.found(ALICE, size)[1] for size in (1, 2, 3)] == [one, one, two]
    assert case.kept.ask(LeavesBetween(0, 4, 9)) == [(ALICE, one), (ALICE, two)]
    assert case.kept.ask(NewestLeaves(0, 9)) == [(label(1, ALICE), two)]
    assert case.kept.ask(NewestLeaves(1, 9)) == []


def test_certificates_are_kept_until_a_newer_one_is_published(case: Case) -> None:
    case.do(StoreChange(first(certificate=b"one", certificate_seq=1)))
    case.do(StoreChange(then(2, certificate=b"two", certificate_seq=2)))
    case.do(AppendEpoch(epoch(0, Leaf(1, 1, bytes([1]) * 32, 1, 0, 0))))
    case.do(PublishEpoch(2, b""))
    assert case.published(0) is None
    known = case.published(2)
    assert known is not None and known.certificate == b"one"
    case.do(ForgetCertificates(((1, 1),)))
    assert case.published(2) == known
    case.do(AppendEpoch(epoch(2, Leaf(1, 2, bytes([2]) * 32, 2, 0, 2))))
    case.do(ForgetCertificates(((1, 9),)))
    newest = case.published(4)
    assert newest is not None and newest.certificate == b"two"
    before = case.published(2)
    assert before is not None and before.certificate is None
    assert case.user(ALICE).certificate == b"two"


def test_a_compatible_certificate_is_kept_until_its_end_is_published(case: Case) -> None:
    case.do(StoreChange(first(compatible=NewCompatible(1, b"one", True))))
    assert (case.user(ALICE).compatible, case.user(ALICE).copies) == (b"one", True)
    case.do(StoreChange(then(2, compatible=NewCompatible(2, b"", False))))
    assert (case.user(ALICE).compatible, case.user(ALICE).copies) == (b"", False)
    case.do(AppendEpoch(epoch(0, Leaf(1, 1, bytes([1]) * 32, 1, 0, 0))))
    case.do(PublishEpoch(2, b""))
    case.do(ForgetCertificates(((1, 1),)))
    known = case.published(2)
    assert known is not None and known.compatible == b"one"
    case.do(AppendEpoch(epoch(2, Leaf(1, 2, bytes([2]) * 32, 2, 0, 2))))
    case.do(ForgetCertificates(((1, 9),)))
    known = case.published(2)
    assert known is not None and known.compatible == b""
    case.do(StoreChange(then(3, compatible=NewCompatible(3, b"late", False))))
    case.do(DropStatements(ALICE, 3))
    assert case.user(ALICE).compatible == b""


def test_what_came_too_late_is_dropped_and_nothing_else(case: Case) -> None:
    case.do(StoreChange(first()))
    case.do(AppendEpoch(epoch(0, Leaf(1, 1, bytes([1]) * 32, 1, 0, 0))))
    case.do(StoreChange(then(2, certificate=b"late", certificate_seq=2)))
    case.do(DropStatements(ALICE, 1))
    assert [each.seq for each in case.store.statements(ALICE, 0)] == [1]
    assert case.user(ALICE).certificate is None
    assert case.do(StoreChange(then(2))) is True


def test_a_settled_reset_leaves_its_device_alone(case: Case) -> None:
    pending = device(9, Standing.PENDING)
    case.do(StoreChange(first(devices=(device(1),), certificate=b"c", certificate_seq=1)))
    case.do(StoreChange(then(2, devices=(device(2), pending))))
    case.do(StoreChange(first(BOB, 2, devices=(device(5),))))
    assert case.store.resets() == [(ALICE, pending.id)]
    gone = case.do(SettleReset(ALICE, 2, pending.id))
    assert gone == [device(1).id, device(2).id] and case.store.resets() == []
    (left,) = case.user(ALICE).devices
    assert left.id == pending.id and left.standing is Standing.LIVE
    assert case.user(ALICE).certificate is None
    assert len(case.user(BOB).devices) == 1
    case.do(RemoveDevice(ALICE, pending.id))
    assert case.user(ALICE).devices == ()


def test_a_published_chain_comes_in_parts_with_what_logged_its_resets(case: Case) -> None:
    reset = StoredStatement(2, bytes([2]) * 32, "reset", 1, b"the reset")
    case.do(StoreChange(first()))
    case.do(StoreChange(Change(ALICE, 1, bytes([1]) * 32, (reset,))))
    leaf = Leaf(1, 1, bytes([2]) * 32, 2, 1, 0)
    made = epoch(0, leaf)
    case.do(AppendEpoch(Epoch(0, made.entries, (leaf,), ((1, 1, 2, 0),), (), made.checkpoint)))
    case.do(StoreChange(then(3)))
    part = case.published(2, room=1)
    assert part is not None and part.more and part.statements == (b"statement 1",)
    rest = case.published(2, after=1)
    assert rest is not None and not rest.more and rest.statements == (b"the reset",)
    (logged,) = rest.logged
    assert (logged.leaf, logged.mutation, logged.end) == (leaf, b"mutation 0", 2)
    stored = case.kept.ask(ReadChain(ALICE, 0))
    assert stored is not None and stored.heads == ((2, b"head 0"),) and len(stored.statements) == 3
    assert case.kept.ask(ReadChain(Address("nobody@acme.example"), 0)) is None


# --- Faults ------------------------------------------------------------------------------------


def test_a_refused_change_leaves_nothing_and_its_group_goes_on(case: Case) -> None:
    many = tuple(device(number) for number in range(20, 40))
    outcomes = case.kept.submit_group(
        StoreChange(first(devices=many)), StoreChange(first(BOB, 2)), AddRecord(16, b"x")
    )
    assert isinstance(outcomes[0], ForbiddenError) and outcomes[1:] == [True, None]
    assert case.user(ALICE).devices == () and case.store.label(ALICE) is None


def test_a_failed_commit_keeps_nothing_and_tells_everybody(case: Case) -> None:
    case.kept.fail(DiskError(FULL_DISK))
    outcomes = case.kept.submit_group(StoreChange(first()), AppendEpoch(epoch(0)))
    assert [str(outcome) for outcome in outcomes] == [FULL_DISK] * 2
    case.kept.fail(None)
    assert case.store.checkpoints() == [] and case.store.statements(ALICE, 0) == []
    assert case.do(StoreChange(first())) is True


def test_a_full_disk_is_told_and_an_epoch_is_stored_as_it_was_made(case: Case) -> None:
    large = Epoch(0, (bytes(900_000),), (), (), (), Checkpoint(1, b"r", b"n", published=False))
    case.kept.fill_disk()
    failed = case.do(AppendEpoch(large))
    assert isinstance(failed, BlackthornError) and str(failed) == FULL_DISK
    case.kept.heal_disk()
    assert case.do(AppendEpoch(large)) is None
    assert case.store.checkpoints() == [large.checkpoint]


def test_a_lost_answer_is_found_out_by_asking_again(case: Case) -> None:
    case.kept.submit_unanswered(StoreChange(first()))
    case.kept.start()
    assert case.do(StoreChange(first())) is False


def test_refused_changes_do_not_part_the_others_of_their_group(case: Case) -> None:
    """However many are refused, each gets its own outcome and the rest is kept, in order."""
    case.do(StoreChange(first()))
    late = [StoreChange(Change(ALICE, 0, bytes(32), (statement(9),))) for _ in range(6)]
    group = [late[0], AddRecord(16, b"a"), *late[1:], StoreChange(then(2)), late[0]]
    outcomes = case.kept.submit_group(*group)
    assert [type(outcome) for outcome in outcomes].count(ConflictError) == 7
    assert (outcomes[1], outcomes[-2]) == (None, True)
    assert len(case.store.statements(ALICE, 0)) == 2
