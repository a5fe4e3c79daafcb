"""The gate of all listeners: peers whose device is not known yet are counted at accept.

1. A client is an IPv4 address or an IPv6 /56. It may hold so many sockets over all listeners of a
   gate, and start so many TLS handshakes a second; further handshakes wait.
2. Each device that was authenticated there within a day adds sockets and handshakes.
3. At a bound the oldest stranger of the client with the most sockets is dropped.
4. A peer whose device is known is charged to no address.

In memory only. `now` is the event loop's time.
"""

import contextlib
import ipaddress
import socket
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from enum import StrEnum

from blackthorn.edges import limits
from blackthorn.ids import DeviceId
from blackthorn.server import limits as server_limits
from blackthorn.server.counters import Counters


class Door(StrEnum):
    """A kind of listener."""

    LINK = "link"
    SMTP = "smtp"
    HTTP = "http"
    OPERATIONS = "operations"


def _parsed(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address without a zone, IPv4 within IPv6 as IPv4; None for what is none."""
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def plain_address(host: str) -> str:
    """A peer's address as the settings write it."""
    return str(_parsed(host) or host)


def client_key(host: str) -> str:
    """One client: an IPv4 address, or the /56 of an IPv6 address."""
    address = _parsed(host)
    if isinstance(address, ipaddress.IPv6Address):
        return str(ipaddress.ip_network((address, 56), strict=False))
    return str(address or host)


class GatedSocket(socket.socket):
    """An accepted socket, counted until its transport ends: asyncio closes, uvloop detaches it."""

    __slots__ = ("client", "door", "gate", "known", "peer", "since")

    client: str
    door: Door
    gate: "Gate | None"
    known: bool
    peer: str
    """The client's address: of the socket, or as a proxy of ours said."""
    since: float

    @classmethod
    def of(cls, accepted: socket.socket, client: str, door: Door, now: float) -> "GatedSocket":
        made = cls(accepted.family, accepted.type, accepted.proto, fileno=accepted.detach())
        made.client, made.door, made.since = client, door, now
        made.gate, made.known, made.peer = None, False, client
        return made

    def close(self) -> None:
        self._leave()
        super().close()

    def detach(self) -> int:
        self._leave()
        return super().detach()

    def _leave(self) -> None:
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.leave(self)

    def drop(self) -> None:
        """End the connection below any protocol: its transport reads the end of the stream."""
        self._leave()
        with contextlib.suppress(OSError):  # the peer has ended it already
            self.shutdown(socket.SHUT_RDWR)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Sockets of strangers by door, of devices in all, and of one client."""

    doors: dict[Door, int] = field(default_factory=lambda: share(limits.MAX_STRANGERS))
    devices: int = server_limits.MAX_CONNECTIONS
    client_sockets: int = limits.CLIENT_SOCKETS
    client_handshakes: int = limits.CLIENT_HANDSHAKES


def share(strangers: int) -> dict[Door, int]:
    """Half of all strangers' sockets are the link's, so that no other listener crowds it out."""
    return {Door.LINK: strangers // 2, Door.SMTP: strangers // 4, Door.HTTP: strangers // 4}


class Gate:
    """The open sockets of a process."""

    def __init__(self, counters: Counters, bounds: Bounds | None = None) -> None:
        self.counters = counters
        self.bounds = bounds or Bounds()
        self._strangers: dict[str, dict[GatedSocket, None]] = {}
        self._by_door: dict[Door, Counter[str]] = {door: Counter() for door in Door}
        self._totals: Counter[Door] = Counter()
        self._devices = 0
        self._seen: OrderedDict[tuple[str, DeviceId], float] = OrderedDict()
        self._seen_by_client: Counter[str] = Counter()
        self._next_handshake: dict[str, float] = {}

    def enter(self, accepted: GatedSocket, now: float) -> bool:
        """Count a stranger in, and drop another for it if necessary; False: close it."""
        client, door = accepted.client, accepted.door
        self._forget(now)
        most = self.bounds.client_sockets
        most += limits.DEVICE_SOCKETS * self._seen_by_client[client]
        own = self._strangers.get(client, {})
        if len(own) >= most and not self._drop(next(iter(own)), now):
            return self._refuse(door)
        here = self._by_door[door]
        if self._totals[door] >= self.bounds.doors[door]:
            largest, holds = max(here.items(), key=lambda item: item[1])
            oldest = next(each for each in self._strangers[largest] if each.door is door)
            if not self._drop(oldest, now, grace=holds <= here[client] + 1):
                return self._refuse(door)
        self._strangers.setdefault(client, {})[accepted] = None
        here[client] += 1
        self._totals[door] += 1
        self.counters.sockets_of_strangers += 1
        accepted.gate = self
        return True

    def _drop(self, oldest: GatedSocket, now: float, *, grace: bool = True) -> bool:
        if grace and now - oldest.since < limits.GRACE_SECONDS:
            return False
        self.counters.sockets_dropped += 1
        oldest.drop()
        return True

    def _refuse(self, door: Door) -> bool:
        match door:
            case Door.LINK:
                self.counters.link_sockets_refused += 1
            case Door.SMTP:
                self.counters.smtp_connections_refused += 1
            case Door.HTTP:
                self.counters.http_sockets_refused += 1
            case Door.OPERATIONS:
                self.counters.operations_sockets_refused += 1
        return False

    def leave(self, ended: GatedSocket) -> None:
        """Count out a socket; the socket itself calls it once."""
        if ended.known:
            self._devices -= 1
        else:
            self._count_out(ended)

    def _count_out(self, stranger: GatedSocket) -> None:
        of_client = self._strangers[stranger.client]
        del of_client[stranger]
        if not of_client:
            del self._strangers[stranger.client]
        _less(self._by_door[stranger.door], stranger.client)
        self._totals[stranger.door] -= 1
        self.counters.sockets_of_strangers -= 1

    def recognise(self, stranger: GatedSocket, device: DeviceId, now: float) -> bool:
        """The peer's device is known; False: too many devices are connected."""
        if stranger.gate is not self or stranger.known:
            return stranger.known
        if self._devices >= self.bounds.devices:
            return self._refuse(stranger.door)
        self._count_out(stranger)
        stranger.known = True
        self._devices += 1
        key = (stranger.client, device)
        if key not in self._seen:
            self._seen_by_client[stranger.client] += 1
        self._seen[key] = now
        self._seen.move_to_end(key)
        return True

    def _forget(self, now: float) -> None:
        """Devices seen long ago, and past handshakes."""
        while self._seen:
            (client, device), seen = next(iter(self._seen.items()))
            if seen > now - limits.SEEN_SECONDS and len(self._seen) <= limits.MAX_SEEN_DEVICES:
                break
            del self._seen[client, device]
            _less(self._seen_by_client, client)
        if len(self._next_handshake) > limits.MAX_STRANGERS:
            self._next_handshake = {
                client: due for client, due in self._next_handshake.items() if due > now
            }

    def handshake_delay(self, client: str, now: float) -> float:
        """Seconds after which the client's next TLS handshake may start."""
        rate = self.bounds.client_handshakes + self._seen_by_client[client]
        due = max(now, self._next_handshake.get(client, now)) + 1 / rate
        self._next_handshake[client] = due
        delay = due - now - 1  # one second's handshakes may come at once
        if delay < limits.SHORTEST_DELAY_SECONDS:
            return 0.0
        self.counters.handshakes_delayed += 1
        return delay


def _less(counter: Counter[str], client: str) -> None:
    counter[client] -= 1
    if counter[client] <= 0:
        del counter[client]
