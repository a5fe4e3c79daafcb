"""Simulations by seed: live through the schedule, then calm and probes, then the invariants."""

import hashlib
import time
import traceback
from dataclasses import dataclass, field
from typing import Final

from blackthorn.device.core.group_metadata import SELF
from blackthorn.device.healing.states import State
from blackthorn.simulation import traffic
from blackthorn.simulation.invariants import Violation, check
from blackthorn.simulation.life import Life
from blackthorn.simulation.records import NEVER
from blackthorn.simulation.schedule import Event, Schedule, user_of
from blackthorn.simulation.shrinking import shrink

CALM_SECONDS: Final = 26 * 3_600
"""From the last fault, and the last reset, until everything must have come right: after a day
people are told that texts wait, and say yes to members whom nobody else can confirm."""


@dataclass(slots=True)
class Outcome:
    """What came of one schedule."""

    schedule: Schedule
    violations: list[Violation] = field(default_factory=list)
    texts: int = 0
    accepted: int = 0
    deliveries: int = 0
    device_days: float = 0.0
    cpu_seconds: float = 0.0
    drawn: str = ""
    """Of two runs that were the same, the same: what all their random numbers had come to."""
    mails: int = 0
    """Mails that the server accepted for its users."""


def simulate(schedule: Schedule) -> Outcome:
    """Live through a schedule; what does not hold afterwards."""
    began = time.process_time()
    return live(Life(schedule), began)


def live(life: Life, began: float) -> Outcome:
    """Live a life; `began` is the time of the process, in seconds."""
    outcome = Outcome(life.schedule)
    try:
        life.run()
        _calm(life)
        outcome.violations = check(life)
    except Exception:
        outcome.violations = [Violation("fault", traceback.format_exc(limit=-6))]
    _count(life, outcome)
    outcome.cpu_seconds = time.process_time() - began
    return outcome


def simulate_seed(seed: int, days: int) -> Outcome:
    """The schedule of a seed; one that fails is shortened to what fails in the same way."""
    outcome = simulate(traffic.schedule(seed, days))
    if outcome.violations:
        kinds = {violation.invariant for violation in outcome.violations}

        def fails(shorter: Schedule) -> bool:
            return any(found.invariant in kinds for found in simulate(shorter).violations)

        outcome.schedule = shrink(outcome.schedule, fails)
    return outcome


def _count(life: Life, outcome: Outcome) -> None:
    outcome.texts = len(life.records.texts)
    outcome.accepted = sum(text.accepted != NEVER for text in life.records.texts)
    outcome.deliveries = sum(len(person.received()) for person in life.devices.values())
    outcome.mails = len(life.mailboxes.mails)
    chances = [life.chance, *(person.chance for person in life.devices.values())]
    states = repr([chance.getstate() for chance in chances]).encode()
    outcome.drawn = hashlib.sha256(states).hexdigest()[:16]
    ends = (
        (h.span.since, min(h.span.surely_until, life.age)) for h in life.records.devices.values()
    )
    outcome.device_days = sum(end - start for start, end in ends) / 86_400


def _calm(life: Life) -> None:
    """End all faults, let a day pass, then let everybody write in each conversation.

    While a reset waits, all devices of its user are lost: there may be nobody to confirm a rejoin.
    """
    life.end_faults()
    waits = max(0, int(life.records.resets_end() - life.age))
    life.calm(waits + CALM_SECONDS)
    for person in life.devices.values():
        life.read_alarms(person)
    life.settle()
    for name, person in sorted(life.devices.items()):
        if life.records.devices[name].span.surely_until != NEVER:
            continue
        for record in sorted(person.conversations(), key=lambda record: record.id):
            if record.standing in (State.LEFT, State.STALE) or record.kind == SELF:
                continue
            what = "text" if record.kind == "direct" else "group-text"
            to = user_of(record.name.partition("@")[0]) if what == "text" else record.name
            event = Event(int(life.age), name, what, (to,))
            life.do(event)
            life.settle()
    for person in life.devices.values():
        life.read_alarms(person)
    life.calm(3_600)
