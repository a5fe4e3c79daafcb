"""Key packages: a device publishes its own, others claim them.

A one-time key package is handed out once: its deletion is durable before the answer. When
a device's one-time packages are gone, its last-resort package is handed out, any number of
times (RFC 9420, 16.8).
"""

from blackthorn.errors import StorageError
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.link.codes import Code
from blackthorn.ports.enterprise import DeviceRecord, Enterprise
from blackthorn.ports.key_packages import KeyPackageStore
from blackthorn.ports.writer import Writer
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.session import Session
from blackthorn.server.markets.exit_rules import ExitRules, May
from blackthorn.server.messaging import limits as messaging_limits
from blackthorn.wire import limits as wire_limits


class KeyPackageHandler:
    """Publishes and hands out key packages."""

    def __init__(
        self,
        enterprise: Enterprise,
        store: KeyPackageStore,
        writer: Writer,
        counters: Counters,
        exits: ExitRules | None = None,
    ) -> None:
        self._enterprise = enterprise
        self._exits = exits
        self._store = store
        self._writer = writer
        self._counters = counters

    def stock(self, device: DeviceRecord) -> int:
        """One-time key packages of the device that nobody has claimed."""
        return self._store.stock(device.number)

    def publish(self, session: Session, frame: f.PublishKeyPackages, now: float) -> None:
        """Store more key packages of the session's device, then answer with the stock."""
        device = session.device
        if device is None:
            return

        session.ask()

        def done(result: int | StorageError) -> None:
            if isinstance(result, StorageError):
                self._fail(session, result)
            else:
                session.transmit(f.KeyPackageStock(result))
                session.answered()

        job = self._store.publish(
            device.number,
            frame.packages,
            frame.last_resort,
            link_limits.MAX_KEY_PACKAGES_PER_DEVICE,
        )
        self._writer.submit(job, done)

    def claim(self, session: Session, frame: f.ClaimKeyPackages, now: float) -> None:
        """Answer with a key package of each device of these users, but the asking one."""
        users: list[tuple[str, list[DeviceRecord]]] = []
        unknown: list[str] = []
        wanted = set(frame.devices)
        for address in dict.fromkeys(frame.addresses):
            user = self._enterprise.user(Address(address))
            if user is None:
                unknown.append(address)
                continue
            devices = [each for each in user.live if not wanted or each.id in wanted]
            devices = [each for each in devices if each != session.device]
            if self._exits is not None and self._exits.refusal(user.address, May.BE_SENT):
                devices = []
            users.append((address, devices[: wire_limits.MAX_DEVICES_PER_USER]))

        session.ask()

        def done(result: list[list[bytes | None]] | StorageError) -> None:
            if isinstance(result, StorageError):
                self._fail(session, result)
            else:
                session.transmit(self._answer(frame.request, users, unknown, result))
                session.answered()

        numbers = [[device.number for device in devices] for _, devices in users]
        self._writer.submit(self._store.claim(numbers, messaging_limits.MAX_CLAIM_BYTES), done)

    def _answer(
        self,
        request: int,
        users: list[tuple[str, list[DeviceRecord]]],
        unknown: list[str],
        packages: list[list[bytes | None]],
    ) -> f.KeyPackages:
        claimed: list[f.ClaimedKeyPackage] = []
        without: list[str] = []
        for (address, devices), given in zip(users, packages, strict=False):
            before = len(claimed)
            claimed += [
                f.ClaimedKeyPackage(address, device.id, package)
                for device, package in zip(devices, given, strict=True)
                if package is not None
            ]
            if len(claimed) == before:
                without.append(address)
        self._counters.key_packages_claimed += len(claimed)
        return f.KeyPackages(request, claimed, unknown, without)

    def _fail(self, session: Session, error: StorageError) -> None:
        self._counters.storage_failures += 1
        session.close(Code.STORAGE, str(error))
