"""Files and texts of a mail that is written."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import BinaryIO, Final

from blackthorn.errors import DiskError, UserError
from blackthorn.mail.compose import limits
from blackthorn.mail.compose.entity import File, check_size
from blackthorn.wire.printable import printable
from blackthorn.wire.units import MIB

_NAME_CHARS: Final = 120
"""Characters of a file's name in a message."""

_IN_MEMORY: Final = ("/dev/shm",)  # noqa: S108  (a folder of mode 0700 is made in it)
"""Folders that are on no disk."""


def attachments(paths: Sequence[Path]) -> list[File]:
    """The files to attach; none is read before all fit. Raises UserError, DiskError."""
    if len(paths) > limits.MAX_ATTACHED_FILES:
        raise UserError(f"a mail has at most {limits.MAX_ATTACHED_FILES} attachments")
    try:
        sizes = [_size(path) for path in paths]
    except OSError as error:
        raise DiskError(f"{_named(error.filename)} cannot be read: {error.strerror}") from None
    check_size(sum(sizes))
    return [File(path.name, _read(path)) for path in paths]


def _size(path: Path) -> int:
    found = path.stat()
    if not path.is_file():
        raise UserError(f"{_named(path)} is no file: put a folder into an archive")
    return found.st_size


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as opened:
            data = opened.read(limits.MAX_COMPOSED_BYTES + 1)
    except OSError as error:
        raise DiskError(f"{_named(path)} cannot be read: {error.strerror}") from None
    check_size(len(data))
    return data


def _named(path: object) -> str:
    text = printable(str(path))
    return text if len(text) <= _NAME_CHARS else f"{text[:_NAME_CHARS]}…"


def text_of(path: Path) -> str:
    """The text of a file. Raises UserError, DiskError."""
    try:
        with path.open("rb") as opened:
            return read_text(opened)
    except OSError as error:
        raise DiskError(f"{_named(path)} cannot be read: {error.strerror}") from None


def read_text(opened: BinaryIO) -> str:
    """A text to its end. Raises UserError: too long, not UTF-8."""
    data = opened.read(limits.MAX_TEXT_BYTES + 1)
    if len(data) > limits.MAX_TEXT_BYTES:
        most = limits.MAX_TEXT_BYTES // MIB
        raise UserError(f"the text has more than {most} MiB: attach it as a file")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise UserError("the text is not UTF-8: nothing was sent") from None


def edited(editor: Sequence[str], text: str, again: Callable[[str], bool]) -> str:
    """The text as an editor left it. Raises UserError when it cannot be used, DiskError.

    The file is only the user's, in memory where the machine has a file system there. `again` gets
    what is wrong, and says whether the person edits the same text once more.
    """
    memory = [os.environ.get("XDG_RUNTIME_DIR", ""), *_IN_MEMORY]
    place = next((folder for folder in memory if folder and os.access(folder, os.W_OK)), None)
    try:
        with tempfile.TemporaryDirectory(prefix="blackthorn-", dir=place) as folder:
            path = Path(folder) / "mail.txt"
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")
            while True:
                try:
                    return _edit(editor, path)
                except UserError as error:
                    if not again(str(error)):
                        raise
    except OSError as error:
        raise DiskError(f"the editor cannot be used: {error.strerror}") from None


def _edit(editor: Sequence[str], path: Path) -> str:
    code = subprocess.run([*editor, str(path)], check=False).returncode
    if code:
        raise UserError(f"the editor failed ({code}): nothing was sent")
    return text_of(path)
