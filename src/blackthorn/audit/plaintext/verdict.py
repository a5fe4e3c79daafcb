"""Judges the plaintext audit: which markers may be where.

Markers are planted through real devices; then all that the server wrote and its memory is searched.
Messages, group names, passphrases, activation codes and sealed mail must be nowhere. Plain mail,
from outside or of a mail program, must not be on disk; its traces in memory are shown only. Public
markers must be found in both, else the audit is blind and fails. `demo.markers` plants,
`audit.plaintext.search` searches.
"""

import base64
import json
import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from blackthorn.audit.plaintext import search
from blackthorn.audit.plaintext.search import Finding, Marker
from blackthorn.errors import UserError


class Rule(Enum):
    """Where a marker may be."""

    NOWHERE = "nowhere"
    NOT_ON_DISK = "not on disk"
    EVERYWHERE = "on disk and in memory"


_NOWHERE = ("message", "group name", "passphrase", "activation code", "sealed mail")
KINDS: dict[str, Rule] = {
    **dict.fromkeys(_NOWHERE, Rule.NOWHERE),
    **dict.fromkeys(
        ("mail body", "mail subject", "attachment name", "refused mail"), Rule.NOT_ON_DISK
    ),
    "public": Rule.EVERYWHERE,
}


def mint(name: str, kind: str) -> Marker:
    """A new marker of 24 random letters and digits, the first a letter."""
    text = base64.b32encode(secrets.token_bytes(15)).decode().lower()
    return Marker(name, kind, ("c" + text[1:],), whole=KINDS[kind] is Rule.EVERYWHERE)


def public_marker(name: str, text: str) -> Marker:
    """A marker for data that the server holds: all of it must be found."""
    return Marker(name, "public", (text,), whole=True)


def code_marker(name: str, code: str) -> Marker:
    """An activation code's words, without the nameplate, which the server knows."""
    words = code.replace("-", " ").split()[1:]
    joined = {separator.join(words) for separator in ("-", " ", "")}
    spellings = joined | {spelling.lower() for spelling in joined}
    return Marker(name, "activation code", tuple(sorted(spellings)))


def read_markers(path: Path) -> list[Marker]:
    """Markers from a file of JSON lines: `name`, `kind`, `text`. Raises UserError."""
    markers: list[Marker] = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            fields = json.loads(line)
            name, kind, text = (str(fields[key]) for key in ("name", "kind", "text"))
            markers.append(Marker(name, kind, (text,), whole=kind == "public"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        text = "expected one JSON object a line with name, kind and text"
        raise UserError(f"{path}: {text} ({error})") from None
    if unknown := {marker.kind for marker in markers} - set(KINDS):
        raise UserError(f"{path}: unknown kinds {sorted(unknown)}; known are {', '.join(KINDS)}")
    if not any(KINDS[marker.kind] is Rule.EVERYWHERE for marker in markers):
        raise UserError(f"{path}: needs a marker of kind 'public', to prove that the search sees")
    return markers


@dataclass(frozen=True, slots=True)
class Verdict:
    """Where a marker was found, and whether that breaks its rule."""

    name: str
    kind: str
    rule: str
    disk: tuple[str, ...]
    memory: tuple[str, ...]
    broken: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The outcome of the searches."""

    verdicts: tuple[Verdict, ...]
    disk_bytes: int
    memory_bytes: int
    processes: int

    @property
    def planted(self) -> int:
        """Number of secrets, without public markers."""
        return sum(verdict.kind != "public" for verdict in self.verdicts)

    @property
    def found(self) -> int:
        """Number of secrets in forbidden places."""
        return sum(verdict.broken and verdict.kind != "public" for verdict in self.verdicts)

    @property
    def sees(self) -> bool:
        """Whether every public marker was found, without which nothing is proved."""
        controls = [verdict for verdict in self.verdicts if verdict.kind == "public"]
        return bool(controls) and not any(verdict.broken for verdict in controls)

    @property
    def clean(self) -> bool:
        return self.sees and self.found == 0


def _judge(marker: Marker, findings: Sequence[Finding]) -> Verdict:
    places = {finding.place: finding.form for finding in findings if finding.marker == marker}
    disk, memory = (
        tuple(sorted(f"{at.name} ({form})" for at, form in places.items() if at.medium == medium))
        for medium in ("disk", "memory")
    )
    rule = KINDS[marker.kind]
    broken = {
        Rule.NOWHERE: bool(places),
        Rule.NOT_ON_DISK: bool(disk),
        Rule.EVERYWHERE: not (disk and memory),
    }[rule]
    return Verdict(marker.name, marker.kind, rule.value, disk, memory, broken)


class Audit:
    """Searches one server for markers, repeatedly, and judges all results."""

    def __init__(self, written: Sequence[Path]) -> None:
        """`written` are the files and folders with every byte the server writes."""
        self._written = written
        self._findings: list[Finding] = []
        self._markers: dict[str, Marker] = {}
        self._disk_bytes = self._memory_bytes = self._processes = 0

    def search(self, pid: int, markers: Sequence[Marker]) -> None:
        """Search disk and memory now, worker processes included.

        Raises ProcessGoneError, or UnavailableError for unreadable memory.
        """
        searcher = search.Searcher(markers)
        for path in self._written:
            if path.is_dir():
                searcher.search_tree(path, path.name)
            else:
                searcher.search_file(path, path.name)
        workers = search.descendants(pid)
        searcher.search_open_files(pid, "server process")
        searcher.search_memory(pid, "server process")
        for number, worker in enumerate(workers, start=1):
            with suppress(search.ProcessGoneError):  # an idle worker ends by itself
                searcher.search_open_files(worker, f"worker process {number}")
                searcher.search_memory(worker, f"worker process {number}")
        self._findings += searcher.findings
        self._markers |= {marker.name: marker for marker in markers}
        for place, size in searcher.bytes_searched.items():
            if place.medium == "disk":
                self._disk_bytes += size
            else:
                self._memory_bytes += size
        self._processes = max(self._processes, 1 + len(workers))

    def report(self) -> Report:
        """The verdicts of all searches so far."""
        verdicts = tuple(_judge(marker, self._findings) for marker in self._markers.values())
        return Report(verdicts, self._disk_bytes, self._memory_bytes, self._processes)
