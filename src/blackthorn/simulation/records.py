"""What people did in a simulation, when the server accepted it, and who was a member when.

Kept beside the product, from what its users see: operations and their outcomes. Times are seconds
since the beginning. A change is in doubt from its wish until it was seen to be accepted.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Final

from blackthorn.device.operations.operation import outcome_of
from blackthorn.simulation.device import Person

NEVER: Final = float("inf")


@dataclass(slots=True)
class Text:
    """One text that somebody wrote, to a user (`group` empty) or to a group."""

    body: str
    device: str
    user: str
    to: str
    group: str
    written: float
    accepted: float = NEVER
    failed: str = ""


@dataclass(slots=True)
class Change:
    """A change of a group's members: they come, or go."""

    group: str
    users: tuple[str, ...]
    come: bool
    wished: float


@dataclass(slots=True)
class Span:
    """Somebody belongs to something: at the latest and the earliest, as far as is known."""

    since: float
    surely_since: float
    surely_until: float = NEVER
    until: float = NEVER


class Came(Enum):
    """How a device became its user's."""

    FIRST = auto()
    LINKED = auto()
    RECOVERED = auto()
    RESET = auto()


@dataclass(slots=True)
class History:
    """The times in which a device was its user's, was on line, and its folder was put back."""

    user: str
    span: Span
    came: Came = Came.FIRST
    restored: list[tuple[float, float]] = field(default_factory=list)
    """(time of the copy, time of the restore)."""
    on_line: list[tuple[float, float]] = field(default_factory=list)
    """The first and last moment of each time on line."""
    _is_on_line: bool = False

    def seen(self, now: float, on_line: bool) -> None:
        """Whether the device is on line now."""
        if on_line:
            began = self.on_line.pop()[0] if self._is_on_line else now
            self.on_line.append((began, now))
        self._is_on_line = on_line

    def longest_on_line(self, start: float, end: float) -> float:
        """The length of the longest time on line within these moments."""
        return max((min(end, til) - max(start, since) for since, til in self.on_line), default=0)

    def lost(self, now: float) -> None:
        """The user has it no more, or wants it gone."""
        self.span.surely_until = min(self.span.surely_until, now)


class Records:
    """All that was done in one simulation."""

    def __init__(self) -> None:
        self.texts: list[Text] = []
        self.groups: dict[str, dict[str, list[Span]]] = {}
        self.devices: dict[str, History] = {}
        self._pending: dict[str, dict[int, Text | Change]] = {}
        self._resets: dict[str, float] = {}
        """When the newest reset of each user has taken effect for all."""

    def wrote(self, number: int, text: Text) -> None:
        self.texts.append(text)
        self._pending.setdefault(text.device, {})[number] = text

    def changes(self, device: str, number: int, change: Change) -> None:
        self._pending.setdefault(device, {})[number] = change

    def forget_pending(self, device: str) -> None:
        """The device's outbox is gone."""
        self._pending.pop(device, None)

    def observe(self, name: str, person: Person, now: float) -> None:
        """Look at whether the device is on line, and what became of its operations."""
        self.devices[name].seen(now, person.wire is not None)
        pending = self._pending.get(name)
        if not pending:
            return
        with person.vault.transaction() as stored:
            outcomes = [outcome_of(stored, number) for number in pending]
        for outcome in outcomes:
            if outcome.final:
                self._done(pending.pop(outcome.number), outcome.error, now)

    def _done(self, done: Text | Change, error: str, now: float) -> None:
        if isinstance(done, Text):
            done.accepted, done.failed = (NEVER, error) if error else (now, "")
        elif not error:
            self._changed(done, now)

    def _changed(self, change: Change, now: float) -> None:
        members = self.groups.setdefault(change.group, {})
        for user in change.users:
            spans = members.setdefault(user, [])
            inside = bool(spans) and spans[-1].until == NEVER
            if change.come and not inside:
                leaving = bool(spans) and spans[-1].until > now
                leaving = leaving or now < self._resets.get(user, now)
                spans.append(Span(change.wished, NEVER if leaving else now))
            elif not change.come and inside:
                spans[-1].surely_until, spans[-1].until = change.wished, now

    def reset(self, user: str, now: float, effective: float) -> None:
        """The user's identity is reset: until it is, they leave all their groups.

        Who adds them meanwhile may add the devices that go.
        """
        self._resets[user] = effective
        for members in self.groups.values():
            for span in members.get(user, [])[-1:]:
                span.surely_until = min(span.surely_until, now)
                span.until = min(span.until, effective)

    def resets_end(self) -> float:
        """When the last reset has taken effect for all."""
        return max(self._resets.values(), default=0.0)

    def users_of(self, text: Text) -> dict[str, list[Span]]:
        """Who may read a text, and in which times."""
        if text.group:
            return self.groups.get(text.group, {})
        always = [Span(0, 0)]
        return {text.user: always, text.to: always}

    def devices_of(self, user: str) -> Iterator[tuple[str, History]]:
        return ((name, history) for name, history in self.devices.items() if history.user == user)
