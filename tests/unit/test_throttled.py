"""Devices that the administrator has stopped (storage/files/throttled.py)."""

from pathlib import Path

import pytest

from blackthorn.errors import UserError
from blackthorn.storage.files import throttled
from blackthorn.storage.files.server import ServerFolder

DEVICE = "00112233445566778899aabbccddeeff"


def test_a_device_and_a_user_are_stopped_until_the_next_start(tmp_path: Path) -> None:
    folder = ServerFolder(tmp_path)
    assert throttled.stopped(folder) == frozenset()
    assert throttled.stop(tmp_path, DEVICE.upper()) == DEVICE
    assert throttled.stop(tmp_path, "Eve@acme.example") == "eve@acme.example"
    throttled.stop(tmp_path, DEVICE)
    assert throttled.stopped(folder) == {bytes.fromhex(DEVICE), "eve@acme.example"}
    throttled.clear(folder)
    throttled.clear(folder)
    assert throttled.stopped(folder) == frozenset()


@pytest.mark.parametrize("who", ["", "0011", "eve", "zz" * 16])
def test_what_is_neither_is_refused(who: str, tmp_path: Path) -> None:
    with pytest.raises(UserError):
        throttled.stop(tmp_path, who)


def test_the_list_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(throttled, "MAX_STOPPED", 2)
    for name in ("a@acme.example", "b@acme.example", "a@acme.example"):
        throttled.stop(tmp_path, name)
    with pytest.raises(UserError, match="restart the server"):
        throttled.stop(tmp_path, "c@acme.example")
