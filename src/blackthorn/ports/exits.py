"""The port to what each person has done about the exit of their market."""

from dataclasses import dataclass
from typing import Final

from blackthorn.ports.store import Command, Query

ACTS: Final = ("read", "exported", "moved", "forward", "unreachable")
"""What can be noted of a person."""


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


class FindExitPerson(Query[ExitPerson]):
    """What is known of the user of that row; all None when nothing is."""

    user: int
    exit: str


class NoteNotified(Command[None]):
    """A notice was stored for the user; the first time stays."""

    user: int
    exit: str
    now_ms: int


class NoteAct(Command[None]):
    """Note one of ACTS; the first time stays, the newest `forward` counts.

    `value` is for `forward` (an address that was checked, or "" to take it back) and for
    `unreachable` ("" takes it back). Raises ValueError for any other act.
    """

    user: int
    exit: str
    act: str
    value: str
    now_ms: int

    def __post_init__(self) -> None:
        if self.act not in ACTS:
            raise ValueError(f"{self.act!r} is nothing to note of a person")
