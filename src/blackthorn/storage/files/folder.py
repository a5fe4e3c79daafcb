"""A folder of files that belong together: one process holds it, and its creation is staged.

Folders are 0700, files 0600. The last file of a creation is what says that the folder is whole:
a creation that was killed leaves a subfolder `.unfinished`, which the next one clears.
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
    """An exclusive lock on a folder, held until it is released or the process ends."""

    def __init__(self, path: Path) -> None:
        """Raises ConflictError when it is held already, OSError."""
        self._descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not os.path.samestat(os.fstat(self._descriptor), path.stat()):
                raise BlockingIOError  # the one who held it has renamed the folder meanwhile
        except (BlockingIOError, FileNotFoundError):
            self.release()
            raise ConflictError(f"another process holds {path}") from None

    def release(self) -> None:
        """Let others take it."""
        os.close(self._descriptor)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *failure: object) -> None:
        self.release()


class Folder:
    """The paths below one folder. A subclass names its files, and who holds it."""

    HOLDER: ClassVar[str] = "a process"

    def __init__(self, path: Path) -> None:
        self.path: Final = path

    def lock(self) -> FolderLock:
        """Hold the folder for this process alone. Raises UserError when another one does."""
        try:
            return FolderLock(self.path)
        except ConflictError:
            raise UserError(f"{self.HOLDER} is running on {self.path} already") from None


def make_folder(path: Path) -> None:
    """Make the folder (0700) and its parents unless it is there. Raises OSError."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)


@contextmanager
def new_folder(path: Path, last: str) -> Iterator[Path]:
    """Fill a new folder: the block writes below the path that it gets, `last` among the files.

    At its end everything is moved into the folder, `last` at last. The folder may exist if it is
    empty. Raises UserError when it is not, ConflictError when another process is making it,
    OSError. Whatever the block raises, nothing is left in the folder.
    """
    make_folder(path)
    with FolderLock(path):
        stage = path / _STAGE
        if {each.name for each in path.iterdir()} == {_STAGE}:
            shutil.rmtree(stage)
        if any(path.iterdir()):
            raise UserError(f"{path} is not empty: nothing was changed")
        path.chmod(0o700)
        stage.mkdir(mode=0o700)
        try:
            yield stage
            _make_private(stage)
            for file in sorted(stage.iterdir(), key=lambda each: each.name == last):
                atomic.rename(file, path / file.name)
            stage.rmdir()
        except BaseException:
            shutil.rmtree(stage, ignore_errors=True)
            raise


def _make_private(folder: Path) -> None:
    """Nobody but the owner may read what is below the folder."""
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)
