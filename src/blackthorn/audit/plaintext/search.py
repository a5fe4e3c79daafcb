"""The searcher of the canary audit: is a marker anywhere in these bytes, in whatever form?

What is searched is first *folded*: every byte that is no ASCII letter or digit is dropped and
letters become small. One fold makes one form out of UTF-8, UTF-16, quoted-printable line
breaks, wrapped base64 and any way to separate words; so each marker needs only its plain, hex
and base64 needles, each in halves, so that a marker half overwritten or half wrapped is found.
Compressed or encrypted copies are not found; nothing here opens anything.

What never lives here: what may be where. That is `audit.plaintext.verdict`.
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
"""Folded characters in the shortest needle: one of 36^9, or 10^14, so none is found by chance."""


def fold(data: bytes) -> bytes:
    """Only the letters and digits of `data`, in small letters."""
    return data.translate(_LOWER, _DROPPED)


class ProcessGoneError(UnavailableError):
    """The process to search has ended, or never was."""


@dataclass(frozen=True, slots=True)
class Marker:
    """One planted text: a name for people, its kind, and every spelling it may appear in.

    Of a secret half is enough to be found; `whole` asks for all of it.
    """

    name: str
    kind: str
    spellings: tuple[str, ...]
    whole: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where bytes were: on a disk or in a memory, and a name for people."""

    medium: Literal["disk", "memory"]
    name: str


@dataclass(frozen=True, slots=True)
class Finding:
    """A marker was found: in which place, in which form (`plain`, `hex`, `base64`)."""

    marker: Marker
    place: Place
    form: str


def _base64_core(data: bytes, alignment: int) -> bytes:
    """What base64 makes of `data` behind `alignment` unknown bytes, less what these blur."""
    encoded = base64.b64encode(b"\0" * alignment + data)
    first = (alignment * 8 + 5) // 6
    return encoded[first : (alignment + len(data)) * 8 // 6]


def _pieces(data: bytes, whole: bool) -> list[bytes]:
    middle = len(data) // 2
    return [data] if whole else [data[:middle], data[middle:]]


def needles(marker: Marker) -> dict[bytes, str]:
    """The folded byte strings to look for, each with the name of its form.

    Raises UserError when a spelling is too short to be told from chance.
    """
    found: dict[bytes, str] = {}
    for spelling in marker.spellings:
        for piece in _pieces(spelling.encode(), marker.whole):
            forms = [("plain", piece), ("hex", piece.hex().encode())]
            forms += [("base64", _base64_core(piece, alignment)) for alignment in range(3)]
            for form, raw in forms:
                needle = fold(raw)
                if len(needle) < MIN_FRAGMENT:
                    raise UserError(
                        f"the marker {marker.name!r} is too short to search for: "
                        f"each half of it needs {MIN_FRAGMENT} letters or digits"
                    )
                found[needle] = form
    return found


class Searcher:
    """Looks for all markers at once; feed it places, then read `findings`."""

    def __init__(self, markers: Iterable[Marker]) -> None:
        self._needles = [
            (needle, marker, form) for marker in markers for needle, form in needles(marker).items()
        ]
        self._overlap = max((len(needle) for needle, _, _ in self._needles), default=1) - 1
        self.findings: set[Finding] = set()
        self.bytes_searched: dict[Place, int] = {}

    def search(self, place: Place, chunks: Iterable[bytes]) -> None:
        """Search consecutive pieces of one place; a marker across two pieces is found."""
        carried = b""
        for chunk in chunks:
            self.bytes_searched[place] = self.bytes_searched.get(place, 0) + len(chunk)
            folded = carried + fold(chunk)
            for needle, marker, form in self._needles:
                if needle in folded:
                    self.findings.add(Finding(marker, place, form))
            carried = folded[-self._overlap :] if self._overlap else b""

    def search_file(self, path: Path, name: str) -> None:
        """Search one file; one that vanished meanwhile, like a checkpointed WAL, is passed by."""
        try:
            with path.open("rb") as file:
                self.search(Place("disk", name), iter(lambda: file.read(CHUNK_BYTES), b""))
        except FileNotFoundError:
            return

    def search_tree(self, root: Path, label: str) -> None:
        """Search every regular file below `root`, and the names of all files."""
        for path in sorted(root.rglob("*")):
            name = f"{label}/{path.relative_to(root)}"
            self.search(Place("disk", "names of files"), [name.encode()])
            if path.is_file() and not path.is_symlink():
                self.search_file(path, name)

    def search_open_files(self, pid: int, label: str) -> None:
        """Search the regular files that a process holds open, above all deleted ones."""
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
        """Search all readable memory of a process.

        Raises ProcessGoneError, or UnavailableError when the system does not let us read it.
        """
        with _readable(pid), Path(f"/proc/{pid}/mem").open("rb", buffering=0) as memory:
            for start, end in _regions(pid):
                chunks = _region_chunks(memory.fileno(), start, end)
                self.search(Place("memory", name), chunks)


@contextmanager
def _readable(pid: int) -> Iterator[None]:
    """Turn what goes wrong below /proc/PID into our errors."""
    try:
        yield
    except (FileNotFoundError, ProcessLookupError):
        raise ProcessGoneError(f"there is no process {pid}") from None
    except PermissionError:
        raise UnavailableError(
            f"process {pid} may not be searched by this user; "
            "run the audit as root or as the one who started the server"
        ) from None


def _regions(pid: int) -> list[tuple[int, int]]:
    """Readable mappings, neighbours joined; the kernel's own pages ([vvar]) have no content."""
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
    """The bytes of one region; single pages that have no memory behind them are left out."""
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
    """The process ids of all children, grandchildren and so on, in order of their birth."""
    found: list[int] = []
    for listing in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = [int(child) for child in listing.read_text().split()]
        except (FileNotFoundError, ProcessLookupError):
            continue
        for child in children:
            found += [child, *descendants(child)]
    return sorted(found)
