"""A device's folder: never half, migrated from its third schema on, opened by old or new secret."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.device.core.keys import NotActivatedError
from blackthorn.device.operations.send_text import SendText
from blackthorn.device.operations.table import operation_of
from blackthorn.errors import BlackthornError, ConflictError, DamageError, DiskError
from blackthorn.programs.device import activation
from blackthorn.programs.device.home import Home, opened
from blackthorn.simulation.memory import memory_vault
from blackthorn.storage.device import folder as folder_module
from blackthorn.storage.device import repaging, unlock
from blackthorn.storage.device import vault as vault_module
from blackthorn.storage.device.folder import DeviceFolder
from blackthorn.storage.device.vault import PAGE_BYTES, MovedError, Vault, migrations, prepare

STORED = Path(__file__).with_name("vault_v3")
"""A device's folder as the third schema's program left it; a text of it still waits."""

OLD, NEW = Secret(b"correct horse battery"), Secret(b"staple and another")


@pytest.fixture
def stored(tmp_path: Path) -> DeviceFolder:
    shutil.copytree(STORED, tmp_path / "device")
    return DeviceFolder(tmp_path / "device")


def opens(folder: DeviceFolder, given: Secret) -> Vault:
    key = unlock.unlock(unlock.read(folder.lock), given)
    return Vault.open(folder.database, key, create=False)


@pytest.mark.parametrize("lost", ["device.db", "unlock.json"])
def test_a_folder_that_has_lost_one_file_is_refused_and_nothing_is_made(
    stored: DeviceFolder, lost: str
) -> None:
    """Neither is taken for a device, nor for a place where another may be begun."""
    (stored.path / lost).unlink()
    before = sorted(stored.path.iterdir())
    home = Home(stored.path, None)
    for refused in (home.open, lambda: activation.begin(home)):
        with pytest.raises(
            DamageError, match=f"{lost} is missing: put it back, or .* recovery use"
        ):
            refused()
    assert sorted(stored.path.iterdir()) == before


def test_an_emptied_database_is_refused_and_stays(stored: DeviceFolder) -> None:
    stored.database.write_bytes(b"")
    with pytest.raises(DamageError, match="database is empty"):
        opens(stored, OLD)
    assert stored.database.read_bytes() == b""


def test_a_folder_without_both_is_where_a_device_can_be_begun(tmp_path: Path) -> None:
    assert not DeviceFolder(tmp_path).exists()
    with pytest.raises(NotActivatedError, match="`blackthorn activate` makes one"):
        Home(tmp_path, None).open()


@pytest.mark.parametrize("step", ["lock_for", "write_private", "rename"])
def test_making_a_device_that_is_interrupted_can_be_done_again(
    tmp_path: Path, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the side file there is nothing; from then on the device is whole."""
    place = DeviceFolder(tmp_path / "device")
    module = folder_module.atomic if step == "rename" else unlock

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(module, step, stop)
    with pytest.raises(KeyboardInterrupt):
        place.create("key-file", OLD)
    monkeypatch.undo()
    if place.exists():
        assert step == "rename"
        vault = opens(place, OLD)
    else:
        vault = place.create("key-file", OLD)
    with vault.transaction() as records:
        records.settings.put("name", b"value")
    vault.close()
    opens(place, OLD).close()
    assert {path.name for path in place.path.iterdir()} == {"device.db", "unlock.json"}


def test_two_processes_that_make_a_device_at_once_make_one_whole_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, write = DeviceFolder(tmp_path / "device"), unlock.write_private

    def written(path: Path, data: bytes) -> None:
        monkeypatch.undo()
        write(path, data)
        with pytest.raises(ConflictError):
            DeviceFolder(place.path).create("key-file", NEW)

    monkeypatch.setattr(unlock, "write_private", written)
    place.create("key-file", OLD).close()
    opens(place, OLD).close()
    with pytest.raises(ConflictError, match="holds a device already"):
        place.create("key-file", NEW)
    assert {path.name for path in place.path.iterdir()} == {"device.db", "unlock.json"}


def test_a_vault_of_the_third_schema_is_migrated_with_all_that_it_holds(
    stored: DeviceFolder,
) -> None:
    vault = opens(stored, OLD)
    assert opened(vault).keys.address == "bob@acme.example"
    with vault.transaction() as records:
        lines = [(line.text, line.standing) for line in records.history.latest(10)]
        (row,) = records.outbox.all()
    assert lines == [
        ("kept in the third schema", "accepted"),
        ("and an answer", "received"),
        ("still waiting", "waiting"),
    ]
    waiting = operation_of(row)
    assert isinstance(waiting, SendText) and waiting.text == "still waiting"
    assert vault._connection.pragma("user_version") == migrations()[-1][0]
    vault.close()
    made = memory_vault()._connection
    schema = "SELECT name, sql FROM sqlite_schema ORDER BY name"
    migrated = opens(stored, OLD)._connection.execute(schema).fetchall()
    assert migrated == made.execute(schema).fetchall()


def test_migrations_begin_with_the_third_and_leave_no_gap() -> None:
    numbers = [number for number, _ in migrations()]
    assert numbers == list(range(3, 3 + len(numbers)))


@pytest.mark.parametrize(("version", "age"), [(2, "an older"), (999, "a newer")])
def test_a_vault_of_another_program_is_left_alone(
    stored: DeviceFolder, version: int, age: str
) -> None:
    vault = opens(stored, OLD)
    vault._connection.pragma("user_version", version)
    vault.close()
    with pytest.raises(DamageError, match=f"version {version}, made by {age} blackthorn"):
        opens(stored, OLD)


def test_a_migration_that_fails_leaves_the_vault_as_it_was(
    stored: DeviceFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = "CREATE TABLE half (a INTEGER); CREATE TABLE half (a INTEGER);"
    with monkeypatch.context() as patch:
        known = [migrations()[0], (4, broken)]
        patch.setattr("blackthorn.storage.device.vault.migrations", lambda: known)
        with pytest.raises(BlackthornError):
            opens(stored, OLD)
    vault = opens(stored, OLD)
    with vault.transaction() as records:
        assert len(records.history.latest(10)) == 3


def test_another_passphrase_opens_what_the_old_one_did(stored: DeviceFolder) -> None:
    """From the first form of the side file to the second, while another process has it open."""
    follower = opens(stored, OLD)
    key = unlock.unlock(unlock.read(stored.lock), OLD)
    for given, new in ((OLD, NEW), (NEW, OLD)):
        stored.change("passphrase", key, new)
        with pytest.raises(unlock.WrongKeyError):
            opens(stored, given)
        opens(stored, new).close()
    with follower.transaction() as records:
        assert len(records.history.latest(10)) == 3


@pytest.mark.parametrize("done", [False, True], ids=["fails", "is done and not told"])
@pytest.mark.parametrize(("call", "times"), [("open", 3), ("fsync", 3), ("replace", 1)])
def test_a_change_that_is_interrupted_leaves_the_old_or_the_new_secret(
    tmp_path: Path, call: str, times: int, done: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each call to the system that makes the change, one of the two opens the device."""
    place = DeviceFolder(tmp_path / "device")
    place.create("key-file", OLD).close()
    key = unlock.unlock(unlock.read(place.lock), OLD)
    system = getattr(os, call)
    for failing in range(times):
        before = iter([True] * failing + [False])

        def interrupted(*arguments: object, before: Iterator[bool] = before) -> object:
            well = next(before)
            result = system(*arguments) if well or done else None
            if well:
                return result
            raise OSError(errno.ENOSPC, "no space")

        with monkeypatch.context() as patch:
            patch.setattr(os, call, interrupted)
            with pytest.raises(DiskError, match="cannot be written: no space"):
                place.change("key-file", key, NEW)
        assert [_unlocks(place, OLD), _unlocks(place, NEW)].count(True) == 1
        place.change("key-file", key, OLD)
        assert _unlocks(place, OLD)


def _unlocks(place: DeviceFolder, given: Secret) -> bool:
    try:
        opens(place, given).close()
    except unlock.WrongKeyError:
        return False
    return True


# --- Pages --------------------------------------------------------------------------------


def key_of(folder: DeviceFolder) -> Secret:
    return unlock.unlock(unlock.read(folder.lock), OLD)


def content(vault: Vault) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables."""
    connection = vault._connection
    names = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall()
    tables = sorted(str(name) for (name,) in names)
    return {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables}


@pytest.fixture
def before(stored: DeviceFolder, tmp_path: Path) -> dict[str, list[tuple[object, ...]]]:
    """What the stored database holds once it is migrated, and its greatest numbers."""
    with_numbers = opens(stored, OLD)
    with_numbers._connection.execute("UPDATE sqlite_sequence SET seq = seq + 70")
    with_numbers.close()
    shutil.copytree(stored.path, tmp_path / "copy")
    vault = opens(DeviceFolder(tmp_path / "copy"), OLD)
    found = content(vault)
    assert vault.page_bytes == 4096
    assert found["sqlite_sequence"]
    assert found["outbox"]
    vault.close()
    return found


Before = dict[str, list[tuple[object, ...]]]


def moved(folder: DeviceFolder, before: Before) -> None:
    """The device has small pages and all that it had, and no other file."""
    vault = folder.open(key_of(folder))
    assert vault.page_bytes == PAGE_BYTES
    assert content(vault) == before
    assert vault._connection.pragma("foreign_key_check") is None
    vault.close()
    assert sorted(path.name for path in folder.path.iterdir()) == ["device.db", "unlock.json"]


def test_an_older_database_gets_small_pages(stored: DeviceFolder, before: Before) -> None:
    moved(stored, before)
    moved(stored, before)


def test_a_database_that_another_process_uses_keeps_its_pages(
    stored: DeviceFolder, before: Before
) -> None:
    other = opens(stored, OLD)
    with other.transaction() as records:
        records.settings.get("address")
    second = stored.open(key_of(stored))
    assert second.page_bytes == 4096
    with other.transaction() as records:
        records.settings.put("written", b"by the other")
    with second.transaction() as records:
        assert records.settings.get("written") == b"by the other"
    second.close()
    other._connection.execute("DELETE FROM settings WHERE name = 'written'")
    other.close()
    moved(stored, before)


class DiedError(Exception):
    """The process ends here."""


@pytest.mark.parametrize("where", ["_copy_rows", "put_in_place", "atomic.rename"])
def test_a_process_that_dies_while_it_copies_leaves_a_whole_device(
    stored: DeviceFolder, before: Before, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    def die(*_: object, **__: object) -> None:
        raise DiedError

    with monkeypatch.context() as patch:
        patch.setattr(f"blackthorn.storage.device.repaging.{where}", die)
        with pytest.raises(DiedError):
            repaging.copy(stored.database, stored._fresh, key_of(stored))
    moved(stored, before)


def test_who_has_waited_for_the_old_database_takes_the_new_one(
    stored: DeviceFolder, before: Before
) -> None:
    """It opened the file before the copy, and comes to read it after."""
    late = vault_module.connect(stored.database, key_of(stored))
    stored.open(key_of(stored)).close()
    with pytest.raises(MovedError):
        prepare(late, create=False)
    assert late.execute("SELECT count(*) FROM settings").fetchall() == [(0,)]
    late.close()
    moved(stored, before)
