"""The ledger's time: two officers let the time of its heads fall once, after a wrong clock.

`directory.head_times` says how far it may fall; here is who permits it.
"""

from collections.abc import Iterable, Sequence
from typing import Any, Final

import cbor2

from blackthorn.directory import entries
from blackthorn.directory.audit import Replay
from blackthorn.directory.audit import resume as resume_replay
from blackthorn.directory.head_times import Heal
from blackthorn.directory.records import decode_record
from blackthorn.errors import VerificationError
from blackthorn.governance import officers
from blackthorn.governance.cases import Cases
from blackthorn.governance.ledger_case import CASE
from blackthorn.governance.officers import Officer
from blackthorn.governance.statements import Signed, open_entry
from blackthorn.governance.transitions import Case, Role
from blackthorn.identity.keys import VerifyKeys
from blackthorn.wire import cbor

_CASES: Final = (officers.CASE, CASE)
_DAMAGED: Final = VerificationError("D33", "the saved state of a replay is damaged")


def new_replay() -> Replay:
    """A replay of a log from its first entry, by which officers may let the time fall."""
    return Replay(officers=LoggedOfficers())


def resume(data: bytes) -> Replay:
    """Such a replay from its saved state. Raises `VerificationError` (D33)."""
    return resume_replay(data, LoggedOfficers())


def heal_of(records: Iterable[tuple[int, bytes]]) -> Heal | None:
    """What these typed entries permit; their signatures were checked when they were decided."""
    found = None
    for kind, body in records:
        if (signed := _decision(kind, body)) is not None:
            found = heal_in(signed) or found
    return found


class LoggedOfficers:
    """`directory.head_times.Officers`: the decisions on officers and on the ledger's time.

    Once one of them has broken a rule, nothing is permitted any more.
    """

    def __init__(self) -> None:
        self._cases = Cases()
        self._broken = False

    def permitted(self, records: Sequence[tuple[int, bytes]], unix_ms: int) -> Heal | None:
        heal = None
        for kind, body in records:
            try:
                signed = _decision(kind, body)
                if signed is not None:
                    self._cases.take(signed, unix_ms)
                    heal = heal_in(signed) or heal
            except VerificationError:
                self._broken = True
        return None if self._broken else heal

    def save(self) -> bytes:
        known = [
            [one.id, sorted(one.roles), one.keys.ed25519, one.keys.ml_dsa]
            for one in self._cases.officers.values()
        ]
        cases = [[case.id, case.state, case.seq, case.head] for case in self._cases.by_id.values()]
        return cbor2.dumps([self._broken, known, cases])

    def load(self, data: bytes) -> None:
        """Raises `VerificationError` (D33)."""
        match cbor.load(data, 4, _DAMAGED):
            case [bool(broken), list(known), list(cases)]:
                self._broken = broken
                self._cases = Cases(
                    {officer.id: officer for officer in map(_officer, known)},
                    {case.id: case for case in map(_case, cases)},
                )
            case _:
                raise _DAMAGED


def _decision(kind: int, body: bytes) -> Signed | None:
    """The decision on officers or on the time in a typed entry. Raises `VerificationError`."""
    fields = decode_record(kind, body) if kind == entries.OFFICE else {}
    if fields.get("case") not in _CASES:
        return None
    if fields["reveal"] is None:
        raise VerificationError("G10", f"a decision on {fields['case']} is not revealed")
    signed = open_entry(fields["commitment"], fields["reveal"])
    if (signed.statement.case, signed.statement.seq) != (fields["case"], fields["seq"]):
        raise VerificationError("G10", f"an entry of {fields['case']} is of another case")
    return signed


def heal_in(signed: Signed) -> Heal | None:
    """What a decision permits; None for one on something else."""
    public = signed.statement.public
    if signed.statement.case != CASE:
        return None
    return Heal(public["ledger"], public["epoch"], public["least_ms"])


def _officer(row: Any) -> Officer:
    match row:
        case [str(name), list(roles), bytes(ed25519), bytes(ml_dsa)] if (
            all(role in tuple(Role) for role in roles)
        ):  # fmt: skip
            keys = VerifyKeys(ed25519, ml_dsa)
            return Officer(name, frozenset(Role(role) for role in roles), keys)
    raise _DAMAGED


def _case(row: Any) -> Case:
    match row:
        case [str(name), str(state), int(seq), bytes(head)]:
            return Case(name, state, seq, head)
    raise _DAMAGED
