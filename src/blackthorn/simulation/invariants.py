"""What must hold of a simulation: six invariants, checked against what devices show.

unread      an accepted message is read by each device that was entitled to it, or both are told
order       no message is shown twice, and each sender's messages are shown in their order
apart       all members of a conversation come to one epoch, and a message of each is read by all
overheard   nobody reads what was written while they were no member
alarm       honest worlds raise no alarm that names an attack
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from blackthorn.device.core.group_metadata import DIRECT, GROUP, SELF
from blackthorn.mls.group.group import Group
from blackthorn.simulation.device import Person
from blackthorn.simulation.life import Life
from blackthorn.simulation.records import NEVER, History, Span, Text

JOINING_SECONDS: Final = 3_700
"""From the linking of a device until everybody's lookups must have shown it: they are up to an hour
old."""

HONEST_ALARMS: Final = frozenset(
    {"identity-reset", "verified-reset", "reset-pending", "own-reset", "own-device"}
)
"""Alarms that tell of what people did; every other one says that somebody cheats."""


class Violation(NamedTuple):
    """An invariant that does not hold, and what shows it."""

    invariant: str
    text: str


def check(life: Life) -> list[Violation]:
    """All that does not hold after the last fault and a day of calm."""
    shown = {name: _texts(person) for name, person in life.devices.items()}
    return [
        *unread(life, shown),
        *repeated(life, shown),
        *apart(life),
        *overheard(life, shown),
        *alarmed(life),
    ]


def _texts(person: Person) -> list[tuple[str, str]]:
    """The texts that the device shows as sent, in its order: (text, sender)."""
    return [
        (line.text, line.sender)
        for line in person.history()
        if line.sort == "text" and line.standing in ("received", "accepted")
    ]


Shown = dict[str, list[tuple[str, str]]]


def unread(life: Life, shown: Shown) -> list[Violation]:
    """Accepted texts that a device entitled to them does not show."""
    sets = {name: {text for text, _ in texts} for name, texts in shown.items()}
    return [
        Violation("unread", f"{name} never read: {text.body!r} to {text.to or text.group}")
        for text in life.records.texts
        if text.accepted != NEVER
        for name in entitled(life, text)
        if text.body not in sets[name]
    ]


def entitled(life: Life, text: Text) -> Iterable[str]:
    """The devices that must show a text."""
    for user, spans in life.records.users_of(text).items():
        if not any(surely(span, text.written, text.accepted) for span in spans):
            continue
        for name, history in life.records.devices_of(user):
            if _must_read(history, text) and name != text.device:
                yield name


def surely(span: Span, start: float, end: float) -> bool:
    """Whether the whole time lies within the span beyond doubt."""
    return span.surely_since <= start and end <= span.surely_until


def _must_read(history: History, text: Text) -> bool:
    span = history.span
    if span.until != NEVER or span.surely_until != NEVER:
        return False  # it is nobody's now
    if span.surely_since + JOINING_SECONDS > text.written and span.since > 0:
        return False
    return not any(kept <= text.accepted <= back for kept, back in history.restored)


def repeated(life: Life, shown: Shown) -> list[Violation]:
    """Texts shown twice, or not in the order of their sender."""
    numbers = {text.body: number for number, text in enumerate(life.records.texts)}
    found = []
    for name, texts in shown.items():
        twice = [text for text, count in Counter(text for text, _ in texts).items() if count > 1]
        found += [Violation("order", f"{name} shows twice: {text!r}") for text in twice]
        last: dict[tuple[str, str], int] = defaultdict(lambda: -1)
        for body, _ in texts:
            if body not in numbers:
                found.append(Violation("order", f"{name} shows what nobody wrote: {body!r}"))
                continue
            text = life.records.texts[numbers[body]]
            key = (text.device, text.group or f"{text.user} {text.to}")
            if numbers[body] < last[key]:
                found.append(Violation("order", f"{name} shows late: {body!r}"))
            last[key] = max(last[key], numbers[body])
    return found


def apart(life: Life) -> list[Violation]:
    """Members of one conversation in different epochs, or with different members."""
    seen: dict[bytes, dict[str, tuple[int, bytes]]] = defaultdict(dict)
    names: dict[bytes, str] = {}
    for name, person in _live(life):
        for record in person.conversations():
            if record.standing == "active" and record.kind in (GROUP, SELF, DIRECT):
                group = Group.deserialise(record.state)
                seen[record.id][name] = (group.epoch, group.epoch_authenticator)
                names[record.id] = f"{record.kind} {record.name}".strip()
    return [
        Violation("apart", f"{names[group]}: {_epochs(states)}")
        for group, states in seen.items()
        if len(set(states.values())) > 1
    ]


def _epochs(states: dict[str, tuple[int, bytes]]) -> str:
    return ", ".join(
        f"{name} in epoch {epoch} {mark[:2].hex()}" for name, (epoch, mark) in states.items()
    )


def _live(life: Life) -> Iterable[tuple[str, Person]]:
    for name, person in life.devices.items():
        if life.records.devices[name].span.surely_until == NEVER:
            yield name, person


def overheard(life: Life, shown: Shown) -> list[Violation]:
    """Texts shown by devices of those who were no member while it was on its way."""
    found = []
    for name, texts in shown.items():
        history = life.records.devices[name]
        bodies = {body for body, _ in texts}
        for text in life.records.texts:
            if text.body not in bodies or text.device == name:
                continue
            end = min(text.accepted, life.age)
            member = any(
                span.since <= end and text.written <= span.until
                for span in life.records.users_of(text).get(history.user, [])
            )
            if not member or history.span.until < text.written:
                found.append(Violation("overheard", f"{name} read: {text.body!r}"))
    return found


def alarmed(life: Life) -> list[Violation]:
    """Alarms that name an attack, where nobody attacks."""
    return [
        Violation("alarm", f"{name}: {alarm.code} about {alarm.address}: {alarm.text}")
        for name, person in life.devices.items()
        for alarm in person.open_alarms()
        if alarm.code not in HONEST_ALARMS
    ]
