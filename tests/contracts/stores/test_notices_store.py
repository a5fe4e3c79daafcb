"""What every store of notices keeps to (`ports.governance.notices`)."""

import pytest

from blackthorn.errors import DiskError
from blackthorn.ids import Address
from blackthorn.ports.governance.cases import StoredDecision, StoreDecision
from blackthorn.ports.governance.notices import (
    Addressee,
    FindAddressee,
    FindNoticeState,
    FindUnnotified,
    FindUnnotifiedOf,
    FindUnread,
    ListUndisclosedCases,
    NoteNotice,
    NoteNoticeRead,
    NoticeState,
    Unread,
)
from tests.contracts.stores.conftest import Store

CASE = "X-PK-1"
U1, U2, NOBODY = (Address(f"{name}@acme.example") for name in ("u1", "u2", "nobody"))


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    store.add_people(9, "PK")
    store.set_market("PK", 2, language="ur")
    store.set_market("DE", 4, 8)


def unnotified(store: Store, limit: int = 100, **changes: object) -> list[int]:
    """All pages of the market's users without the notice of step 3."""
    found: list[int] = []
    after: int | None = 0
    while after is not None:
        page = store.ask(FindUnnotified(CASE, 3, "PK", after, limit, **changes))  # type: ignore[arg-type]
        found += [person.number for person in page.people]
        after = page.after
    return found


def state(store: Store, user: int, case: str = CASE, seq: int = 3) -> NoticeState:
    return store.ask(FindNoticeState(case, seq, user))


def test_a_user_is_found_with_market_and_language(store: Store) -> None:
    assert store.ask(FindAddressee(U2)) == Addressee(2, U2, "PK", "ur")
    assert store.ask(FindAddressee(NOBODY)) is None


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
def test_who_lacks_a_notice_is_found_page_by_page(store: Store, limit: int) -> None:
    assert unnotified(store, limit) == [1, 2, 3, 5, 6, 7, 9]
    store.submit(NoteNotice(CASE, 3, 2, 10))
    store.submit(NoteNotice(CASE, 3, 9, None))
    store.submit(NoteNoticeRead(CASE, 3, 5, 11))
    store.submit(NoteNotice(CASE, 2, 1, 10))
    assert unnotified(store, limit) == [1, 3, 6, 7]
    assert unnotified(store, limit, only_known=True) == [1]


def test_a_page_looks_at_no_more_users_than_its_limit(store: Store) -> None:
    for user in (1, 2, 3):
        store.submit(NoteNotice(CASE, 3, user, 10))
    page = store.ask(FindUnnotified(CASE, 3, "PK", 0, 3))
    assert (page.people, page.after) == ([], 3)
    page = store.ask(FindUnnotified(CASE, 3, "PK", 7, 3))
    assert ([person.number for person in page.people], page.after) == ([9], None)


def test_of_named_users_those_without_the_notice_are_found(store: Store) -> None:
    query = FindUnnotifiedOf("D-000001", 0, (U2, NOBODY, U1))
    assert [person.number for person in store.ask(query)] == [2, 1]
    store.submit(NoteNotice("D-000001", 0, 2, 5))
    assert [person.number for person in store.ask(query)] == [1]


def test_the_state_of_a_notice(store: Store) -> None:
    assert state(store, 1) == NoticeState()
    store.submit(NoteNotice(CASE, 3, 1, None))
    assert state(store, 1) == NoticeState(notified=True, knows_case=True)
    assert state(store, 1, seq=4) == NoticeState(knows_case=True)
    assert state(store, 1, case="X-PK-2") == NoticeState()
    store.submit(NoteNoticeRead(CASE, 3, 1, 6))
    assert state(store, 1) == NoticeState(notified=True, read=True, knows_case=True)


def test_the_directives_that_a_user_has_not_read_of(store: Store) -> None:
    for number in range(1, 20):
        store.submit(NoteNotice(f"D-{number:06}", 0, 1, 5))
    store.submit(NoteNotice(CASE, 3, 1, 5))
    store.submit(NoteNoticeRead("D-000001", 0, 1, 6))
    person = Addressee(1, U1, "PK", "en")
    names = [f"D-{number:06}" for number in range(2, 18)]
    assert store.ask(FindUnread(U1)) == Unread(person, names)
    assert store.ask(FindUnread(NOBODY)) is None


def test_cases_that_the_ledger_does_not_show(store: Store) -> None:
    for number, (case, sealed) in enumerate((("D-000001", False), ("D-000002", True)), 1):
        row = StoredDecision(number, case, 1, b"s", b"p", bytes(32), 1, sealed)
        store.submit(StoreDecision(row))
    assert store.ask(ListUndisclosedCases()) == {"D-000002"}


def test_a_failed_commit_notes_nothing_and_a_repeated_one_once(store: Store) -> None:
    store.fail(DiskError("the disk failed"))
    with pytest.raises(DiskError):
        store.submit(NoteNotice(CASE, 3, 1, 5))
    store.fail(None)
    assert state(store, 1) == NoticeState()
    store.submit_unanswered(NoteNotice(CASE, 3, 1, 5))
    store.submit(NoteNotice(CASE, 3, 1, 9))
    assert state(store, 1).notified and unnotified(store)[0] == 2
