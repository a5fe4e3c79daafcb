"""The rows that a directive can get: held against the inventory, and read from a real database."""

import json
import sqlite3
from dataclasses import replace
from random import randbytes

import apsw
import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.errors import StorageError
from blackthorn.governance.package import layout
from blackthorn.governance.package.build import ProductionCase
from blackthorn.ports.mail import MailPiece, PiecedMail, SealedMail, StoreMail, StorePieces
from blackthorn.ports.parcels import MarkUndecryptable, Parcels, SharedParcel, StoreParcels
from blackthorn.programs.server.production import frozen_rows, produce
from blackthorn.simulation.stepped import SteppedWriter
from blackthorn.storage.sqlite.database import Connection, Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.stores.production import (
    COUNTED,
    LEFT_OUT,
    READS,
    SEALED_READS,
    SqliteProduction,
)
from blackthorn.storage.sqlite.transaction import Transaction
from blackthorn.storage.sqlite.wrapping import Wrapping
from tests.support.bags import files_of
from tools.inventory import migrations, read_inventory

ALICE, BOB = "alice@acme.example", "bob@acme.example"
CASE = ProductionCase(
    "D-000001", (ALICE,), layout.CATEGORIES, 0, 0, 5_000, ("O-1", "O-2"), (), "blackthorn"
)
ABOUT_USERS = {"user", "device"}
"""A table with one of these columns is about a user; so are `users` and `shared_parcel`."""


def inventory() -> dict[tuple[str, str], bool]:
    tables = read_inventory(sql for _, sql in migrations())
    return {(each.table, each.name): each.producible for table in tables for each in table.columns}


def columns_read() -> set[tuple[str, str]]:
    read = {
        (each.table, name) for reads in READS.values() for each in reads for name in each.columns
    }
    for tables in SEALED_READS.values():
        read |= {(table, name) for table, columns in tables.items() for name in columns}
    return read


def test_each_category_has_its_reads() -> None:
    assert {*READS, *SEALED_READS} == set(layout.CATEGORIES)


def test_only_columns_that_can_be_produced_are_read() -> None:
    producible = inventory()
    for column in columns_read() | set(COUNTED) | set(LEFT_OUT):
        assert producible[column] is True, column


def test_every_column_about_a_user_is_read_or_left_out_for_a_reason() -> None:
    producible = inventory()
    about = {table for table, name in producible if name in ABOUT_USERS}
    about |= {"users", "shared_parcel"}
    wanted = {column for column, yes in producible.items() if yes and column[0] in about}
    named = [*columns_read(), *COUNTED, *LEFT_OUT]
    assert wanted == {column for column in named if column[0] in about}
    assert len(named) == len(set(named)), "a column is read or left out, not both"
    assert all(COUNTED.values()) and all(LEFT_OUT.values())


def test_a_user_is_named_and_never_selected_by_anything_else() -> None:
    """Each query has one parameter: the number of one account."""
    for reads in READS.values():
        for read in reads:
            assert read.query.count("?") == 1
            assert " LIKE " not in read.query


class Keys:
    """The key of each market: 32 times the first byte of its name."""

    def key(self, market: str) -> Secret:
        return Secret(market[:1].encode() * 32)


WRAPPING = Wrapping(Keys(), randbytes)


@pytest.fixture
def path(tmp_path):
    """Two users; ALICE has two devices, a statement, mails at 10, 20, … and three parcels."""
    path = tmp_path / "blackthorn.db"
    database = Database.open(path)
    fill(database.writing)
    writer = SteppedWriter(Engine(database, WRAPPING))
    for number in range(1, 13):
        mails = (SealedMail(1, b"m%d" % number * number), SealedMail(2, b"bob"))
        writer.submit(StoreMail(mails, number * 10), lambda _: None)
    shared = SharedParcel(b"all", [(3, 9), (4, 8), (5, 9)], [0, 0, 0])
    free = Parcels(single=[(3, 1, b"one", 0), (5, 2, b"bob's", 0)], shared=[shared])
    writer.submit(StoreParcels(free, [], 100), lambda _: None)
    writer.submit(MarkUndecryptable([(4, 8)], 77), lambda _: None)
    writer.commit()
    database.close()
    return path


def fill(connection: Connection) -> None:
    connection.execute(
        "INSERT INTO users (number, address, pin, created_ms, market, language) VALUES"
        " (1, 'alice@acme.example', '0000CAFE', 5, 'PK', 'ur'),"
        " (2, 'bob@acme.example', '0000BEEF', 6, 'DE', 'de');"
        "INSERT INTO devices VALUES (3, x'03', 1, x'AA', 'phone', 'live', 6),"
        " (4, x'04', 1, x'BB', 'laptop', 'live', 7), (5, x'05', 2, x'CC', 'other', 'live', 8);"
        "INSERT INTO activations (nameplate, user, password, public_key, expires_ms)"
        " VALUES ('123456', 1, x'5EC4E7', x'5EC4E8', 99);"
        "INSERT INTO key_package (device, last_resort, package)"
        " VALUES (3, 0, x'01'), (3, 0, x'02'), (3, 1, x'03'), (5, 0, x'04');"
        "INSERT INTO ledger_label VALUES (1, x'1D', x'1E', x'5A17');"
        "INSERT INTO ledger_leaf VALUES (1, 1, x'1F', 1, 0, 4);"
        "INSERT INTO ledger_entry VALUES (4, x'01EE'), (5, x'01FF');"
        "INSERT INTO chain_statement (user, seq, head, kind, flags, statement, place)"
        " VALUES (1, 1, x'1F', 'genesis', 0, x'57A7', 4);"
        "INSERT INTO user_certificate VALUES (1, 1, x'CE');"
    ).fetchall()


def produced(path, **changes) -> dict[str, bytes]:
    target = path.with_name("package.tar")
    with frozen_rows(path, WRAPPING) as rows:
        produce(replace(CASE, **changes), rows, target)
    return files_of(target.read_bytes())


def produced_again(path) -> dict[str, bytes]:
    path.with_name("package.tar").unlink()
    return produced(path)


def document(files: dict[str, bytes], name: str) -> dict:
    return json.loads(files[f"data/{ALICE}/{name}"])


def test_the_account_and_its_devices(path) -> None:
    tables = document(produced(path), "account.json")["tables"]
    assert tables["users"] == [
        {"address": ALICE, "created_ms": 5, "language": "ur", "market": "PK", "pin": "0000CAFE"}
    ]
    assert [each["name"] for each in tables["devices"]] == ["phone", "laptop"]
    assert tables["user_certificate"] == [{"seq": 1, "certificate": "zg=="}]
    assert tables["activations"] == [{"expires_ms": 99, "used_by": None, "used_seq": None}]
    assert tables["key_package"] == [
        {"device": "Aw==", "single_use": 2, "last_resort": 1},
        {"device": "BA==", "single_use": 0, "last_resort": 0},
    ]
    assert tables["mail_uid"] == [{"last": 12}]


def test_mail_within_the_period_as_it_is_sealed(path) -> None:
    files = produced(path, from_ms=30, to_ms=50)
    mails = {name.rpartition("/")[2]: data for name, data in files.items() if "/mail/" in name}
    index = mails.pop("index.json")
    assert mails == {f"{uid}.sealed": b"m%d" % uid * uid for uid in (3, 4, 5)}
    assert b'"received_ms": 30' in index and b'"received_ms": 60' not in index


def test_a_mail_in_pieces_is_one_file_and_an_unfinished_one_is_none(path) -> None:
    database, sealed = Database.open(path), randbytes(150_000)
    writer = SteppedWriter(Engine(database, WRAPPING))
    parts = [MailPiece(1, 5, start, sealed[start : start + 100_000]) for start in (0, 100_000)]
    unfinished = MailPiece(1, 6, 0, b"unfinished")
    for command in (*(StorePieces((part,)) for part in parts), StorePieces((unfinished,))):
        writer.submit(command, lambda _: None)
    writer.submit(StoreMail((PiecedMail(1, 5, len(sealed)),), 45), lambda _: None)
    writer.commit()
    database.close()
    files = produced(path, from_ms=45, to_ms=45)
    mails = {name.rpartition("/")[2]: data for name, data in files.items() if "/mail/" in name}
    assert mails.pop("index.json") and mails == {"13.sealed": sealed}
    assert b"unfinished" not in b"".join(produced_again(path).values())


def test_parcels_of_all_devices_once_each(path) -> None:
    files = produced(path)
    parcels = {name.rpartition("/")[2]: data for name, data in files.items() if "/parcels/" in name}
    del parcels["index.json"]
    assert parcels == {"1.sealed": b"one", "2.sealed": b"all"}
    items = document(files, "parcels/index.json")["items"]
    assert items[1]["devices"] == [
        {"id": "Aw==", "seq": 9, "set_aside_day": None},
        {"id": "BA==", "seq": 8, "set_aside_day": 77},
    ]  # fmt: skip


def test_chain_and_ledger(path) -> None:
    files = produced(path)
    assert files[f"data/{ALICE}/chain/1.statement"] == b"\x57\xa7"
    tables = document(files, "ledger.json")["tables"]
    assert tables["ledger_label"] == [{"map_index": "HQ==", "vrf_proof": "Hg=="}]
    assert tables["ledger_entry"] == [{"place": 4, "entry": "Ae4="}]


def test_nothing_of_others_and_nothing_that_cannot_be_produced(path) -> None:
    everything = b"".join(produced(path).values())
    for other in (b"bob", b"BEEF", b'"other"', b"123456", b"XsTn", b"XsTo", b"Whc="):
        assert other not in everything, other


@pytest.mark.parametrize("name", ["%", "*", "", "ALICE@acme.example", "' OR 1=1 --"])
def test_a_pattern_is_an_account_that_is_not_there(path, name: str) -> None:
    files = produced(path, accounts=(name,))
    assert not [each for each in files if each.startswith("data/")]


def test_what_is_written_meanwhile_is_not_in_it(path) -> None:
    before = produced(path)
    path.with_name("package.tar").unlink()
    target = path.with_name("package.tar")
    with frozen_rows(path, WRAPPING) as rows:
        with sqlite3.connect(path) as other:
            other.execute("DELETE FROM mail")
            other.execute("DELETE FROM mailbox")
        produce(CASE, rows, target)
    assert files_of(target.read_bytes()) == before


def test_rows_that_go_in_between_stop_it(path) -> None:
    database = Database.open(path)
    rows = SqliteProduction(Transaction(database.writing, WRAPPING))
    seen = list(rows.sealed(ALICE, layout.SEALED_MAIL, 0, 0))
    waiting = list(rows.sealed(ALICE, layout.WAITING_PARCELS, 0, 0))
    database.writing.execute("DELETE FROM mail; DELETE FROM mailbox").fetchall()
    with pytest.raises(StorageError, match="went"):
        list(rows.pieces(layout.SEALED_MAIL, seen[0].place))
    with pytest.raises(StorageError, match="went"):
        list(rows.pieces(layout.WAITING_PARCELS, waiting[0].place))
    database.close()


def test_the_rows_are_never_written(path) -> None:
    with frozen_rows(path, WRAPPING) as rows, pytest.raises(apsw.ReadOnlyError):
        rows._connection.execute("DELETE FROM mail").fetchall()


def test_the_layer_of_the_markets_key_is_taken_off(path) -> None:
    """What lies in the database is not what is produced, which is what was put in."""
    with sqlite3.connect(path) as database:
        ((stored,),) = database.execute("SELECT sealed FROM mail WHERE user = 1 AND uid = 2")
    assert b"m2m2" not in stored
    assert produced(path)[f"data/{ALICE}/mail/2.sealed"] == b"m2m2"


def test_without_the_key_of_the_market_nothing_is_produced(path) -> None:
    class Destroyed:
        def key(self, market: str) -> None:
            return None

    without = Wrapping(Destroyed(), randbytes)
    target = path.with_name("package.tar")
    with pytest.raises(StorageError, match="PK"), frozen_rows(path, without) as rows:
        produce(CASE, rows, target)
    assert not target.exists()


def test_a_database_that_is_not_there(tmp_path) -> None:
    with pytest.raises(StorageError), frozen_rows(tmp_path / "none.db", WRAPPING):
        pass
