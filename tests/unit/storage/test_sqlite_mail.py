"""The mail table: uids that rise and never come twice, pieces of a mail, all or nothing."""

import pytest

from blackthorn.errors import StorageError
from blackthorn.ports.mail import MailHead, SealedMail
from blackthorn.simulation.memory import memory_database, wrapping
from blackthorn.simulation.stepped import SteppedWriter
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from tests.support.market_keys import add_people
from tests.support.stored import StoredMail


@pytest.fixture
def database():
    database = memory_database()
    add_people(database, 3)
    yield database
    database.close()


def put(writer: SteppedWriter, store: StoredMail, *mails: SealedMail, at: int = 1) -> object:
    results: list[object] = []
    writer.submit(store.put(mails, at), results.append)
    writer.commit()
    return results[0]


def test_uids_rise_within_a_user(database: Database) -> None:
    store, writer = (
        StoredMail(database, wrapping()),
        SteppedWriter(Engine(database, wrapping())),
    )
    assert put(writer, store, SealedMail(1, b"a"), SealedMail(2, b"b"), SealedMail(1, b"cc")) == [
        1, 1, 2,
    ]  # fmt: skip
    assert put(writer, store, SealedMail(1, b"d"), at=7) == [3]
    assert store.list(1, 0, 10) == [MailHead(1, 1, 1), MailHead(2, 2, 1), MailHead(3, 1, 7)]
    assert store.list(1, 1, 1) == [MailHead(2, 2, 1)]
    assert store.list(3, 0, 10) == []


def test_a_uid_is_never_given_again(database: Database) -> None:
    store, writer = (
        StoredMail(database, wrapping()),
        SteppedWriter(Engine(database, wrapping())),
    )
    put(writer, store, SealedMail(1, b"a"), SealedMail(1, b"b"))
    database.writing.execute("DELETE FROM mail")
    assert put(writer, store, SealedMail(1, b"c")) == [3]


def test_a_mail_is_read_in_pieces_by_its_owner(database: Database) -> None:
    store, writer = (
        StoredMail(database, wrapping()),
        SteppedWriter(Engine(database, wrapping())),
    )
    sealed = bytes(range(256)) * 1_000
    put(writer, store, SealedMail(1, sealed))
    pieces = [store.read(1, 1, offset, 100_000) for offset in (0, 100_000, 200_000, 300_000)]
    assert all(piece is not None and piece[0] == len(sealed) for piece in pieces)
    assert b"".join(piece[1] for piece in pieces if piece) == sealed
    assert store.read(1, 2, 0, 10) is None
    assert store.read(2, 1, 0, 10) is None


def test_what_was_not_committed_is_not_there(database: Database) -> None:
    store, writer = (
        StoredMail(database, wrapping()),
        SteppedWriter(Engine(database, wrapping())),
    )
    results: list[object] = []
    writer.submit(store.put([SealedMail(1, b"lost")], 1), results.append)
    writer.crash()
    assert put(writer, store, SealedMail(1, b"kept")) == [1]
    writer.fail(StorageError("the disk is full"))
    assert isinstance(put(writer, store, SealedMail(1, b"x")), StorageError)
    writer.fail(None)
    assert results == [] and len(store.list(1, 0, 10)) == 1
