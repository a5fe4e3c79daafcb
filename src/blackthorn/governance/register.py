"""The register of decisions in the ledger: commitments, reveals, and their effects.

Fed with the log's typed entries in order. Steps of a case apply in order; steps sealed by a gag are
counted only.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from blackthorn.directory import entries
from blackthorn.directory.records import decode_record, encode_record
from blackthorn.errors import VerificationError
from blackthorn.governance.cases import Cases
from blackthorn.governance.officers import Officers
from blackthorn.governance.statements import Signed, commitment, open_entry

KINDS: Final = frozenset({entries.DIRECTIVE, entries.MARKET, entries.OFFICE})
"""The kinds of typed entries that hold decisions."""


def kind_of(case: str) -> int:
    """The entry kind of a case's decisions."""
    return {"D-": entries.DIRECTIVE, "X-": entries.MARKET}.get(case[:2], entries.OFFICE)


def entry(case: str, seq: int, reveal: bytes, *, sealed: bool) -> tuple[int, bytes]:
    """Kind and body of the entry of a step; a sealed one only commits."""
    fields = {
        "case": case,
        "seq": seq,
        "commitment": commitment(reveal),
        "reveal": None if sealed else reveal,
    }
    return kind_of(case), encode_record(kind_of(case), fields)


@dataclass(slots=True)
class _Place:
    """A committed step, and its reveal if known."""

    commitment: bytes
    place: int
    unix_ms: int
    officers: Officers
    signed: Signed | None = None
    revealed_ms: int = 0


@dataclass
class Register:
    """`cases` are the revealed ones."""

    cases: Cases = field(default_factory=Cases)
    places: dict[str, list[_Place]] = field(default_factory=dict)
    received: int = 0
    """Number of directives, revealed or not."""
    _taken: dict[str, int] = field(default_factory=dict)

    @property
    def sealed(self) -> dict[str, int]:
        """Case → committed steps that are not revealed."""
        return {
            case: count
            for case, places in self.places.items()
            if (count := len(places) - self._taken.get(case, 0))
        }

    def add(self, kind: int, body: bytes, place: int, unix_ms: int) -> list[Signed]:
        """One typed entry at index `place` of the log, in the epoch of `unix_ms`.

        The statements that it reveals, in order. Ignores other kinds. Raises `VerificationError`.
        """
        if kind not in KINDS:
            return []
        fields = decode_record(kind, body)
        case, seq = str(fields["case"]), int(fields["seq"])
        if kind_of(case) != kind:
            raise VerificationError("G1", f"{case} stands in an entry of another kind")
        places = self.places.setdefault(case, [])
        if seq == len(places) + 1:
            if seq == 1 and case.startswith("D-"):
                self._count(case)
            places.append(_Place(fields["commitment"], place, unix_ms, self.cases.officers))
        elif not 1 <= seq <= len(places) or fields["reveal"] is None:
            raise VerificationError("G2", f"entry {seq} of {case} is out of its order")
        known = places[seq - 1]
        if known.commitment != fields["commitment"]:
            raise VerificationError("G10", f"entry {seq} of {case} was committed to otherwise")
        if fields["reveal"] is None:
            return []
        self._reveal(case, seq, known, fields, unix_ms)
        return self._take(case)

    def _count(self, case: str) -> None:
        self.received += 1
        if case != f"D-{self.received:06d}":
            raise VerificationError("G12", f"{case} is out of the directives' order")

    def _reveal(
        self, case: str, seq: int, known: _Place, fields: dict[str, Any], unix_ms: int
    ) -> None:
        if known.signed is not None:
            raise VerificationError("G10", f"entry {seq} of {case} is revealed twice")
        signed = open_entry(known.commitment, fields["reveal"])
        if (signed.statement.case, signed.statement.seq) != (case, seq):
            raise VerificationError("G10", f"entry {seq} of {case} is of another case")
        known.signed, known.revealed_ms = signed, unix_ms

    def _take(self, case: str) -> list[Signed]:
        taken: list[Signed] = []
        places = self.places[case]
        while (done := self._taken.get(case, 0)) < len(places):
            known = places[done]
            if known.signed is None:
                break
            self.cases.take(known.signed, known.unix_ms, known.officers, numbered=True)
            self._taken[case] = done + 1
            taken.append(known.signed)
        return taken
