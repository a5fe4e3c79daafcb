"""What a vault remembers of its tables is what is stored: in a life, and beside other processes."""

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.ports.device_store import ConversationRecord, Records
from blackthorn.simulation import traffic
from blackthorn.simulation.simulate import simulate
from blackthorn.storage.device import (
    directory,
    groups,
    healing,
    leaves,
    lost,
    noted,
    records,
    remembered,
)
from blackthorn.storage.device import traffic as tables
from blackthorn.storage.device.vault import Vault

ONE = ConversationRecord(b"c" * 32, "direct", "bob@acme.example", 1, "following", 0, 0, b"")


def tables_with_reads() -> list[type]:
    modules = (directory, groups, healing, leaves, lost, noted, records, tables)
    found = {one for module in modules for one in vars(module).values() if isinstance(one, type)}
    return [one for one in found if issubclass(one, records.Table)]


def checked(read: Callable[..., Any], asked: set[str]) -> Callable[..., Any]:
    @functools.wraps(read)
    def both(self: records.Table, *args: object) -> object:
        asked.add(read.__qualname__)
        found = read(self, *args)
        assert found == read.__wrapped__(self, *args), read.__qualname__  # type: ignore[attr-defined]
        return found

    return both


def test_in_a_life_each_read_is_what_is_stored(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = set[str]()
    for table in tables_with_reads():
        for name, read in vars(table).items():
            if hasattr(read, "__wrapped__"):
                monkeypatch.setattr(table, name, checked(read, asked))
    assert not simulate(traffic.schedule(3, 2)).violations
    assert len(asked) > 20


@pytest.fixture
def vaults(tmp_path: Path) -> tuple[Vault, Vault]:
    path, key = tmp_path / "vault", Secret(bytes(32))
    return Vault.open(path, key, create=True), Vault.open(path, key, create=False)


def names(store: Records) -> list[str]:
    return [record.name for record in store.conversations.all()]


def test_what_another_process_has_stored_is_read(vaults: tuple[Vault, Vault]) -> None:
    mine, other = vaults
    with mine.transaction() as store:
        assert (names(store), store.settings.get("a")) == ([], None)
    with other.transaction() as store:
        store.conversations.put(ONE)
        store.settings.put("a", b"1")
    with mine.transaction() as store:
        assert (names(store), store.settings.get("a")) == (["bob@acme.example"], b"1")


def test_what_was_undone_is_forgotten(vaults: tuple[Vault, Vault]) -> None:
    mine, _ = vaults
    with mine.transaction() as store:
        with pytest.raises(ValueError, match="undo"), store.attempt():
            store.conversations.put(ONE)
            store.settings.put("a", b"1")
            assert names(store)
            raise ValueError("undo")
        assert (names(store), store.settings.get("a")) == ([], None)
    with pytest.raises(ValueError, match="undo"), mine.transaction() as store:
        store.conversations.put(ONE)
        assert names(store)
        raise ValueError("undo")
    with mine.transaction() as store:
        assert not names(store)


def test_rows_that_go_with_others_are_forgotten(vaults: tuple[Vault, Vault]) -> None:
    mine, _ = vaults
    with mine.transaction() as store:
        store.conversations.put(ONE)
        store.groups.write(ONE.id, b"head", [], {})
        store.healing.put(ONE.id, b"state", busy=True)
        assert (store.groups.version(ONE.id), store.healing.get(ONE.id)) == (1, b"state")
        store.conversations.remove(ONE.id)
        assert (store.groups.version(ONE.id), store.healing.get(ONE.id)) == (None, None)


def test_a_changed_list_of_what_was_read_changes_nothing(vaults: tuple[Vault, Vault]) -> None:
    mine, _ = vaults
    with mine.transaction() as store:
        store.conversations.put(ONE)
        store.conversations.all().clear()
        assert names(store)


def test_no_more_is_remembered_than_the_bound(vaults: tuple[Vault, Vault]) -> None:
    mine, _ = vaults
    with mine.transaction() as store:
        for number in range(3 * remembered.MAX_READS):
            store.directory.chain(str(number))
        assert len(store.memory.reads(("chain",))) <= remembered.MAX_READS
