"""The folder of key files: made once, never overwritten, destroyed for ever."""

import json
import os
import secrets
from pathlib import Path

import pytest

from blackthorn.crypto import market_wrap
from blackthorn.errors import StorageError, UserError
from blackthorn.storage.files import atomic, market_keys
from blackthorn.storage.files.market_keys import KeyFolder, check_language, check_market


@pytest.fixture
def folder(tmp_path: Path) -> KeyFolder:
    return KeyFolder(tmp_path / "keys")


def test_a_key_is_made_once_and_read_by_others(folder: KeyFolder) -> None:
    print_of = folder.create("PK", secrets.token_bytes)
    value = (folder.path / "PK.key").read_bytes()
    assert (folder.path / "PK.key").stat().st_mode & 0o777 == 0o600
    assert folder.path.stat().st_mode & 0o777 == 0o700
    assert folder.create("PK", secrets.token_bytes) == print_of
    assert (folder.path / "PK.key").read_bytes() == value
    assert [each.name for each in folder.path.iterdir()] == ["PK.key"]
    other = KeyFolder(folder.path)
    key = other.key("PK")
    assert key is not None and key.expose() == value
    assert other.load() == {"PK": print_of} and market_wrap.fingerprint(key) == print_of


def test_a_key_made_by_another_process_is_found_when_needed(folder: KeyFolder) -> None:
    with pytest.raises(StorageError, match=r"PK\.key, the key of market PK, cannot be read"):
        folder.key("PK")
    KeyFolder(folder.path).create("PK", secrets.token_bytes)
    assert folder.key("PK") is not None


def test_a_destroyed_key_is_gone_for_ever(folder: KeyFolder) -> None:
    print_of = folder.create("PK", secrets.token_bytes)
    folder.create("DE", secrets.token_bytes)
    stone = folder.destroy("PK", 1_451_433_600_000)
    assert stone.fingerprint == print_of and stone.destroyed_ms == 1_451_433_600_000
    assert folder.destroy("PK", 9) == stone, "again it changes nothing"
    for each in (folder, KeyFolder(folder.path)):
        assert each.key("PK") is None and each.key("DE") is not None
        assert each.fingerprint("PK") == print_of
        assert set(each.load()) == {"DE"}
        with pytest.raises(UserError, match="market PK was destroyed"):
            each.create("PK", secrets.token_bytes)
    names = {each.name for each in folder.path.iterdir()}
    assert names == {"PK.destroyed", "DE.key"}


def test_the_bytes_are_overwritten_before_the_file_goes(
    folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.create("PK", secrets.token_bytes)
    value = (folder.path / "PK.key").read_bytes()
    os.link(folder.path / "PK.key", folder.path / "witness")
    folder.destroy("PK", 1)
    left = (folder.path / "witness").read_bytes()
    assert len(left) == 32 and left != value


def test_a_destruction_that_was_interrupted_is_finished(
    folder: KeyFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    print_of = folder.create("PK", secrets.token_bytes)

    def fails(path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(atomic, "existing_file", fails)
    with pytest.raises(StorageError, match="cannot be destroyed"):
        folder.destroy("PK", 5)
    assert (folder.path / "PK.key").exists()
    assert folder.key("PK") is None, "the tombstone wins"
    monkeypatch.undo()
    again = KeyFolder(folder.path)
    assert again.destroy("PK", 6) == market_keys.Tombstone(print_of, 5)
    assert not (folder.path / "PK.key").exists()


@pytest.mark.parametrize("damage", [b"", b"{}", b"\xff", b'{"fingerprint": 1}'])
def test_a_damaged_tombstone_is_not_taken_for_none(folder: KeyFolder, damage: bytes) -> None:
    folder.create("PK", secrets.token_bytes)
    (folder.path / "PK.destroyed").write_bytes(damage)
    with pytest.raises(StorageError, match=r"PK\.destroyed cannot be read"):
        KeyFolder(folder.path).key("PK")


def test_a_key_of_another_length_is_refused(folder: KeyFolder) -> None:
    folder.path.mkdir()
    (folder.path / "PK.key").write_bytes(bytes(31))
    with pytest.raises(StorageError, match="31 bytes, not 32"):
        folder.key("PK")


def test_a_tombstone_holds_no_key(folder: KeyFolder) -> None:
    folder.create("PK", secrets.token_bytes)
    value = (folder.path / "PK.key").read_bytes()
    folder.destroy("PK", 7)
    text = (folder.path / "PK.destroyed").read_bytes()
    assert set(json.loads(text)) == {"fingerprint", "destroyed_ms"}
    assert value.hex().encode() not in text


def test_markets_and_languages() -> None:
    assert check_market("pk") == "PK" and check_market("ZZ") == "ZZ"
    for bad in ("", "P", "PAK", "QQ", "*", "../x", "P\u00e4", "\u0130T"):
        with pytest.raises(UserError, match="is not a market"):
            check_market(bad)
    assert check_language("ur") == "ur"
    for bad in ("", "UR", "en-GB", "x" * 9, "ur\n"):
        with pytest.raises(UserError, match="is not a language"):
            check_language(bad)
