"""A witness's anchor: the largest size it has cosigned of each log, in its own file.

It only rises, and is durable before a signature is sent. A database behind its anchor was restored
from a backup; signing from it could sign a fork.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from blackthorn.errors import ConflictError, DiskError, SecurityError
from blackthorn.storage.files import atomic
from blackthorn.tlog.checkpoint import Checkpoint, parse_checkpoint

_TITLE: Final = "blackthorn witness anchor 1"


@dataclass(frozen=True, slots=True)
class Mark:
    """The largest cosigned checkpoint of one log, and the Unix time of its last cosignature."""

    checkpoint: Checkpoint
    at_s: int


class Anchor:
    """The file at `path` and its marks by origin."""

    def __init__(self, path: Path, marks: dict[str, Mark]) -> None:
        self._path: Final = path
        self._marks = marks

    @classmethod
    def create(cls, path: Path) -> "Anchor":
        """A new, empty, durable anchor. Raises ConflictError when the file exists."""
        if path.exists():
            raise ConflictError(f"{path} exists already")
        anchor = cls(path, {})
        anchor._write()
        return anchor

    @classmethod
    def open(cls, path: Path) -> "Anchor":
        """Read the file. Raises SecurityError when it is missing or damaged."""
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
            if lines[0] != _TITLE or lines[-1] != f"end {len(lines) - 2}":
                raise ValueError("not as it was written")
            marks = [_parse(line) for line in lines[1:-1]]
        except FileNotFoundError:
            raise SecurityError(f"{path} is missing: what this witness signed is unknown") from None
        except OSError as error:
            raise DiskError(f"{path} cannot be read: {error.strerror}") from None
        except (ValueError, SecurityError):
            raise SecurityError(f"{path} is damaged: what this witness signed is unknown") from None
        return cls(path, {mark.checkpoint.origin: mark for mark in marks})

    @property
    def marks(self) -> list[Mark]:
        return list(self._marks.values())

    @property
    def newest_s(self) -> int:
        """Unix time of the last cosignature, 0 before the first."""
        return max((mark.at_s for mark in self._marks.values()), default=0)

    def of(self, origin: str) -> Mark | None:
        return self._marks.get(origin)

    def rise(self, checkpoint: Checkpoint, at_s: int) -> None:
        """Store this checkpoint durably unless a larger one is stored. Raises DiskError."""
        held = self._marks.get(checkpoint.origin)
        if held is not None:
            if held.checkpoint.size > checkpoint.size:
                return
            at_s = max(held.at_s, at_s)
        before = dict(self._marks)
        self._marks[checkpoint.origin] = Mark(checkpoint, at_s)
        try:
            self._write()
        except OSError as error:
            self._marks = before
            raise DiskError(f"{self._path} cannot be written: {error.strerror}") from None

    def _write(self) -> None:
        marks = sorted(self._marks.items())
        lines = [_TITLE]
        for _, mark in marks:
            origin, size, root = mark.checkpoint.text.splitlines()
            lines.append(f"{mark.at_s} {size} {root} {origin}")
        atomic.replace(self._path, "\n".join([*lines, f"end {len(marks)}"]).encode())


def _parse(line: str) -> Mark:
    at_s, size, root, origin = line.split(" ")
    return Mark(parse_checkpoint(f"{origin}\n{size}\n{root}\n"), int(at_s))
