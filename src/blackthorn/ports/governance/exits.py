"""The port to each person's acts in the exit of their market."""

from dataclasses import dataclass
from typing import Final

from blackthorn.ports.store import Command, Query

ACTS: Final = ("read", "exported", "moved", "forward", "unreachable")
"""Acts that can be recorded."""


@dataclass(frozen=True, slots=True)
class ExitPerson:
    """One person in one exit; times are Unix milliseconds, None before the act."""

    user: int
    exit: str
    notified_ms: int | None = None
    read_ms: int | None = None
    exported_ms: int | None = None
    moved_ms: int | None = None
    forward: str | None = None
    unreachable: bool = False


class FindExitPerson(Query[ExitPerson]):
    """The record of the user of that row; all None without one."""

    user: int
    exit: str


class NoteNotified(Command[None]):
    """A notice was stored for the user; the first time stays."""

    user: int
    exit: str
    now_ms: int


class NoteAct(Command[None]):
    """Record one of ACTS: the first time stays, the newest `forward` counts.

    `value` is a checked address for `forward`, "" to undo `forward` or `unreachable`. Raises
    ValueError for any other act.
    """

    user: int
    exit: str
    act: str
    value: str
    now_ms: int

    def __post_init__(self) -> None:
        if self.act not in ACTS:
            raise ValueError(f"{self.act!r} is not an act of a person in an exit")
