"""What an attack on the server's time and space is, and the list of all."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from blackthorn.crypto.secret import Secret
from blackthorn.ids import DeviceId

DEVICE, STRANGER, SENDER = "one device", "stranger", "mail sender"


@dataclass(frozen=True, slots=True)
class Abuser:
    """An activated device whose owner attacks; or a victim, of which only the id is used."""

    id: DeviceId
    identity: Secret
    address: str


@dataclass(slots=True)
class Scene:
    """What the attacking process knows: where the server is, its devices, and for how long.

    `sources` are loopback addresses of its own. `crowd` are devices that are never on line.
    `told` counts what the server said: codes of Bye and Refused, SMTP replies, HTTP status.
    """

    ports: dict[str, int]
    pin: bytes
    abusers: list[Abuser]
    victims: list[Abuser]
    crowd: list[DeviceId]
    sources: list[str]
    seconds: float
    told: Counter[str] = field(default_factory=Counter)
    end: float = 0.0
    """When the attack is over, by the event loop."""

    def begin(self) -> None:
        self.end = asyncio.get_running_loop().time() + self.seconds

    def left(self) -> float:
        """The seconds that the attack still has."""
        return max(0.0, self.end - asyncio.get_running_loop().time())

    def lasts(self) -> bool:
        """Whether the attack's time is not over yet."""
        return self.left() > 0.0


Run = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Abuse:
    """One attack.

    `bound` is what stops it. `told` is what the server must say to the attacker, a key of
    `Scene.told`, and `counter` a metric of which one must rise; either may be empty. `disk_mib` is
    how much of the disk it may take.
    """

    name: str
    who: str
    what: str
    bound: str
    told: tuple[str, ...]
    counter: tuple[str, ...]
    run: Run
    disk_mib: int


MAX_DISK_MIB: Final = 64

ABUSES: Final[list[Abuse]] = []


def abuse(
    *,
    who: str,
    what: str,
    bound: str,
    told: tuple[str, ...] = (),
    counter: tuple[str, ...] = (),
    disk_mib: int = MAX_DISK_MIB,
) -> Callable[[Run], Run]:
    """Put a coroutine function into the table under its own name."""

    def put(run: Run) -> Run:
        named: Any = run
        ABUSES.append(Abuse(named.__name__, who, what, bound, told, counter, run, disk_mib))
        return run

    return put
