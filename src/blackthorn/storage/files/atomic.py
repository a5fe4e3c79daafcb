"""Small files of the programs: written whole and durable, or not at all; read bounded."""

import os
from pathlib import Path


def write_new(path: Path, data: bytes) -> None:
    """A new file (0600), durable before this returns. Raises OSError, FileExistsError among it."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    _write_durably(descriptor, path, data)


def replace(path: Path, data: bytes) -> None:
    """The file is the old one or the new one (0600), whatever happens. Raises OSError."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    _write_durably(descriptor, fresh, data)
    fresh.replace(path)
    sync_folder(path.parent)


def _write_durably(descriptor: int, path: Path, data: bytes) -> None:
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    sync_folder(path.parent)


def sync_folder(path: Path) -> None:
    """Make what was made, renamed or removed in the folder durable. Raises OSError."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
