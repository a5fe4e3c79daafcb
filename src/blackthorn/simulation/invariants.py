"""What must hold of a simulation: invariants, checked against what devices show.

unread      an accepted message is read by each device that was entitled to it, or both are told
unopened    each accepted mail is opened by all devices of its user
order       no message is shown twice, and each sender's messages are shown in their order
apart       all members of a conversation come to one epoch, and a message of each is read by all
overheard   nobody reads what was written while they were no member
thief       who copied a vault reads nothing that was written eight days later
stuck       no operation waits any more
alarm       honest worlds raise no alarm that names an attack
size        databases stay within a bound for each device, conversation and day
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from apsw import Connection

from blackthorn.device.conversations.inbox import SENT_AGAIN
from blackthorn.device.healing.states import State
from blackthorn.simulation.device import UNSETTLED, Person
from blackthorn.simulation.life import HONEST_ALARMS, Life
from blackthorn.simulation.records import NEVER, Came, History, Span, Text
from blackthorn.wire.units import KIB, MIB

JOINING_SECONDS: Final = 700
"""From the linking of a device until every conversation must have it: its user's other devices act
within ten minutes of the ledger's next epoch."""

RECOVERED_SECONDS: Final = 2 * JOINING_SECONDS
"""From the recovery of a device until another user who is on line has added it everywhere."""

THEFT_SECONDS: Final = 8 * 86_400
"""From the copy of a vault until its keys open nothing new, if its device is on line daily."""

VAULT_BYTES: Final = 10 * MIB
VAULT_CONVERSATION_BYTES: Final = 128 * KIB
VAULT_DAY_BYTES: Final = 2 * KIB
"""A vault may have so much, most of it the private halves of key packages; so much more for each
conversation; and so much for each conversation and day."""

SERVER_DEVICE_BYTES: Final = MIB
SERVER_DAY_BYTES: Final = 8 * KIB
"""The server's database may have so much for each device, and for each device and day."""


class Violation(NamedTuple):
    """An invariant that does not hold, and what shows it."""

    invariant: str
    text: str


def check(life: Life) -> list[Violation]:
    """All that does not hold after the last fault and a day of calm."""
    shown = {name: _texts(person) for name, person in life.devices.items()}
    return [
        *unread(life, shown),
        *unopened(life),
        *repeated(life, shown),
        *apart(life),
        *overheard(life, shown),
        *stolen(life),
        *stuck(life),
        *alarmed(life),
        *grown(life),
    ]


def _texts(person: Person) -> list[tuple[str, str]]:
    """The texts that the device shows as sent, in its order: (text, mark)."""
    return [
        (line.text, line.mark)
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
            if name != text.device and _must_read(life, history, text):
                yield name


def surely(span: Span, start: float, end: float) -> bool:
    """Whether the whole time lies within the span beyond doubt."""
    return span.surely_since <= start and end <= span.surely_until


def _must_read(life: Life, history: History, text: Text) -> bool:
    span = history.span
    if span.until != NEVER or span.surely_until != NEVER:
        return False  # it is nobody's now
    if span.surely_since + JOINING_SECONDS > text.written and span.since > 0:
        return False
    if history.came is Came.RECOVERED and text.user != history.user:  # who writes has added it
        author = life.records.devices[text.device]
        if author.longest_on_line(span.since, text.written) < RECOVERED_SECONDS:
            return False
    return not any(kept <= text.accepted <= back for kept, back in history.restored)


def unopened(life: Life) -> list[Violation]:
    """Accepted mail that a device of its user cannot open."""
    return [
        Violation("unopened", f"{name} cannot open: {mail.body.decode()!r}")
        for name, person in life.devices.items()
        if life.records.devices[name].span.surely_until == NEVER
        for mail in life.mailboxes.unread(person, life.records.devices[name].user)
        if _must_open(life, name, mail.at)
    ]


def _must_open(life: Life, name: str, at: float) -> bool:
    """Whether a device has the keys of that time: not those lost with a user's last device, nor
    what no other device has given back to a folder that was put back."""
    history = life.records.devices[name]
    began = [
        other.span.surely_since + RECOVERED_SECONDS
        for _, other in life.records.devices_of(history.user)
        if other.came in (Came.RECOVERED, Came.RESET)
    ]
    others = [one for one, other in life.records.devices_of(history.user) if one != name]
    if not others and any(kept <= at for kept, _ in history.restored):
        return False
    return at > max(began, default=-1.0)


def repeated(life: Life, shown: Shown) -> list[Violation]:
    """Texts shown twice, or not in the order of their sender; those sent again are marked so."""
    numbers = {text.body: number for number, text in enumerate(life.records.texts)}
    found = []
    for name, texts in shown.items():
        twice = [text for text, count in Counter(text for text, _ in texts).items() if count > 1]
        found += [Violation("order", f"{name} shows twice: {text!r}") for text in twice]
        last: dict[tuple[str, str], int] = defaultdict(lambda: -1)
        for body, mark in texts:
            if body not in numbers:
                found.append(Violation("order", f"{name} shows what nobody wrote: {body!r}"))
                continue
            if mark == SENT_AGAIN:
                continue
            text = life.records.texts[numbers[body]]
            key = (text.device, text.group or f"{text.user} {text.to}")
            if numbers[body] < last[key]:
                found.append(Violation("order", f"{name} shows late: {body!r}"))
            last[key] = max(last[key], numbers[body])
    return found


def apart(life: Life) -> list[Violation]:
    """Members of one conversation with different transcripts, or still on their way back."""
    seen: dict[str, dict[str, str]] = defaultdict(dict)
    found = []
    for name, person in _live(life):
        with person.unit() as made:
            for record in made.records.conversations.all():
                what = f"{record.kind} {record.name} {record.id.hex()[:6]}"
                if record.standing in UNSETTLED:
                    found.append(Violation("apart", f"{what}: {name} is {record.standing}"))
                elif record.standing == State.FOLLOWING:
                    group = made.open(record.id).group
                    mark = group.epoch_authenticator[:2].hex()
                    seen[record.id.hex()][name] = f"epoch {group.epoch} {mark}"
    for conversation, states in seen.items():
        if len(set(states.values())) > 1:
            found.append(Violation("apart", f"{conversation[:6]}: {states}"))
    return found


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


def stuck(life: Life) -> list[Violation]:
    """Operations that still wait."""
    return [
        Violation("stuck", f"{name} waits: {[o.error for o in person.outcomes.values()]}")
        for name, person in _live(life)
        if person.waiting()
    ]


def alarmed(life: Life) -> list[Violation]:
    """Alarms that name an attack, where nobody attacks."""
    return [
        Violation("alarm", f"{name}: {alarm.code} about {alarm.address}: {alarm.text}")
        for name, person in life.devices.items()
        for alarm in person.open_alarms()
        if alarm.code not in HONEST_ALARMS
        and not (alarm.code == "copy" and life.records.devices[name].restored)
    ]


def stolen(life: Life) -> list[Violation]:
    """Texts that a thief opens although they were written long after the theft."""
    found = []
    for name, thief in life.thieves.items():
        bodies = thief.read()
        found += [
            Violation("thief", f"with the vault of {name}: {text.body!r}")
            for text in life.records.texts
            if text.body in bodies and text.written > thief.stolen + THEFT_SECONDS
        ]
    return found


def grown(life: Life) -> list[Violation]:
    """Databases larger than their bounds."""
    days = life.age / 86_400
    server = _size(life.database.writing)
    found = []
    if server > len(life.devices) * (SERVER_DEVICE_BYTES + days * SERVER_DAY_BYTES):
        found.append(Violation("size", f"the server's database has {server:,} bytes"))
    for name, person in life.devices.items():
        size, count = _size(person.vault.connection), len(person.conversations())
        bound = VAULT_BYTES + count * (VAULT_CONVERSATION_BYTES + days * VAULT_DAY_BYTES)
        if size > bound:
            found.append(Violation("size", f"the vault of {name} has {size:,} bytes"))
    return found


def _size(connection: Connection) -> int:
    """The bytes of a database's pages in use."""
    used = int(connection.pragma("page_count")) - int(connection.pragma("freelist_count"))
    return used * int(connection.pragma("page_size"))
