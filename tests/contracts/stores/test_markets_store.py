"""What every store keeps to when users move between markets (`ports.markets`)."""

import pytest

from blackthorn.errors import AbsentError, DiskError, StorageError
from blackthorn.ids import Address
from blackthorn.ports.governance.exits import FindExitPerson, NoteAct
from blackthorn.ports.mail import MailPart, ReadMail, SealedMail, StoreMail
from blackthorn.ports.markets import FindMarkets, MoveUser, WrapStored
from tests.contracts.stores.conftest import Store

U1, U2, NOBODY = (Address(f"{name}@acme.example") for name in ("u1", "u2", "nobody"))


@pytest.fixture(autouse=True)
def people(store: Store) -> None:
    store.add_people(2, "PK")
    store.submit(StoreMail((SealedMail(1, b"one"), SealedMail(1, b"two"), SealedMail(2, b"x")), 1))


def market(store: Store, address: Address = U1) -> str | None:
    return store.ask(FindMarkets((address,)))[0]


def test_markets_of_users(store: Store) -> None:
    store.set_market("DE", 2)
    assert store.ask(FindMarkets((U2, NOBODY, U1))) == ["DE", None, "PK"]
    assert store.ask(FindMarkets(())) == []


def test_a_user_moves_in_steps_and_is_of_the_new_market_at_the_end(store: Store) -> None:
    note = NoteAct(1, "X-PK-1", "moved", "", 7)
    assert store.submit(MoveUser(U1, "DE", 1, note)) is False
    assert market(store) == "PK"
    assert store.ask(FindExitPerson(1, "X-PK-1")).moved_ms is None
    assert store.submit(MoveUser(U1, "DE", 1, note)) is False
    assert store.submit(MoveUser(U1, "DE", 1, note)) is True
    assert market(store) == "DE" and market(store, U2) == "PK"
    assert store.ask(FindExitPerson(1, "X-PK-1")).moved_ms == 7
    store.destroy_key("PK")
    assert store.ask(ReadMail(1, 1, 0, 9)) == MailPart(3, b"one")
    assert store.ask(ReadMail(1, 2, 0, 9)) == MailPart(3, b"two")
    with pytest.raises(StorageError, match="PK was destroyed"):
        store.ask(ReadMail(2, 1, 0, 9))


def test_nobody_moves_who_is_not_there_or_whose_key_is_destroyed(store: Store) -> None:
    with pytest.raises(AbsentError, match="no user nobody@"):
        store.submit(MoveUser(NOBODY, "DE", 9))
    store.destroy_key("DE")
    with pytest.raises(StorageError, match="DE was destroyed"):
        store.submit(MoveUser(U1, "DE", 9))
    assert market(store) == "PK"
    assert store.ask(ReadMail(1, 1, 0, 9)) == MailPart(3, b"one")


def test_a_failed_commit_moves_nobody(store: Store) -> None:
    store.fail(DiskError("the disk failed"))
    with pytest.raises(DiskError):
        store.submit(MoveUser(U1, "DE", 9))
    store.fail(None)
    assert market(store) == "PK"
    store.submit_unanswered(MoveUser(U1, "DE", 9))
    assert market(store) == "DE"
    assert store.submit(MoveUser(U1, "DE", 9)) is True


def test_nothing_is_left_to_wrap_in_a_new_store(store: Store) -> None:
    assert store.submit(WrapStored(9)) is True
