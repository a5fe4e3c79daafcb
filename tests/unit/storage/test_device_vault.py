"""The vault: encrypted, all or nothing, shared by processes; every failure one clear line."""

import sqlite3
import stat

import apsw
import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.errors import ConflictError, DamageError, StorageError, UserError
from blackthorn.ports.device_store import HistoryRecord, UndecryptableRecord
from blackthorn.simulation.memory import memory_vault
from blackthorn.storage.device import unlock
from blackthorn.storage.device.vault import Vault, VaultRecords, migrations, prepare
from blackthorn.storage.sqlite import schema

KEY = Secret(b"\x05" * 32)
MARK = "a-mark-that-nobody-else-writes"


def line(number: int = 1, text: str = MARK) -> HistoryRecord:
    return HistoryRecord(
        message=number.to_bytes(32, "big"),
        conversation=b"c",
        kind="direct",
        name="bob@acme.example",
        sender="bob@acme.example",
        sort="text",
        text=text,
        sent_ms=1,
        received_ms=2,
        standing="received",
    )


def test_nothing_on_the_disk_can_be_read(tmp_path):
    path = tmp_path / "device.db"
    vault = Vault.open(path, KEY, create=True)
    with vault.transaction() as records:
        records.history.add(line())
        records.settings.put(MARK, MARK.encode())
    files = sorted(each.name for each in tmp_path.iterdir())
    assert files == ["device.db", "device.db-shm", "device.db-wal"]
    for each in tmp_path.iterdir():
        assert MARK.encode() not in each.read_bytes()
        assert stat.S_IMODE(each.stat().st_mode) == 0o600
    vault.close()
    assert MARK.encode() not in path.read_bytes()
    with pytest.raises(sqlite3.DatabaseError):
        sqlite3.connect(path).execute("SELECT * FROM sqlite_master").fetchall()


def test_another_key_and_a_damaged_file_end_in_one_line(tmp_path):
    path = tmp_path / "device.db"
    Vault.open(path, KEY, create=True).close()
    with pytest.raises(StorageError, match="damaged"):
        Vault.open(path, Secret(b"\x06" * 32), create=False)
    data = bytearray(path.read_bytes())
    for page in range(4096, len(data), 4096):
        data[page + 100] ^= 1
    path.write_bytes(data)
    with pytest.raises(StorageError, match="damaged"):
        vault = Vault.open(path, KEY, create=False)
        with vault.transaction() as records:
            records.history.latest(10)
            records.outbox.all()
            records.conversations.all()
    path.write_bytes(b"not a database at all" * 400)
    with pytest.raises(StorageError, match="damaged"):
        Vault.open(path, KEY, create=False)


def test_a_missing_file_is_not_made_unless_asked(tmp_path):
    with pytest.raises(StorageError):
        Vault.open(tmp_path / "device.db", KEY, create=False)
    assert not list(tmp_path.iterdir())


def test_a_transaction_that_fails_leaves_nothing(tmp_path):
    vault = Vault.open(tmp_path / "device.db", KEY, create=True)
    with pytest.raises(ZeroDivisionError), vault.transaction() as records:
        records.history.add(line())
        raise ZeroDivisionError
    with vault.transaction() as records:
        assert records.history.latest(10) == []


def test_an_attempt_that_fails_is_undone_alone():
    vault = memory_vault()
    with vault.transaction() as records:
        records.history.add(line(1))
        with pytest.raises(ZeroDivisionError), records.attempt():
            records.history.add(line(2))
            raise ZeroDivisionError
        records.history.add(line(3))
    with vault.transaction() as records:
        assert [each.message[-1] for each in records.history.latest(10)] == [1, 3]


def test_two_processes_take_turns(tmp_path):
    """The second connection sees what the first has committed, and waits for its turn."""
    one = Vault.open(tmp_path / "device.db", KEY, create=True)
    two = Vault.open(tmp_path / "device.db", KEY, create=False)
    two._connection.set_busy_timeout(50)
    with one.transaction() as records:
        records.history.add(line())
        with pytest.raises(StorageError, match="locked by another process"):
            two.transaction().__enter__()
    with two.transaction() as records:
        assert len(records.history.latest(10)) == 1


def test_a_parcel_that_is_opened_is_no_longer_set_aside():
    vault = memory_vault()
    with vault.transaction() as records:
        for reason in ("first", "second"):
            records.parcels.set_aside(UndecryptableRecord(b"d", 7, reason, 5))
        (kept,) = records.parcels.all_undecryptable()
        assert (kept.reason, kept.since_ms) == ("second", 5)
        assert not records.parcels.seen(b"d")
        records.parcels.mark_seen(b"d", 9)
        assert records.parcels.seen(b"d") and not records.parcels.all_undecryptable()
        records.parcels.forget_seen_before(10)
        assert not records.parcels.seen(b"d")


def test_envelope_keys_of_old_epochs_are_forgotten():
    from blackthorn.ports.device_store import ConversationRecord

    vault = memory_vault()
    with vault.transaction() as records:
        records.conversations.put(ConversationRecord(b"c", "group", "n", 1, "active", 0, 0, b"s"))
        for epoch in range(9):
            records.conversations.put_envelope_key(b"c", epoch, b"key")
        records.groups.forget_epochs(b"c", 3)
        assert [key[1] for key in records.conversations.envelope_keys()] == [8, 7, 6, 5, 4, 3]
        records.conversations.remove(b"c")
        assert records.conversations.envelope_keys() == []


def of_version(version):
    """The connection to a vault of that schema."""
    connection = apsw.Connection(":memory:")
    schema.migrate(connection, [one for one in migrations() if one[0] <= version])
    return connection


def test_the_sizes_of_mail_that_was_stored_before_they_were_are_known():
    connection = of_version(25)
    connection.execute("INSERT INTO letter VALUES (1, 'draft', 1, x'00', '')")
    for place, data in ((0, b"abc"), (3, b"de")):
        connection.execute("INSERT INTO letter_piece VALUES (1, 0, ?, ?)", (place, data))
    prepare(connection, create=False)
    letters = VaultRecords(connection).letters
    assert (letters.size(1, 0), letters.read(1, 0)) == (5, b"abcde")


def test_mail_that_was_listed_as_closed_before_tries_were_counted_is_tried_again():
    connection = of_version(24)
    listed = ("", "[cannot be opened: no key]"), ("", "hi"), ("eve", "[cannot be opened: no key]")
    for uid, (sender, subject) in enumerate(listed):
        mail = (uid, sender, subject)
        connection.execute("INSERT INTO mail VALUES (?, 1, 1, ?, ?, '', 1, 0)", mail)
    prepare(connection, create=False)
    assert [one.tried for one in VaultRecords(connection).mail.all()] == [1, 0, 0]


def test_a_passphrase_unlocks_and_another_does_not(tmp_path):
    path, key = tmp_path / "unlock.json", Secret(bytes(range(32)))
    unlock.write_private(path, unlock.lock_for("passphrase", Secret(b"correct horse"), key))
    lock = unlock.read(path)
    assert unlock.unlock(lock, Secret(b"correct horse")) == key
    with pytest.raises(unlock.WrongKeyError, match="not the passphrase"):
        unlock.unlock(lock, Secret(b"battery staple"))
    assert b"horse" not in path.read_bytes() and key.expose() not in path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    with pytest.raises(ConflictError, match="exists already"):
        unlock.write_private(path, b"another")
    lock.sealed = bytes([lock.sealed[0] ^ 1]) + lock.sealed[1:]
    with pytest.raises(DamageError, match="json is damaged"):
        unlock.unlock(lock, Secret(b"correct horse"))


def test_a_key_file_unlocks_and_must_be_the_owners_alone(tmp_path):
    file, side = tmp_path / "key", tmp_path / "unlock.json"
    made = unlock.make_key_file(file)
    assert len(made) == 32 and stat.S_IMODE(file.stat().st_mode) == 0o600
    assert unlock.read_key_file(file) == made
    key = Secret(bytes(range(32)))
    unlock.write_private(side, unlock.lock_for("key-file", made, key))
    assert key != made and unlock.unlock(unlock.read(side), made) == key
    with pytest.raises(unlock.WrongKeyError, match="not the key file"):
        unlock.unlock(unlock.read(side), KEY)
    file.chmod(0o644)
    with pytest.raises(UserError, match="chmod 600"):
        unlock.read_key_file(file)
    file.write_bytes(b"short")
    with pytest.raises(UserError, match="5 bytes, not 32"):
        unlock.read_key_file(file)
    with pytest.raises(UserError, match="cannot be read"):
        unlock.read_key_file(tmp_path / "missing")


@pytest.mark.parametrize("data", [b"", b"{}", b'{"version": 1}', b"[]", b"\xff", b"null"])
def test_a_damaged_side_file_ends_in_one_line(tmp_path, data):
    path = tmp_path / "unlock.json"
    path.write_bytes(data)
    with pytest.raises(StorageError, match="missing or damaged"):
        unlock.read(path)
