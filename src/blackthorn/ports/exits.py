"""The port to what each person has done about the exit of the market that he is in."""

from dataclasses import dataclass
from typing import Final, Protocol

from blackthorn.ports.writer import Job

TELLABLE: Final = ("read", "exported", "moved", "forward", "unreachable")
"""What can be told of a person. `forward` has the address as its value, or "" to take it back."""


@dataclass(frozen=True, slots=True)
class ExitPerson:
    """One person in one exit; times are Unix milliseconds, None while it has not happened."""

    user: int
    exit: str
    notified_ms: int | None = None
    read_ms: int | None = None
    exported_ms: int | None = None
    moved_ms: int | None = None
    forward: str | None = None
    unreachable: bool = False


class ExitStore(Protocol):
    """Persons of exits. Reads raise StorageError when the database fails."""

    def person(self, user: int, exit_id: str) -> ExitPerson:
        """What is known of the user with that row number; all None when nothing is."""
        ...

    def notified(self, user: int, exit_id: str, now_ms: int) -> Job[None]:
        """A notice was left for the user; the first time stays."""
        ...

    def tell(self, user: int, exit_id: str, what: str, value: str, now_ms: int) -> Job[None]:
        """Note one of TELLABLE; the first time stays, the newest `forward` counts.

        `value` is for `forward` alone: an address that was checked, or "". With `unreachable` an
        empty value takes it back. Raises ValueError for anything else to tell.
        """
        ...
