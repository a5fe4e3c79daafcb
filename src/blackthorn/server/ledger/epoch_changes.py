"""Which entries of the map have changed between two published trees, for devices."""

from dataclasses import dataclass

from blackthorn.link import limits
from blackthorn.ports.ledger import ChangedPlaces
from blackthorn.ports.store import Done, Reader, unless_failed

PREFIX_BYTES = 8
"""Of an index, in what is pushed: enough to look up few people in vain."""


@dataclass(frozen=True, slots=True)
class EpochChanges:
    """Prefixes of the indices that changed between two sizes; not `whole`: too many to name."""

    since: int
    size: int
    prefixes: list[bytes]
    whole: bool


def read_changes(reader: Reader, since: int, size: int, done: Done[EpochChanges]) -> None:
    """The changes between the published trees of these sizes."""
    most = limits.MAX_PUSHED_PREFIXES

    def read(indices: list[bytes]) -> None:
        whole = len(indices) <= most
        prefixes = [index[:PREFIX_BYTES] for index in indices] if whole else []
        done(EpochChanges(since, size, prefixes, whole))

    reader.ask(ChangedPlaces(since, size, most + 1), unless_failed(done, read))
