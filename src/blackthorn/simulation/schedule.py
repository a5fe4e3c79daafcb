"""Schedules: what happens in a simulation, and when.

Any part of a schedule is a schedule: an event that cannot be done does nothing.

| event | arguments | meaning |
|---|---|---|
| `connect` | | the device is on line from now on, and comes back when its connection breaks |
| `leave` | | it is off line |
| `text` | user | a text to another user |
| `group-text` | group | a text to a group |
| `create` | group, users | a new group |
| `add`, `remove` | group, user | change a group's members |
| `link` | name | the device adds another one of its user, under that number |
| `revoke` | name | the device revokes another one of its user |
| `restart` | | its process ends and begins again |
| `crash` | writes, `before` or `after` | it ends at that write from now, stored or not |
| `cut` | | its connection breaks; what was on it is lost |
| `hold`, `release` | `up`, `down` or `both` | nothing gets through that way, and all again |
| `clock` | seconds | its clock is that far ahead of the true time |
| `keep` | | a copy of its folder is made |
| `restore` | | the copy is put in place of the folder |
| `claim` | user, times | it claims key packages of that user and uses none |
| `steal` | | a thief copies its folder, and reads along from then on |
| `state-recovery` | | its user gets recovery words |
| `lose` | | nobody has it any more: it never comes back |
| `mail-key` | | its user gets a key for mail |
| `recover` | name | all devices are lost; a new one comes by the words, under that number |
| `reset` | name | all devices are lost; a new one asks for a reset, under that number |
| `mail` | user | (the server) a mail comes in for that user |
| `market` | user, market, steps | (the server) so many steps of a move; 0: to its end |
| `server-crash` | `before` or `after` | the server ends before or after storing what waits |
| `server-clock` | seconds | the server's clock is that far ahead of the true time |
| `witnesses` | `on` or `off` | the witnesses cosign, or are silent |
"""

from collections.abc import Iterable
from typing import Final, NamedTuple

SERVER: Final = "server"


class Event(NamedTuple):
    """At `at` seconds after the beginning, `who` (a device, "alice.1", or the server) does it."""

    at: int
    who: str
    what: str
    args: tuple[str | int, ...] = ()

    def __str__(self) -> str:
        days, seconds = divmod(self.at, 86_400)
        clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
        return " ".join([f"day {days:>3} {clock}", self.who, self.what, *map(str, self.args)])


class Schedule(NamedTuple):
    """Users, and events in the order of their times; with `seed` it decides everything."""

    seed: int
    users: tuple[str, ...]
    events: tuple[Event, ...]

    def with_events(self, events: Iterable[Event]) -> "Schedule":
        return self._replace(events=tuple(events))


def user_of(device: str) -> str:
    return device.partition(".")[0]
