"""What every store of decisions keeps to (`ports.governance.cases`)."""

import pytest

from blackthorn.errors import BlackthornError, ConflictError, DiskError
from blackthorn.ids import Address
from blackthorn.ports.governance.cases import (
    ListDecisionEntries,
    ListDecisions,
    ListFounders,
    ListPendingDecisions,
    MarkDisclosed,
    PendingDecision,
    ProposeDecision,
    StoredDecision,
    StoreDecision,
)
from blackthorn.ports.store import Together
from tests.contracts.stores.conftest import FULL_DISK, Store


def decision(number: int, case: str = "D-000001", seq: int = 1, sealed: bool = False):
    return StoredDecision(number, case, seq, b"signed", b"private", bytes(32), 5, sealed)


def pending(
    case: str, since_ms: int = 1, signed: bytes = b"s", over: bytes = b""
) -> ProposeDecision:
    return ProposeDecision(PendingDecision(case, signed, b"p", since_ms), over)


def stored(store: Store, after: int = 0, limit: int = 100) -> list[StoredDecision]:
    return store.ask(ListDecisions(after, limit))


def test_decisions_are_listed_in_order_page_by_page(store: Store) -> None:
    rows = [decision(n, f"D-{n:06}", sealed=n == 2) for n in (1, 2, 3)]
    for row in rows:
        store.submit(StoreDecision(row))
    assert stored(store) == rows
    assert stored(store, 1, 1) == rows[1:2]
    assert stored(store, 3) == []
    assert rows[0].reveal == bytes(32) + b"signed"


def test_a_decision_ends_the_proposal_of_its_case(store: Store) -> None:
    store.submit(pending("D-000002", 9))
    store.submit(pending("D-000001", 3))
    store.submit(pending("D-000001", 4, b"other", b"s"))
    rows = store.ask(ListPendingDecisions())
    assert [(row.case, row.since_ms, row.signed) for row in rows] == [
        ("D-000001", 4, b"other"),
        ("D-000002", 9, b"s"),
    ]
    store.submit(StoreDecision(decision(1)))
    assert [row.case for row in store.ask(ListPendingDecisions())] == ["D-000002"]


def test_of_two_proposals_for_one_case_the_first_is_kept(store: Store) -> None:
    for over, rivals in ((b"", (b"1", b"2")), (b"1", (b"3", b"4"))):
        results = store.submit_group(*(pending("D-000001", 1, data, over) for data in rivals))
        assert results[0] is None and isinstance(results[1], ConflictError)
        assert "D-000001: look at it" in str(results[1])
        assert [row.signed for row in store.ask(ListPendingDecisions())] == [rivals[0]]


def test_the_founding_ends_the_right_to_found(store: Store) -> None:
    store.add_people(3)
    store.name_founders(3, 1)
    assert store.ask(ListFounders()) == [Address("u1@acme.example"), Address("u3@acme.example")]
    store.submit(StoreDecision(decision(1)))
    assert len(store.ask(ListFounders())) == 2
    store.submit(StoreDecision(decision(2, "officers")))
    assert store.ask(ListFounders()) == []


def test_a_disclosed_decision_is_not_sealed_any_more(store: Store) -> None:
    for number in (1, 2, 3):
        store.submit(StoreDecision(decision(number, seq=number, sealed=True)))
    store.submit(MarkDisclosed((("D-000001", 1), ("D-000001", 3), ("D-000009", 1))))
    assert [row.sealed for row in stored(store)] == [False, True, False]
    store.submit(MarkDisclosed(()))


def test_entries_of_the_ledger_that_hold_decisions(store: Store) -> None:
    for place, kind in enumerate((0x01, 0x12, 0x13, 0x14, 0x15)):
        store.add_entry(place, bytes((kind, place)))
    found = [(1, b"\x12\x01"), (2, b"\x13\x02"), (4, b"\x15\x04")]
    assert [*store.ask(ListDecisionEntries(-1, 100))] == found
    assert [*store.ask(ListDecisionEntries(1, 1))] == found[1:2]


@pytest.mark.parametrize("again", [decision(1, seq=2), decision(2, seq=1)])
def test_no_decision_takes_the_place_of_another(store: Store, again: StoredDecision) -> None:
    store.submit(StoreDecision(decision(1)))
    store.submit(pending("D-000001"))
    with pytest.raises(BlackthornError):
        store.submit(Together((StoreDecision(again), MarkDisclosed((("D-000001", 1),)))))
    assert stored(store) == [decision(1)]
    assert len(store.ask(ListPendingDecisions())) == 1


def test_a_failed_commit_keeps_nothing(store: Store) -> None:
    broken = DiskError("the disk failed")
    store.fail(broken)
    assert store.submit_group(StoreDecision(decision(1)), pending("D-000002")) == [broken] * 2
    store.fail(None)
    assert stored(store) == [] and store.ask(ListPendingDecisions()) == []
    store.submit_unanswered(StoreDecision(decision(1)))
    assert stored(store) == [decision(1)]


def test_a_full_disk_refuses_and_heals(store: Store) -> None:
    large = StoredDecision(1, "D-000001", 1, bytes(900_000), b"", bytes(32), 1, False)
    store.fill_disk()
    with pytest.raises(DiskError, match=FULL_DISK):
        store.submit(StoreDecision(large))
    store.heal_disk()
    assert stored(store) == []
    store.submit(StoreDecision(large))
    assert stored(store) == [large]
