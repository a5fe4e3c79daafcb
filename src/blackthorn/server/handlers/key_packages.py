"""Link handler: PublishKeyPackages and ClaimKeyPackages."""

import math
from dataclasses import dataclass

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import frames as f
from blackthorn.ports.store import Done, unless_failed
from blackthorn.server.handlers.session import Session
from blackthorn.server.messaging import limits
from blackthorn.server.messaging.key_packages import Claimed, KeyPackages


@dataclass(frozen=True, slots=True)
class KeyPackageHandler:
    service: KeyPackages

    def publish(self, session: Session, frame: f.PublishKeyPackages, now: float) -> None:
        """Store key packages of the session's device; answer with its stock."""
        if session.device is not None:
            session.ask()
            done = _telling_stock(session)
            self.service.publish(
                session.device,
                frame.packages,
                frame.last_resort,
                done,
                not_after=frame.not_after,
                last_resort_not_after=frame.last_resort_not_after,
                replace=frame.replace,
            )

    def claim(self, session: Session, frame: f.ClaimKeyPackages, now: float) -> None:
        """Hand out a key package of each device of these users."""
        if session.device is None:
            return

        def claimed(result: Claimed) -> None:
            session.answer(_frame(frame.request, result))

        session.ask()
        addresses = [Address(address) for address in frame.addresses]
        devices = {DeviceId(device) for device in frame.devices}
        done = unless_failed(session.fail, claimed)
        self.service.claim(session.device, addresses, devices, done, now)

    def tell_if_low(self, session: Session) -> None:
        """Tell a device on line that few of its key packages are left."""

        def stocked(stock: int | BlackthornError) -> None:
            if isinstance(stock, BlackthornError) or session.closed:
                return  # it learns it from the next Ready
            if stock < limits.LOW_KEY_PACKAGES:
                session.transmit(f.KeyPackageStock(stock))

        if session.device is not None:
            self.service.stock(session.device, stocked)

    def stock(self, session: Session) -> None:
        if session.device is not None:
            session.ask()
            self.service.stock(session.device, _telling_stock(session))


def _telling_stock(session: Session) -> Done[int]:
    def stocked(stock: int) -> None:
        session.answer(f.KeyPackageStock(stock))

    return unless_failed(session.fail, stocked)


def _frame(request: int, claimed: Claimed) -> f.KeyPackages:
    packages = [f.ClaimedKeyPackage(*package) for package in claimed.packages]
    return f.KeyPackages(
        request,
        packages,
        list(claimed.unknown),
        list(claimed.without),
        math.ceil(claimed.wait_seconds * 1000),
    )
