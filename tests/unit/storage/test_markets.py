"""Two markets in one database: what a key opens, what its end closes, moves, purges, upgrades."""

import random
import shutil
from pathlib import Path

import apsw
import pytest

from blackthorn.crypto.market_wrap import CHUNK_BYTES, WrapError
from blackthorn.errors import AbsentError, BlackthornError, DefectError, StorageError
from blackthorn.ids import Address
from blackthorn.ports.mail import MailPiece, PiecedMail, SealedMail, StoreMail, StorePieces
from blackthorn.ports.markets import MoveUser, WrapStored
from blackthorn.ports.parcels import (
    MailboxTallies,
    MarkUndecryptable,
    Parcels,
    RemoveParcels,
    RemoveUndecryptable,
    SharedParcel,
    StoreParcels,
    Tally,
    WaitingParcels,
)
from blackthorn.programs.server.market_start import WRAP_ROWS, wrap_all
from blackthorn.simulation.memory import MemoryKeys
from blackthorn.storage.limits import ROWS_OF_A_PIECE
from blackthorn.storage.sqlite import database as database_module
from blackthorn.storage.sqlite.database import Database, migrations
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.group_commit import commit_group
from blackthorn.storage.sqlite.stores import markets
from blackthorn.storage.sqlite.transaction import Transaction
from blackthorn.storage.sqlite.wrapping import Wrapping
from blackthorn.wire.units import MIB
from tests.support.market_keys import add_people
from tests.support.stored import StoredMail

SEED = 20151230


def shared(seq: int, sealed: bytes, devices: list[int]) -> SharedParcel:
    """One for these devices, with the same seq in each mailbox."""
    return SharedParcel(sealed, [(device, seq) for device in devices], [7] * len(devices))


class Store:
    """One database with users 1 and 2 of PK, 3 of DE, and a key folder in memory."""

    def __init__(self, path: Path, keys: MemoryKeys | None = None) -> None:
        self.path = path
        self.chance = random.Random(SEED)
        self.keys = keys or MemoryKeys()
        self.database = Database.open(path)
        self.wrapping = Wrapping(self.keys, self.chance.randbytes)
        self.mail = StoredMail(self.database, self.wrapping)
        self.engine = Engine(self.database, self.wrapping)

    def fill(self) -> "Store":
        add_people(self.database, 3)
        self.sql("UPDATE users SET market = CASE number WHEN 3 THEN 'DE' ELSE 'PK' END")
        return self

    def purge(self, user: int, limit: int) -> markets.Purged:
        """One step in a transaction of its own."""
        with self.database.writing as connection:
            return markets.purge_user(Transaction(connection, self.wrapping), user, limit)

    def do(self, job):
        """The result of a command in a transaction of its own; raises its error."""
        told: list[object] = []
        for done, result in commit_group(
            Engine(self.database, self.wrapping), [(job, told.append)]
        ):
            done(result)
        if isinstance(told[0], BlackthornError):
            raise told[0]
        return told[0]

    def sql(self, query: str, *values):
        return self.database.writing.execute(query, values).fetchall()

    def put_mail(self, user: int, *sealed: bytes):
        return self.do(self.mail.put([SealedMail(user, each) for each in sealed], 1))

    def put_pieces(self, user: int, mail: int, *parts: bytes) -> None:
        """A mail in pieces, each in a transaction of its own."""
        start = 0
        for part in parts:
            self.do(StorePieces((MailPiece(user, mail, start, part),)))
            start += len(part)
        self.do(StoreMail((PiecedMail(user, mail, start),), 1))

    def put(self, single=(), shared=()) -> None:
        self.do(StoreParcels(Parcels([(*row, 7) for row in single], list(shared))))

    def waiting(self, device: int) -> list[bytes]:
        found = self.engine.read(WaitingParcels(device, 0, True, 999, 10**9))
        return [each.sealed for each in found]

    def tally(self, device: int) -> Tally:
        (found,) = self.engine.read(MailboxTallies((device,))).tallies
        return found

    def mails(self, user: int) -> list[bytes]:
        heads = self.mail.list(user, 0, 999)
        return [self.mail.read(user, each.uid, 0, each.size)[1] for each in heads]

    def move(self, number: int, market: str, limit: int = 100) -> int:
        """Steps until the user is of that market."""
        job = MoveUser(Address(f"u{number}@acme.example"), market, limit)
        steps = 1
        while not self.do(job):
            steps += 1
        return steps

    def raw(self) -> bytes:
        """The bytes of the database and its write-ahead log."""
        log = self.path.with_name(self.path.name + "-wal")
        return self.path.read_bytes() + (log.read_bytes() if log.exists() else b"")


@pytest.fixture
def store(tmp_path: Path):
    print(f"seed {SEED}")
    store = Store(tmp_path / "b.db").fill()
    yield store
    store.database.close()


def test_sealed_bytes_do_not_stand_in_the_file(store: Store) -> None:
    canaries = [b"canary-%d-" % n + store.chance.randbytes(24) for n in range(4)]
    store.put_mail(1, canaries[0])
    store.put_pieces(2, 5, b"first", canaries[3])
    store.put([(3, 1, canaries[1])], [shared(2, canaries[2], [1, 3])])
    assert store.mails(1) == [canaries[0]]
    assert store.waiting(3) == canaries[1:3] and store.waiting(1) == [canaries[2]]
    raw = store.raw()
    assert not [each for each in canaries if each in raw or each[:16] in raw]
    assert raw.count(b"u1@acme.example"), "the search finds what does stand there"


def test_a_destroyed_key_closes_every_old_copy_of_its_market_and_no_other(
    store: Store, tmp_path: Path
) -> None:
    store.put_mail(1, b"pk mail", bytes(3 * CHUNK_BYTES))
    store.put_pieces(1, 5, bytes(3 * CHUNK_BYTES), b"pk piece")
    store.put_mail(3, b"de mail")
    store.put([(2, 1, b"pk parcel"), (3, 2, b"de parcel")], [shared(3, b"all", [1, 2, 3])])
    assert markets.compact(store.path)
    shutil.copy(store.path, tmp_path / "copy.db")
    store.keys.destroyed.add("PK")
    copy = Store(tmp_path / "copy.db", store.keys)
    assert copy.mails(3) == [b"de mail"] and copy.waiting(3) == [b"de parcel", b"all"]
    rows = [
        *copy.sql("SELECT market, sealed FROM mail"),
        *copy.sql("SELECT market, sealed FROM mail_piece"),
        *copy.sql("SELECT market, sealed FROM mailbox WHERE sealed IS NOT NULL"),
        *copy.sql("SELECT market, sealed FROM shared_parcel"),
    ]
    closed = [sealed for market, sealed in rows if market == "PK"]
    assert len(closed) == 7 and len(rows) == 10
    for sealed in closed:
        with pytest.raises(StorageError, match="the key of market PK was destroyed"):
            copy.wrapping.unwrap("PK", sealed)
        with pytest.raises(WrapError):
            copy.wrapping.unwrap("DE", sealed)
    with pytest.raises(StorageError, match="PK was destroyed"):
        copy.mail.read(1, 1, 0, 10)
    with pytest.raises(StorageError, match="PK was destroyed"):
        copy.waiting(1)
    copy.database.close()


def test_another_key_of_the_same_market_opens_nothing(store: Store) -> None:
    store.put_mail(1, b"mail")
    other = StoredMail(store.database, Wrapping(MemoryKeys(b"other"), bytes))
    with pytest.raises(StorageError, match="does not open with this market's key"):
        other.read(1, 1, 0, 4)


def test_a_destroyed_market_takes_no_mail_and_keeps_no_parcel(store: Store) -> None:
    store.keys.destroyed.add("PK")
    with pytest.raises(StorageError, match="PK was destroyed"):
        store.put_mail(1, b"mail")
    store.put([(1, 1, b"one"), (3, 2, b"two")], [shared(3, b"all", [1, 3])])
    assert store.waiting(3) == [b"two", b"all"]
    assert store.sql("SELECT count(*) FROM mailbox WHERE device = 1") == [(0,)]


@pytest.mark.parametrize("size", [1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES + 77])
def test_a_mail_is_read_from_any_offset(store: Store, size: int) -> None:
    sealed = store.chance.randbytes(size)
    store.put_mail(1, sealed)
    edges = [n * CHUNK_BYTES + d for n in range(6) for d in (-1, 0, 1)]
    places = [each for each in edges if 0 <= each <= size + 1]
    for offset in places:
        for length in (1, 2, CHUNK_BYTES, CHUNK_BYTES + 1, 10**9):
            assert store.mail.read(1, 1, offset, length) == (size, sealed[offset:][:length])


def test_the_sizes_counted_are_those_of_what_was_sealed(store: Store) -> None:
    sizes = [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, 2 * CHUNK_BYTES + 1]
    store.put([(1, n, bytes(size)) for n, size in enumerate(sizes, 1)])
    store.put([], [shared(50, bytes(70_000), [1, 3])])
    assert store.tally(1)[:2] == (7, sum(sizes) + 70_000)
    store.do(MarkUndecryptable([(1, 50)], 5))
    assert store.do(RemoveUndecryptable([(1, 50)])) == [(1, 70_000)]


def test_a_shared_parcel_lies_once_for_each_market_until_its_last_device(store: Store) -> None:
    store.put([], [shared(7, b"all", [1, 2, 3])])
    query = "SELECT market, waiting FROM shared_parcel ORDER BY market"
    assert store.sql(query) == [("DE", 1), ("PK", 2)]
    store.do(RemoveParcels([(3, 7)]))
    assert store.sql(query) == [("PK", 2)]
    assert store.waiting(1) == store.waiting(2) == [b"all"] and store.waiting(3) == []
    store.do(RemoveParcels([(1, 7)]))
    assert store.sql(query) == [("PK", 1)]
    store.do(RemoveParcels([(2, 7)]))
    assert store.sql(query) == []


# --- Moves --------------------------------------------------------------------------------


def fill_user(store: Store) -> None:
    store.put_mail(1, *[b"mail %d" % n for n in range(5)], bytes(2 * CHUNK_BYTES + 3))
    store.put(
        [(1, n, b"own %d" % n) for n in range(1, 5)],
        [shared(n, b"all %d" % n, [1, 2, 3]) for n in range(5, 9)],
    )
    store.do(MarkUndecryptable([(1, 2), (1, 6)], 9))


def test_a_move_can_be_interrupted_and_mail_keeps_coming(store: Store) -> None:
    fill_user(store)
    mails, waiting, tally = store.mails(1), store.waiting(1), store.tally(1)
    others = store.waiting(2)
    job = MoveUser(Address("u1@acme.example"), "FR", 3)
    for step in range(3):
        assert store.do(job) is False, "the process may end here"
        assert store.mails(1) == mails and store.waiting(1) == waiting
        assert store.sql("SELECT market FROM users WHERE number = 1") == [("PK",)]
        store.put_mail(1, b"new %d" % step)
        store.put([(1, 100 + step, b"fresh %d" % step)])
        mails, waiting = store.mails(1), store.waiting(1)
    assert store.sql("SELECT count(DISTINCT market) FROM mail WHERE user = 1") == [(2,)]
    assert store.move(1, "FR", 3) > 1
    assert store.mails(1) == mails and store.waiting(1) == waiting
    assert store.tally(1).undecryptable == tally.undecryptable == 2
    assert store.waiting(2) == others
    assert store.sql("SELECT waiting FROM shared_parcel WHERE market = 'PK'") == [(1,)] * 4
    assert store.sql("SELECT number FROM users WHERE market = 'FR'") == [(1,)]
    store.put_mail(1, b"after")
    store.put([(1, 200, b"after")])
    store.keys.destroyed.add("PK")
    assert store.mails(1) == [*mails, b"after"] and store.waiting(1) == [*waiting, b"after"]


def test_after_a_move_the_old_bytes_are_nowhere(store: Store) -> None:
    fill_user(store)
    store.put_pieces(1, 5, store.chance.randbytes(200_000), b"last")
    before = [sealed for (sealed,) in store.sql("SELECT sealed FROM mail WHERE user = 1")]
    before += [sealed for (sealed,) in store.sql("SELECT sealed FROM mail_piece")]
    before += [
        sealed for (sealed,) in store.sql("SELECT sealed FROM mailbox WHERE sealed IS NOT NULL")
    ]
    assert all(each[:40] in store.raw() for each in before)
    store.move(1, "FR", 4)
    assert markets.compact(store.path, rewrite=True)
    raw = store.raw()
    assert not [each for each in before if each[:40] in raw or each[-40:] in raw]


def test_a_move_to_or_from_a_destroyed_market_is_refused(store: Store) -> None:
    store.put_mail(1, b"mail")
    store.keys.destroyed.add("FR")
    with pytest.raises(StorageError, match="FR was destroyed"):
        store.move(1, "FR")
    assert store.mails(1) == [b"mail"]
    store.keys.destroyed.add("PK")
    with pytest.raises(StorageError, match="PK was destroyed"):
        store.move(1, "DE")
    with pytest.raises(AbsentError, match="no user u9@"):
        store.move(9, "DE")


def test_a_move_by_another_process_is_seen_at_the_next_write(store: Store) -> None:
    store.put([(1, 1, b"before")])
    with apsw.Connection(str(store.path)) as other:
        other.execute("UPDATE users SET market = 'FR' WHERE number = 1")
    store.put([(1, 2, b"behind")])
    assert store.sql("SELECT seq, market FROM mailbox ORDER BY seq") == [(1, "PK"), (2, "FR")]


# --- Purges -------------------------------------------------------------------------------


def test_a_purge_overwrites_the_pieces_of_mails_few_at_a_time(store: Store) -> None:
    for mail in (5, 6):
        store.put_pieces(1, mail, *[store.chance.randbytes(100_000) for _ in range(4)])
    store.do(StorePieces((MailPiece(1, 7, 0, b"begun"),)))
    store.put_pieces(3, 8, b"kept")
    pieces = store.sql("SELECT sealed FROM mail_piece WHERE user = 1")
    marks = [mark for (sealed,) in pieces for mark in (sealed[:32], sealed[-32:])]
    assert len(marks) == 18 and all(mark in store.raw() for mark in marks)
    deleted, done = [], False
    while not done:
        before = store.sql("SELECT count(*) FROM mail_piece")[0][0]
        done = store.purge(1, 2 * ROWS_OF_A_PIECE).done
        deleted.append(before - store.sql("SELECT count(*) FROM mail_piece")[0][0])
    assert sum(deleted) == 9 and max(deleted) == 2
    assert markets.compact(store.path, rewrite=True)
    raw = store.raw()
    assert not [mark for mark in marks if mark in raw]
    assert store.mails(1) == [] and store.mails(3) == [b"kept"]


def test_a_purge_in_steps_overwrites_what_it_deletes(store: Store) -> None:
    marks = []
    for n in range(40):
        store.put_mail(1, store.chance.randbytes(9_000 + n))
        store.put_mail(3, store.chance.randbytes(700))
        store.put([(1, 1 + n, store.chance.randbytes(300)), (3, 101 + n, b"kept" * 60)])
    store.sql("INSERT INTO key_package (device, last_resort, package) VALUES (1, 0, x'01')")
    for table in ("mail WHERE user = 1", "mailbox WHERE device = 1"):
        for (sealed,) in store.sql(f"SELECT sealed FROM {table}"):
            marks += [sealed[:32], sealed[-32:]]
    assert len(marks) == 160 and all(each in store.raw() for each in marks)
    kept = store.mails(3), store.waiting(3)
    steps = []
    while not steps or not steps[-1].done:
        steps.append(store.purge(1, 15))
    assert sum(each.mails for each in steps) == 40 == sum(each.parcels for each in steps)
    assert sum(each.rows for each in steps) == 81 and len(steps) == 6
    assert markets.compact(store.path)
    assert store.path.with_name("b.db-wal").stat().st_size == 0
    raw = store.raw()
    assert not [each for each in marks[1:80:2] if each in raw], "freed pages are overwritten"
    assert markets.compact(store.path, rewrite=True)
    raw = store.raw()
    assert not [each for each in marks if each in raw], "and after a rewrite nothing is left"
    assert (store.mails(3), store.waiting(3)) == kept
    again = store.purge(1, 15)
    assert again == markets.Purged(0, 0, 0, True)


# --- Upgrade ------------------------------------------------------------------------------


def old_database(path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[list[bytes], list[bytes]]:
    """A database before markets: mail and parcels of users 1 to 3, unwrapped."""
    first = [each for each in migrations() if each[0] <= 4]
    monkeypatch.setattr(database_module, "migrations", lambda: first)
    database = Database.open(path)
    monkeypatch.undo()
    add_people(database, 3)
    chance = random.Random(SEED)
    mails = [chance.randbytes(2_000 + n) for n in range(WRAP_ROWS)] + [bytes(MIB)]
    own = [chance.randbytes(500) for _ in range(WRAP_ROWS)]
    for n, sealed in enumerate(mails, 1):
        row = (1, n, n, len(sealed), sealed)
        database.writing.execute("INSERT INTO mail VALUES (?, ?, ?, ?, ?)", row)
    for n, sealed in enumerate(own, 1):
        database.writing.execute("INSERT INTO mailbox VALUES (2, ?, NULL, ?)", (n, sealed))
    database.writing.execute("INSERT INTO shared_parcel VALUES (900, 2, ?)", (b"shared" * 9,))
    database.writing.execute("INSERT INTO mailbox VALUES (2, 900, 4, NULL), (3, 900, NULL, NULL)")
    database.writing.execute("INSERT INTO mailbox VALUES (77, 901, NULL, x'00')")
    database.close()
    return mails, own


def test_what_was_stored_before_markets_is_wrapped_in_steps_that_may_stop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    print(f"seed {SEED}")
    mails, own = old_database(tmp_path / "b.db", monkeypatch)
    store = Store(tmp_path / "b.db")
    for _ in range(2):
        assert store.do(WrapStored(150)) is False
        assert store.mails(1) == mails and store.waiting(2) == [*own, b"shared" * 9]
    left = store.sql("SELECT count(*) FROM mailbox WHERE market = ''")
    assert left == [(WRAP_ROWS + 3 - (300 - len(mails)),)], "half is done"
    store.database.close()
    store = Store(tmp_path / "b.db", store.keys)
    assert wrap_all(store.database, store.wrapping) is True
    assert wrap_all(store.database, store.wrapping) is False, "nothing is left to do"
    assert markets.compact(store.path, rewrite=True)
    assert store.mails(1) == mails and store.waiting(2) == [*own, b"shared" * 9]
    assert store.waiting(3) == [b"shared" * 9]
    assert store.sql("SELECT count(*) FROM shared_parcel") == [(0,)]
    assert store.sql("SELECT count(*) FROM mailbox WHERE device = 77") == [(0,)]
    query = "SELECT device, seq, set_aside_day FROM mailbox WHERE device = 3 OR set_aside_day"
    assert store.sql(query) == [(2, len(own) + 1, 4), (3, 1, None)], "seq counts by device"
    raw = store.raw()
    assert not [each for each in mails[:-1] + own if each[:32] in raw or each[-32:] in raw]
    store.keys.destroyed.add("ZZ")
    with pytest.raises(StorageError, match="ZZ was destroyed"):
        store.waiting(3)
    store.database.close()


def test_a_server_does_not_start_over_rows_that_a_defect_left_unwrapped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old_database(tmp_path / "b.db", monkeypatch)
    store = Store(tmp_path / "b.db")
    monkeypatch.setattr(store.wrapping, "wrap", None)
    with pytest.raises(DefectError, match="TypeError"):
        wrap_all(store.database, store.wrapping)
    store.database.close()
