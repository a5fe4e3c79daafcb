"""Durable files: written, replaced and renamed as a whole or not at all, whatever ends the process.

The only module that renames or syncs files. Every function raises OSError.
"""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


def write_new(path: Path, data: bytes) -> None:
    """Write a new file (0600). Raises FileExistsError."""
    with new_file(path) as file:
        file.write(data)


def link_new(path: Path, data: bytes) -> None:
    """As `write_new`; the file has its name only once complete. Needs hard links."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_new(temporary, data)
        os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
        sync_folder(path.parent)


def replace(path: Path, data: bytes, mode: int = 0o600) -> None:
    """Write the file: readers see the old one or the new one."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with new_file(fresh, mode) as file:
        file.write(data)
    rename(fresh, path)


@contextmanager
def new_file(path: Path, mode: int = 0o600) -> Iterator[BinaryIO]:
    """A new file, durable at the end of the block; removed if the block fails."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            _sync(file)
        sync_folder(path.parent)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def existing_file(path: Path) -> Iterator[BinaryIO]:
    """A file to change in place, durable at the end of the block."""
    with path.open("r+b") as file:
        yield file
        _sync(file)


def rename(source: Path, target: Path) -> None:
    """Rename a file or folder, replacing a file at `target`."""
    source.replace(target)
    sync_folder(target.parent)
    if source.parent != target.parent:
        sync_folder(source.parent)


def sync_folder(path: Path) -> None:
    """Make creations, renames and removals in the folder durable."""
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _sync(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())
