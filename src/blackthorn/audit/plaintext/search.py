"""Searches bytes for markers in any encoding, for the plaintext audit.

Input is *folded*: only ASCII letters and digits, in lower case. Folding unifies UTF-8, UTF-16,
quoted-printable line breaks, wrapped base64 and separators, so each marker needs only plain, hex
and base64 needles, in halves to find partly overwritten copies. Compressed and encrypted copies are
not found. `audit.plaintext.verdict` says what is allowed where.
"""

import base64
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

from blackthorn.errors import UnavailableError, UserError

_KEPT = b"0123456789abcdefghijklmnopqrstuvwxyz"
_LOWER = bytes(range(256)).lower()
_DROPPED = bytes(byte for byte in range(256) if byte not in _KEPT + _KEPT.upper())

CHUNK_BYTES = 8 * 1024 * 1024
PAGE_BYTES = 4096
MIN_FRAGMENT = 9
"""Folded characters of the shortest needle: 36^9 (10^14) values exclude chance."""


def fold(data: bytes) -> bytes:
    """The letters and digits of `data`, in lower case."""
    return data.translate(_LOWER, _DROPPED)


class ProcessGoneError(UnavailableError):
    """The process does not exist."""


@dataclass(frozen=True, slots=True)
class Marker:
    """A planted text: a name for people, its kind, and its spellings.

    Half of a secret counts as found; `whole` requires all of it.
    """

    name: str
    kind: str
    spellings: tuple[str, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Disk or memory, and a name for people."""

    medium: Literal["disk", "memory"]
    name: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A marker, its place, and its form (`plain`, `hex`, `base64`)."""

    marker: Marker
    place: Place
    form: str


def _base64_core(data: bytes, alignment: int) -> bytes:
    """The base64 of `data` behind `alignment` unknown bytes, without the ambiguous ends."""
    encoded = base64.b64encode(b"\0" * alignment + data)
    first = (alignment * 8 + 5) // 6
    return encoded[first : (alignment + len(data)) * 8 // 6]


def _pieces(data: bytes, whole: bool) -> list[bytes]:
    middle = len(data) // 2
    return [data] if whole else [data[:middle], data[middle:]]


def needles(marker: Marker) -> dict[bytes, str]:
    """The folded needles of a marker, each with its form.

    Raises UserError for a spelling so short that chance would match it.
    """
    found: dict[bytes, str] = {}
    for spelling in marker.spellings:
        for piece in _pieces(spelling.encode(), marker.whole):
            forms = [("plain", piece), ("hex", piece.hex().encode())]
            forms += [("base64", _base64_core(piece, alignment)) for alignment in range(3)]
            for form, raw in forms:
                needle = fold(raw)
                if len(needle) < MIN_FRAGMENT:
                    text = f"each half needs {MIN_FRAGMENT} letters or digits"
                    raise UserError(f"the marker {marker.name!r} is too short: {text}")
                found[needle] = form
    return found


class Searcher:
    """Searches for all markers at once; collects `findings`."""

    def __init__(self, markers: Iterable[Marker]) -> None:
        self._needles = [
            (needle, marker, form) for marker in markers for needle, form in needles(marker).items()
        ]
        self._overlap = max((len(needle) for needle, _, _ in self._needles), default=1) - 1
        self.findings: set[Finding] = set()
        self.bytes_searched: dict[Place, int] = {}

    def search(self, place: Place, chunks: Iterable[bytes]) -> None:
        """Search consecutive pieces of one place, across their edges."""
        carried = b""
        for chunk in chunks:
            self.bytes_searched[place] = self.bytes_searched.get(place, 0) + len(chunk)
            folded = carried + fold(chunk)
            for needle, marker, form in self._needles:
                if needle in folded:
                    self.findings.add(Finding(marker, place, form))
            carried = folded[-self._overlap :] if self._overlap else b""

    def search_file(self, path: Path, name: str) -> None:
        """Search one file; a vanished one, like a checkpointed WAL, is skipped."""
        try:
            with path.open("rb") as file:
                self.search(Place("disk", name), iter(lambda: file.read(CHUNK_BYTES), b""))
        except FileNotFoundError:
            return

    def search_tree(self, root: Path, label: str) -> None:
        """Search every regular file below `root`, and all file names."""
        for path in sorted(root.rglob("*")):
            name = f"{label}/{path.relative_to(root)}"
            self.search(Place("disk", "names of files"), [name.encode()])
            if path.is_file() and not path.is_symlink():
                self.search_file(path, name)

    def search_open_files(self, pid: int, label: str) -> None:
        """Search deleted regular files that a process holds open."""
        with _readable(pid):
            links = sorted(Path(f"/proc/{pid}/fd").iterdir())
        for link in links:
            try:
                target = str(link.readlink())
            except FileNotFoundError:
                continue
            if target.endswith(" (deleted)") and link.is_file():
                self.search_file(link, f"{label}: open file {target}")

    def search_memory(self, pid: int, name: str) -> None:
        """Search a process's readable memory. Raises ProcessGoneError, UnavailableError."""
        with _readable(pid), Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for start, end in _regions(pid):
                chunks = _region_chunks(memory.fileno(), start, end)
                self.search(Place("memory", name), chunks)


@contextmanager
def _readable(pid: int) -> Iterator[None]:
    """Translate errors below /proc/PID."""
    try:
        yield
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGoneError(f"there is no process {pid}") from None
    except PermissionError:
        text = f"no permission to search process {pid}: run the audit as root or the server's user"
        raise UnavailableError(text) from None


def _regions(pid: int) -> list[tuple[int, int]]:
    """Readable mappings, adjacent ones joined, without the kernel's own ([vvar])."""
    regions: list[tuple[int, int]] = []
    for line in Path(f"/proc/{pid}/maps").read_text().splitlines():
        span, permissions, *rest = line.split(maxsplit=5)
        if not permissions.startswith("r") or (len(rest) == 4 and rest[3].startswith("[v")):
            continue
        start, end = (int(part, 16) for part in span.split("-"))
        if regions and regions[-1][1] == start:
            regions[-1] = (regions[-1][0], end)
        else:
            regions.append((start, end))
    return regions


def _region_chunks(descriptor: int, start: int, end: int) -> Iterator[bytes]:
    """The bytes of a region without unmapped pages."""
    edges = [*range(start, end, CHUNK_BYTES), end]
    for low, high in pairwise(edges):
        try:
            chunk = os.pread(descriptor, high - low, low)
        except OSError:
            chunk = b""
        yield chunk
        for page in range(low + len(chunk), high, PAGE_BYTES):
            try:
                yield os.pread(descriptor, min(PAGE_BYTES, high - page), page)
            except OSError:
                continue


def descendants(pid: int) -> list[int]:
    """The ids of all descendant processes, in ascending order."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in listing.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += [child, *descendants(child)]
    return sorted(found)
