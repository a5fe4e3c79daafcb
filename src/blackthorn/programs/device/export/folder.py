"""The folder of an export: written under another name and renamed when it is complete.

FOLDER.partial is never an export. The next run clears a partial folder of a killed process; a lock
keeps concurrent runs apart. Files are 0600, folders 0700.
"""

import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, Self

from blackthorn.device.export.manifest import SIGNATURE
from blackthorn.errors import DiskError, UserError, system_error
from blackthorn.storage.files import atomic

_MARKER: Final = ".blackthorn-export-unfinished"


class FolderSink:
    """`export.ExportSink` on disk. The block's end renames the folder; an error removes it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.partial = folder.with_name(folder.name + ".partial")
        self._lock = -1

    def __enter__(self) -> Self:
        """Raises UserError when the folder exists, DiskError."""
        if os.path.lexists(self.folder):
            raise UserError(f"{self.folder} exists already: choose a new folder")
        with system_error(DiskError, f"{self.partial} cannot be made"):
            self._begin()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        except OSError as error:
            self._clear()
            raise DiskError(f"{self.folder} cannot be made: {error.strerror}") from None
        finally:
            if kind is not None:
                self._clear()
            os.close(self._lock)

    def _begin(self) -> None:
        foreign = UserError(f"{self.partial} is no unfinished export: move it away")
        if os.path.lexists(self.partial) and (
            self.partial.is_symlink() or not self.partial.is_dir()
        ):
            raise foreign
        self.partial.mkdir(mode=0o700, exist_ok=True)
        self._lock = os.open(self.partial, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            self._take_lock()
            if not self._ours():
                raise foreign
            self.partial.chmod(0o700)
            (self.partial / _MARKER).touch(0o600)
            self._empty()
        except BaseException:
            os.close(self._lock)
            raise

    def _take_lock(self) -> None:
        """Lock the folder itself, which must still have that name."""
        busy = UserError(f"another export is writing {self.partial}")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            same = os.path.samestat(os.fstat(self._lock), self.partial.stat())
        except (BlockingIOError, FileNotFoundError):
            raise busy from None
        if not same:
            raise busy

    def _ours(self) -> bool:
        """Whether it is an unfinished export: marked, empty, or signed but not renamed."""
        names = [path.name for path in self.partial.iterdir()]
        return not names or _MARKER in names or SIGNATURE in names

    def _empty(self) -> None:
        for entry in list(self.partial.iterdir()):
            if entry.is_dir() and not entry.is_symlink():
                shutil.rmtree(entry)
            elif entry.name != _MARKER:
                entry.unlink()

    def _finish(self) -> None:
        os.sync()  # of ten thousand files one by one would take minutes
        (self.partial / _MARKER).unlink()
        atomic.sync_folder(self.partial)
        atomic.rename(self.partial, self.folder)

    def _clear(self) -> None:
        shutil.rmtree(self.partial, ignore_errors=True)

    @contextmanager
    def create(self, path: str) -> Iterator[IO[bytes]]:
        """Create a file. Raises DiskError."""
        place = self.partial / path
        with system_error(DiskError, f"{place} cannot be written"):
            place.parent.mkdir(mode=0o700, exist_ok=True)
            descriptor = os.open(place, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                yield file
