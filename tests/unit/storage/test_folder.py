"""A folder has one holder at a time, and is made whole or not at all."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from blackthorn.errors import ConflictError, UserError
from blackthorn.storage.files import atomic
from blackthorn.storage.files.folder import Folder, FolderLock, new_folder
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.files.witness import WitnessFolder

KILLED = """
import os, signal, sys
from pathlib import Path
from blackthorn.storage.files import atomic
from blackthorn.storage.files.folder import new_folder
with new_folder(Path(sys.argv[1]), "last") as stage:
    atomic.write_new(stage / "first", b"1")
    (stage / "below").mkdir()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def fill(path: Path) -> None:
    with new_folder(path, "last") as stage:
        (stage / "below").mkdir()
        (stage / "below" / "file").write_bytes(b"x")
        atomic.write_new(stage / "last", b"1")
        atomic.write_new(stage / "first", b"2")


def names(path: Path) -> list[str]:
    return sorted(str(each.relative_to(path)) for each in path.rglob("*"))


@pytest.mark.parametrize("kind", [ServerFolder, WitnessFolder])
def test_a_folder_has_one_holder(tmp_path: Path, kind: type[Folder]) -> None:
    lock = kind(tmp_path).lock()
    with pytest.raises(UserError, match=f"{kind.HOLDER} is running on .* already"):
        kind(tmp_path).lock()
    lock.release()
    kind(tmp_path).lock().release()


def test_a_folder_that_was_renamed_under_the_lock_is_not_held(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    opened = os.open

    def open_and_move(name: Path, flags: int) -> int:
        descriptor = opened(name, flags)
        path.rename(tmp_path / "moved")
        path.mkdir()
        return descriptor

    monkeypatch.setattr(os, "open", open_and_move)
    with pytest.raises(ConflictError):
        FolderLock(path)


def test_what_is_made_is_private_and_whole(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    previous = os.umask(0)
    try:
        fill(path)
    finally:
        os.umask(previous)
    assert names(path) == ["below", "below/file", "first", "last"]
    for each in (path, *path.rglob("*")):
        assert each.stat().st_mode & 0o777 == (0o700 if each.is_dir() else 0o600), each
    with pytest.raises(UserError, match="is not empty: nothing was changed"):
        fill(path)


def test_the_last_file_is_moved_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moved: list[str] = []
    rename = atomic.rename

    def note(source: Path, target: Path) -> None:
        moved.append(target.name)
        rename(source, target)

    monkeypatch.setattr(atomic, "rename", note)
    fill(tmp_path / "folder")
    assert moved[-1] == "last" and len(moved) == 3


def test_a_creation_that_was_killed_is_cleared_by_the_next(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    killed = subprocess.run([sys.executable, "-c", KILLED, str(path)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert not (path / "first").exists(), "nothing stands in the folder itself"
    fill(path)
    assert names(path) == ["below", "below/file", "first", "last"]


def test_a_creation_that_fails_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with pytest.raises(OSError, match="full"), new_folder(path, "last") as stage:
        atomic.write_new(stage / "first", b"1")
        raise OSError("full")
    assert names(path) == []
    fill(path)


def test_two_do_not_make_one_folder(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    with new_folder(path, "last") as stage:
        with pytest.raises(ConflictError):
            fill(path)
        atomic.write_new(stage / "last", b"1")
    assert names(path) == ["last"]


def test_what_is_not_ours_is_never_removed(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    (path / ".unfinished").mkdir(parents=True)
    (path / "mine").write_bytes(b"precious")
    with pytest.raises(UserError, match="is not empty"):
        fill(path)
    assert (path / "mine").read_bytes() == b"precious"


def test_a_folder_in_use_is_told_from_one_that_is_being_made(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    fill(path)
    with (
        FolderLock(path),
        pytest.raises(UserError, match=r"a server is running on .* already: nothing was changed"),
        new_folder(path, "last", "a server"),
    ):
        pass
