"""What every store of the persons of exits keeps to (`ports.governance.exits`)."""

import pytest

from blackthorn.errors import DiskError
from blackthorn.ports.governance.exits import ExitPerson, FindExitPerson, NoteAct, NoteNotified
from blackthorn.ports.store import Together
from tests.contracts.stores.conftest import Store

EXIT = "X-PK-1"


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    store.add_people(2)


def person(store: Store, user: int = 1, exit_id: str = EXIT) -> ExitPerson:
    return store.ask(FindExitPerson(user, exit_id))


def test_nothing_is_known_of_who_did_nothing(store: Store) -> None:
    assert person(store) == ExitPerson(1, EXIT)


@pytest.mark.parametrize("act", ["read", "exported", "moved"])
def test_the_first_time_of_an_act_stays(store: Store, act: str) -> None:
    for now_ms in (5, 9):
        store.submit(NoteAct(1, EXIT, act, "", now_ms))
    assert person(store) == ExitPerson(1, EXIT, **{f"{act}_ms": 5})
    assert person(store, exit_id="X-PK-2") == ExitPerson(1, "X-PK-2")
    assert person(store, 2) == ExitPerson(2, EXIT)


def test_the_first_notice_stays_and_other_acts_leave_it(store: Store) -> None:
    store.submit(NoteNotified(1, EXIT, 3))
    store.submit(NoteAct(1, EXIT, "read", "", 4))
    store.submit(NoteNotified(1, EXIT, 8))
    assert person(store) == ExitPerson(1, EXIT, notified_ms=3, read_ms=4)


def test_the_newest_address_counts_and_can_be_taken_back(store: Store) -> None:
    for value, kept in (("a@b.example", "a@b.example"), ("c@d.example", "c@d.example"), ("", None)):
        store.submit(NoteAct(1, EXIT, "forward", value, 5))
        assert person(store).forward == kept


def test_who_was_unreachable_can_be_reached_later(store: Store) -> None:
    for value, kept in (("1", True), ("", False)):
        store.submit(NoteAct(1, EXIT, "unreachable", value, 5))
        assert person(store).unreachable is kept


def test_nothing_else_is_noted() -> None:
    with pytest.raises(ValueError, match="is not an act"):
        NoteAct(1, EXIT, "slept", "", 5)


def test_a_failed_commit_notes_nothing(store: Store) -> None:
    store.fail(DiskError("the disk failed"))
    both = Together((NoteNotified(1, EXIT, 3), NoteAct(1, EXIT, "read", "", 4)))
    with pytest.raises(DiskError):
        store.submit(both)
    store.fail(None)
    assert person(store) == ExitPerson(1, EXIT)
    store.submit_unanswered(both)
    store.submit(both)
    assert person(store) == ExitPerson(1, EXIT, notified_ms=3, read_ms=4)
