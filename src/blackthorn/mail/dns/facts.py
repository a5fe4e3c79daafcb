"""What is known of a domain's records while it is checked, and what is still to be asked.

A check asks for records by `look`. What is unknown is noted in `missing` and looks empty; the
program asks for it and checks again, until nothing is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

POLICY = "HTTPS"
"""The kind of a question for a domain's MTA-STS policy."""

Question = tuple[str, str]
"""Name and kind of record, such as `acme.example` and `MX`."""


@dataclass(frozen=True, slots=True)
class Found:
    """The records of one name and kind.

    Values have the form of a zone file, without quotes or last dots: `10 mail.acme.example`; a
    TXT record's strings are joined. `failed` says why nothing is known.
    """

    values: tuple[str, ...] = ()
    failed: str = ""


class Level(StrEnum):
    """How grave a finding is."""

    GOOD = "good"
    NOTE = "note"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class Finding:
    """One result. `code` names the fault for programs; `mend` is what to do, empty for none."""

    topic: str
    level: Level
    code: str
    name: str
    text: str
    mend: str = ""


@dataclass
class Facts:
    """The answers so far, and the questions without one."""

    known: Mapping[Question, Found]
    missing: set[Question] = field(default_factory=set)
    failed: dict[Question, str] = field(default_factory=dict)
    """Questions of the running check that no name server answered."""
    findings: list[Finding] = field(default_factory=list)

    def look(self, name: str, kind: str) -> Found:
        """The records of a name."""
        found = self.known.get((name, kind))
        if found is None:
            self.missing.add((name, kind))
            return Found()
        if found.failed and kind != POLICY:
            self.failed[name, kind] = found.failed
        return found

    def addresses(self, name: str) -> tuple[str, ...]:
        """IPv4 and IPv6 addresses."""
        return self.look(name, "A").values + self.look(name, "AAAA").values

    def add(
        self, topic: str, level: Level, code: str, name: str, text: str, mend: str = ""
    ) -> None:
        """Note a finding."""
        self.findings.append(Finding(topic, level, code, name, text, mend))

    @property
    def faults(self) -> int:
        """Findings that are to be mended, so far."""
        return sum(each.level in (Level.WARNING, Level.ERROR) for each in self.findings)

    def error(self, topic: str, code: str, name: str, text: str, mend: str) -> None:
        self.add(topic, Level.ERROR, code, name, text, mend)

    def warn(self, topic: str, code: str, name: str, text: str, mend: str) -> None:
        self.add(topic, Level.WARNING, code, name, text, mend)

    def good(self, topic: str, name: str, text: str) -> None:
        self.add(topic, Level.GOOD, "good", name, text)


def tags(text: str) -> dict[str, str]:
    """The tags of a record such as `v=DMARC1; p=none` (RFC 6376, 3.2), names in lower case."""
    parts = (part.partition("=") for part in text.split(";"))
    return {name.strip().lower(): value.strip() for name, mark, value in parts if mark}


def of_version(found: Found, version: str) -> list[str]:
    """The TXT records that begin with a version tag, such as `v=DMARC1`."""
    key, _, wanted = version.partition("=")
    return [text for text in found.values if tags(text.partition(";")[0]).get(key) == wanted]
