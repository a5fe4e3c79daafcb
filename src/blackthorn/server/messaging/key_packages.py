"""Key packages: a device publishes its own, others claim them.

A one-time package is claimed once: its deletion is durable before the answer. Without one, once a
user has had MAX_DAILY_CLAIMS of the device's today, or when RESERVED_KEY_PACKAGES are left and the
claimant is not the user, the last-resort package is handed out, any number of times (RFC 9420,
16.8). A user who asks for too many must wait. Claims are counted in memory.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import limits as link_limits
from blackthorn.ports.enterprise import DeviceRecord, UserRecord
from blackthorn.ports.key_packages import ClaimKeyPackages, KeyPackageStock, PublishKeyPackages
from blackthorn.ports.store import Done, Reader, Writer, unless_failed
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.server.messaging import limits as messaging_limits
from blackthorn.server.rate_limiter import Buckets
from blackthorn.wire import limits as wire_limits


@dataclass(frozen=True, slots=True)
class Claimed:
    """Packages by (address, device), unknown users, users without packages.

    An address in none of the three did not fit: ask again for it, after `wait_seconds`.
    """

    packages: Sequence[tuple[Address, DeviceId, bytes]]
    unknown: Sequence[Address]
    without: Sequence[Address]
    wait_seconds: float = 0.0


def _claim_budgets() -> Buckets[Address]:
    return Buckets(
        messaging_limits.CLAIMS_BURST,
        messaging_limits.CLAIMS_PER_SECOND,
        messaging_limits.MAX_COUNTED_CLAIMS,
    )


@dataclass(slots=True)
class KeyPackages:
    enterprise: EnterpriseCache
    writer: Writer
    reader: Reader
    counters: Counters
    exits: ExitRules | None = None
    on_claimed: Callable[[Sequence[DeviceRecord]], None] = lambda devices: None
    """Called with devices whose stock is to be looked at."""
    today: int = 0
    """The Unix day, after which nothing is handed out that expires before it."""
    _budgets: Buckets[Address] = field(default_factory=_claim_budgets)
    _since_look: Counter[int] = field(default_factory=Counter)
    _claims: "DailyClaims" = field(default_factory=lambda: DailyClaims())

    def stock(self, device: DeviceRecord, done: Done[int]) -> None:
        """Unclaimed one-time key packages of the device."""
        self.reader.ask(KeyPackageStock(device.number, self.today), done)

    def publish(
        self,
        device: DeviceRecord,
        packages: Sequence[bytes],
        last_resort: bytes | None,
        done: Done[int],
        *,
        not_after: int = 0,
        last_resort_not_after: int = 0,
        replace: bool = False,
    ) -> None:
        """Store key packages of the device; `done` gets the stock.

        Days and `replace` are those of `ports.key_packages.PublishKeyPackages`.
        """
        room = link_limits.MAX_KEY_PACKAGES_PER_DEVICE
        command = PublishKeyPackages(
            device.number,
            packages,
            last_resort,
            room,
            not_after,
            last_resort_not_after,
            replace,
            self.today,
        )
        self.writer.submit(command, done)

    def claim(
        self,
        asking: DeviceRecord,
        addresses: Sequence[Address],
        devices: Collection[DeviceId],
        done: Done[Claimed],
        now: float = 0.0,
    ) -> None:
        """A package of each device of these users but the asking one; or of `devices` only."""
        addresses = tuple(dict.fromkeys(addresses))
        if wait_seconds := self._budgets.wait_seconds(asking.address, now):
            done(Claimed([], [], [], wait_seconds))
            return

        def loaded(users: Mapping[Address, UserRecord]) -> None:
            try:
                self._claim(asking, addresses, users, devices, done, now)
            except BlackthornError as error:  # also when an exit's rules cannot be read
                done(error)

        self.enterprise.load_users(addresses, unless_failed(done, loaded))

    def _claim(
        self,
        asking: DeviceRecord,
        addresses: Sequence[Address],
        users: Mapping[Address, UserRecord],
        devices: Collection[DeviceId],
        done: Done[Claimed],
        now: float,
    ) -> None:
        wanted = {
            address: self._devices(asking, users[address], devices)
            for address in addresses
            if address in users
        }
        unknown = [address for address in addresses if address not in users]
        self._budgets.spend(asking.address, len(unknown) + sum(map(_cost, wanted.values())), now)

        numbers = [[device.number for device in found] for found in wanted.values()]
        spent = self._claims.take(asking.address, self.today, chain(*numbers))

        def claimed(packages: list[list[bytes | None]]) -> None:
            self._claims.give_back(asking.address, chain(*numbers[len(packages) :]))
            answer = _answer(wanted, unknown, packages)
            self.counters.key_packages_claimed += len(answer.packages)
            done(answer)
            self._look(list(chain(*list(wanted.values())[: len(packages)])))

        room, reserved = messaging_limits.MAX_CLAIM_BYTES, messaging_limits.RESERVED_KEY_PACKAGES
        own = frozenset(device.number for device in wanted.get(asking.address, ()))
        command = ClaimKeyPackages(numbers, room, self.today + 1, spent, own, reserved)
        self.writer.submit(command, unless_failed(done, claimed))

    def _look(self, claimed: Sequence[DeviceRecord]) -> None:
        """Have the stock looked at of devices that were claimed LOOK_AFTER_CLAIMS times since."""
        self._since_look.update(device.number for device in claimed)
        due = messaging_limits.LOOK_AFTER_CLAIMS
        found = [device for device in claimed if self._since_look[device.number] >= due]
        for device in found:
            del self._since_look[device.number]
        if len(self._since_look) > messaging_limits.MAX_COUNTED_CLAIMS:
            self._since_look.clear()
        if found:
            self.on_claimed(found)

    def _devices(
        self, asking: DeviceRecord, user: UserRecord, devices: Collection[DeviceId]
    ) -> list[DeviceRecord]:
        if self.exits is not None and self.exits.refusal(user.address, May.BE_SENT):
            return []
        found = [device for device in user.live if not devices or device.id in devices]
        return [device for device in found if device != asking][: wire_limits.MAX_DEVICES_PER_USER]


class DailyClaims:
    """How often each user has claimed of each device today; the oldest counts are forgotten."""

    def __init__(self) -> None:
        self._day = 0
        self._counts: OrderedDict[tuple[Address, int], int] = OrderedDict()

    def take(self, user: Address, day: int, devices: Iterable[int]) -> frozenset[int]:
        """Count a claim of these devices; those of which the user has had enough today."""
        if day != self._day:
            self._day, self._counts = day, OrderedDict()
        spent = []
        for device in devices:
            count = self._counts.get((user, device), 0)
            if count >= messaging_limits.MAX_DAILY_CLAIMS:
                spent.append(device)
            self._counts[user, device] = count + 1
        while len(self._counts) > messaging_limits.MAX_COUNTED_CLAIMS:
            self._counts.popitem(last=False)
        return frozenset(spent)

    def give_back(self, user: Address, devices: Iterable[int]) -> None:
        """Devices whose packages did not fit the answer."""
        for device in devices:
            if (user, device) in self._counts:
                self._counts[user, device] -= 1


def _cost(devices: Sequence[DeviceRecord]) -> int:
    return max(1, len(devices))


def _answer(
    wanted: Mapping[Address, list[DeviceRecord]],
    unknown: list[Address],
    packages: list[list[bytes | None]],
) -> Claimed:
    claimed: list[tuple[Address, DeviceId, bytes]] = []
    without: list[Address] = []
    for (address, devices), handed_out in zip(wanted.items(), packages, strict=False):
        pairs = zip(devices, handed_out, strict=True)
        found = [(address, device.id, package) for device, package in pairs if package is not None]
        claimed += found
        if not found:
            without.append(address)
    return Claimed(claimed, unknown, without)
