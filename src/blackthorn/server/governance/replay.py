"""Decisions replayed from the database, signatures and all: by the server and the host's commands.

An edited row does not replay, and then nothing goes on.
"""

from collections.abc import Iterator
from typing import Any, Final

from blackthorn.errors import StorageError, VerificationError
from blackthorn.governance.cases import Cases
from blackthorn.governance.statements import Signed, decode, open_private
from blackthorn.ports.cases import CaseStore, StoredDecision

_PAGE: Final = 256


def replay(
    store: CaseStore, cases: Cases
) -> Iterator[tuple[StoredDecision, Signed, dict[str, Any]]]:
    """Take every stored decision into `cases`; each with its private part once it is taken.

    Raises StorageError naming the decision that was altered.
    """
    after = 0
    while rows := store.decisions(after, _PAGE):
        for row in rows:
            try:
                signed = decode(row.signed)
                private = open_private(signed.statement, row.private)
                cases.take(signed, row.taken_ms)
            except VerificationError as error:
                text = f"decision {row.seq} of {row.case} in the database was altered ({error})"
                raise StorageError(f"{text}: restore it from a backup") from None
            yield row, signed, private
        after = rows[-1].number
