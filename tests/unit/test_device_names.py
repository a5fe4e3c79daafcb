"""The default name of a device: the host's, and another one for each further home on it."""

import socket
from pathlib import Path

import pytest

from blackthorn.cli import options
from blackthorn.wire.limits import MAX_DEVICE_NAME_CHARACTERS


def test_two_devices_of_one_host_have_different_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(socket, "gethostname", lambda: "laptop\x1b")
    usual = options.device_name(None, options.DEFAULT_HOME)
    assert usual == options.device_name(None, tmp_path / ".blackthorn") == "laptop"
    second, third = (options.device_name(None, tmp_path / name) for name in ("two", "three"))
    assert len({usual, second, third}) == 3 and second.startswith("laptop-")
    assert options.device_name(None, tmp_path / "x" / ".." / "two") == second, "for every attempt"
    assert options.device_name("phone", tmp_path / "two") == "phone"
    monkeypatch.setattr(socket, "gethostname", lambda: "x" * 500)
    long = options.device_name(None, tmp_path / "two")
    assert len(long) == MAX_DEVICE_NAME_CHARACTERS and long.endswith(second[-5:])
