"""Replay of the stored decisions with their signatures, by the server and the host's commands."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from blackthorn.directory.entries import Record, decode_entry
from blackthorn.directory.records import decode_record
from blackthorn.errors import DamageError, VerificationError
from blackthorn.governance import register
from blackthorn.governance.cases import Cases
from blackthorn.governance.statements import Signed, commitment, decode, open_private
from blackthorn.ports.governance.cases import ListDecisionEntries, ListDecisions, StoredDecision
from blackthorn.ports.store import BlockingReader

Replayed = tuple[StoredDecision, Signed, dict[str, Any]]
"""A decision, and its private part."""

_PAGE: Final = 256


def replay(reader: BlockingReader, cases: Cases) -> Iterator[Replayed]:
    """Apply every stored decision to `cases`; yields each with its private part.

    Raises DamageError naming an altered decision.
    """
    after = 0
    while rows := reader.read(ListDecisions(after, _PAGE)):
        for row in rows:
            try:
                signed = decode(row.signed)
                private = open_private(signed.statement, row.private)
                cases.take(signed, row.taken_ms)
            except VerificationError as error:
                text = f"decision {row.seq} of {row.case} in the database was altered ({error})"
                raise DamageError(f"{text}: restore it from a backup") from None
            yield row, signed, private
        after = rows[-1].number


def replay_with_ledger(
    reader: BlockingReader, cases: Cases, waiting: Iterable[tuple[int, bytes]]
) -> Iterator[Replayed]:
    """Replay and compare with the ledger; `waiting` are the records of its next epoch.

    Raises DamageError also when only one of the two has a decision.
    """
    in_ledger = _in_ledger(reader, waiting)
    for row, signed, private in replay(reader, cases):
        entry = in_ledger.pop((row.case, row.seq), None)
        if entry != (commitment(row.reveal), not row.sealed):
            raise DamageError(
                f"decision {row.seq} of {row.case} in the database is not what the ledger "
                "holds: restore it from a backup"
            )
        yield row, signed, private
    if in_ledger:
        case, seq = next(iter(in_ledger))
        raise DamageError(f"decision {seq} of {case} is in the ledger and not in the database")


def _in_ledger(
    reader: BlockingReader, waiting: Iterable[tuple[int, bytes]]
) -> dict[tuple[str, int], tuple[bytes, bool]]:
    """(case, seq) → the commitment, and whether it is revealed."""
    bodies: list[tuple[int, bytes]] = []
    after = -1
    while page := reader.read(ListDecisionEntries(after, _PAGE)):
        entries = [decode_entry(data) for _, data in page]
        bodies += [(entry.kind, entry.body) for entry in entries if isinstance(entry, Record)]
        after = page[-1][0]
    bodies += waiting
    found: dict[tuple[str, int], tuple[bytes, bool]] = {}
    for kind, body in bodies:
        if kind in register.KINDS:
            fields = decode_record(kind, body)
            revealed = fields["reveal"] is not None
            found[fields["case"], fields["seq"]] = (fields["commitment"], revealed)
    return found
