"""Folders of files: one process locks a folder, and its creation is staged.

Folders are 0700, files 0600. The last file of a creation marks the folder complete; a killed
creation leaves a subfolder `.unfinished`, which the next one removes.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Final, Self

from blackthorn.errors import ConflictError, UserError
from blackthorn.storage.files import atomic

_STAGE: Final = ".unfinished"


class FolderLock:
    """An exclusive lock on a folder until it is released or the process ends."""

    def __init__(self, path: Path) -> None:
        """Raises ConflictError when it is locked already, OSError."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self._descriptor), path.stat()):
                raise BlockingIOError  # the previous holder has renamed the folder
        except (BlockingIOError, FileNotFoundError):
            self.release()
            raise ConflictError(f"another process holds {path}") from None

    def release(self) -> None:
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.release()


class Folder:
    """The paths below one folder. A subclass names its files and its `HOLDER`."""

    HOLDER: ClassVar[str] = "a process"

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def lock(self) -> FolderLock:
        """Lock the folder for this process. Raises UserError when another has it."""
        try:
            return FolderLock(self.path)
        except ConflictError:
            raise UserError(f"{self.HOLDER} is running on {self.path} already") from None


def make_folder(path: Path) -> None:
    """Create the folder (0700) and its parents if missing. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def new_folder(path: Path, last: str, holder: str = Folder.HOLDER) -> Iterator[Path]:
    """Fill a new folder: the block writes below the path that it gets, `last` among the files.

    Then all files are moved into the folder, `last` at the end. The folder may exist if it is
    empty. Raises UserError when it is not, also when its `holder` is running on it, ConflictError
    when another process is creating it, OSError. If the block raises, nothing is left behind.
    """
    make_folder(path)
    try:
        lock = FolderLock(path)
    except ConflictError:
        if (path / last).exists():
            raise UserError(f"{holder} is running on {path} already: nothing was changed") from None
        raise
    with lock:
        stage = path / _STAGE
        if {each.name for each in path.iterdir()} == {_STAGE}:
            shutil.rmtree(stage)
        if any(path.iterdir()):
            raise UserError(f"{path} is not empty: nothing was changed; name a new folder")
        path.chmod(0o700)
        stage.mkdir(mode=0o700)
        try:
            yield stage
            for below in stage.rglob("*"):
                below.chmod(0o700 if below.is_dir() else 0o600)
            for file in sorted(stage.iterdir(), key=lambda each: each.name == last):
                atomic.rename(file, path / file.name)
            stage.rmdir()
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise
