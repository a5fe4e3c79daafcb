"""Rows of parcels are found in any bytes, and what a database no longer lists is residue."""

import random
import shutil
from pathlib import Path

import apsw
import pytest

from blackthorn.audit.residue import audit
from blackthorn.errors import DamageError, UserError
from blackthorn.ports.parcels import Parcels, RemoveParcels, SharedParcel, StoreParcels
from blackthorn.simulation.memory import wrapping
from blackthorn.storage.sqlite.carving import Listed, Row, carve, listed
from blackthorn.storage.sqlite.database import Database, truncate_log
from blackthorn.storage.sqlite.engine import Engine
from tests.support.market_keys import add_people
from tests.support.runs import seed

SIZES = (0, 1, 40, 300, 1_100, 1_900, 2_100, 5_000, 9_000, 70_000, 700_000)


class Folder:
    """A server's folder with nothing but a database of three devices; one parcel stays."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.database = Database.open(path / "blackthorn.db")
        add_people(self.database, 3)
        self.engine = Engine(self.database, wrapping())
        self.engine.write(StoreParcels(Parcels([(3, 1, b"it waits", 0)])))

    def put_and_remove(self, first: int = 2) -> int:
        """A parcel of each size for one device and for two, removed again; how many."""
        places = []
        for seq, size in enumerate(SIZES, first):
            shared = SharedParcel(bytes(size), [(2, seq), (3, seq)], [seq, 0])
            self.engine.write(
                StoreParcels(Parcels([(1, seq, bytes(size), seq * 999 % 65_536)], [shared]))
            )
            places += [(1, seq), (2, seq), (3, seq)]
        self.engine.write(RemoveParcels(places))
        return 2 * len(SIZES)

    def truncate(self) -> None:
        assert truncate_log(self.database.writing)

    def copy(self, name: str) -> Path:
        copied: Path = shutil.copytree(self.path, self.path.with_name(name))
        return copied


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "server")


def test_what_was_removed_is_found_in_the_log_until_it_is_truncated(folder: Folder) -> None:
    count = folder.put_and_remove()
    report = audit(folder.copy("live"))
    assert report.sees and not report.clean
    assert (report.parcels, report.pairs) == (count, 3 * len(SIZES))
    folder.truncate()
    report = audit(folder.copy("later"))
    assert report.clean and (report.waiting, report.seen) == (1, 1)


def test_what_is_not_overwritten_is_found_in_the_file(folder: Folder) -> None:
    folder.database.writing.execute("PRAGMA secure_delete = OFF").fetchall()
    folder.put_and_remove()
    folder.truncate()
    (found,) = [file for file in audit(folder.copy("live")).files if file.parcels]
    assert found.name == "blackthorn.db" and found.parcels > 3


def test_with_an_earlier_copy_only_what_was_gone_in_it_counts(folder: Folder) -> None:
    count = folder.put_and_remove()
    first = folder.copy("first")
    folder.truncate()
    folder.put_and_remove(100)
    second = folder.copy("second")
    assert audit(second).parcels == count
    assert audit(second, first).clean
    again = folder.copy("third")
    folder.database.close()
    assert audit(again, second).parcels == count


def test_a_backup_in_the_folder_is_searched_too(folder: Folder) -> None:
    folder.engine.write(StoreParcels(Parcels([(1, 9, b"in the backup", 40_000)])))
    backup = apsw.Connection(str(folder.path / "backup.db"))
    with backup.backup("main", folder.database.reading, "main") as copying:
        copying.step()
    backup.close()
    folder.engine.write(RemoveParcels([(1, 9)]))
    folder.truncate()
    found = {file.name: file.parcels for file in audit(folder.path).files if file.parcels}
    assert found == {"backup.db": 1}


def test_a_search_that_misses_what_waits_or_has_nothing_to_see_proves_nothing(
    folder: Folder,
) -> None:
    folder.engine.write(RemoveParcels([(3, 1)]))
    folder.truncate()
    report = audit(folder.path)
    assert not report.sees and not report.clean and report.parcels == 0


def test_the_copy_is_not_altered(folder: Folder) -> None:
    folder.put_and_remove()
    copy = folder.copy("copy")
    before = {path.name: path.read_bytes() for path in copy.iterdir()}
    audit(copy)
    assert {path.name: path.read_bytes() for path in copy.iterdir()} == before


def test_what_is_no_copy_of_a_folder_is_refused(folder: Folder, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no copy of a server's folder"):
        audit(tmp_path)
    folder.database.writing.pragma("user_version", 14)
    with pytest.raises(UserError, match="another version"):
        audit(folder.copy("older"))
    torn = folder.copy("torn")
    (torn / "blackthorn.db-wal").unlink()
    (torn / "blackthorn.db").write_bytes(b"no database" * 1000)
    with pytest.raises(DamageError):
        audit(torn)


@pytest.mark.parametrize("number", [1, 127, 128, 40_000, 2**31, 2**40, -1, -(2**63), 2**63 - 1])
def test_a_shared_parcel_is_found_by_any_id(folder: Folder, number: int) -> None:
    execute = folder.database.writing.execute
    sealed = wrapping().wrap("ZZ", b"all")
    execute("INSERT INTO shared_parcel VALUES (?, 'ZZ', 1, ?)", (number, sealed)).fetchall()
    execute("INSERT INTO mailbox VALUES (1, 7, NULL, NULL, 'ZZ', ?, 9)", (number,)).fetchall()
    rows = listed(folder.path / "blackthorn.db").rows
    assert {Row(0, 0, number, sealed[:16]), Row(1, 7, number, b"")} < rows
    assert audit(folder.path).sees


def test_any_bytes_are_searched_and_random_ones_hold_no_row() -> None:
    chance = random.Random(seed())
    known = Listed(frozenset(), frozenset({b"", b"ZZ", b"PK"}), 50_000)
    assert list(carve(chance.randbytes(2_000_000), known)) == []
    few = bytes(chance.choice((0, 1, 7, 8, 9, 13, 17, 90)) for _ in range(200_000))
    for row in carve(few, known):
        assert row.device <= known.devices
