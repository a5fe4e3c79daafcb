"""Frames of key packages: PublishKeyPackages and ClaimKeyPackages."""

from dataclasses import dataclass
from functools import partial

from blackthorn.errors import BlackthornError
from blackthorn.ids import Address, DeviceId
from blackthorn.link import frames as f
from blackthorn.server.handlers.session import Session
from blackthorn.server.messaging.key_packages import Claimed, KeyPackages


@dataclass(frozen=True, slots=True)
class KeyPackageHandler:
    """Serves the frames of a known device."""

    service: KeyPackages

    def publish(self, session: Session, frame: f.PublishKeyPackages, now: float) -> None:
        """Store more key packages of the session's device; the answer is its stock."""
        if session.device is not None:
            session.ask()
            done = partial(_tell_stock, session)
            self.service.publish(session.device, frame.packages, frame.last_resort, done)

    def claim(self, session: Session, frame: f.ClaimKeyPackages, now: float) -> None:
        """Hand out a key package of each device of these users."""
        if session.device is None:
            return

        def done(result: Claimed | BlackthornError) -> None:
            if isinstance(result, BlackthornError):
                session.fail(result)
            else:
                session.transmit(_frame(frame.request, result))
                session.answered()

        session.ask()
        addresses = [Address(address) for address in frame.addresses]
        devices = {DeviceId(device) for device in frame.devices}
        self.service.claim(session.device, addresses, devices, done)

    def stock(self, session: Session) -> None:
        """Tell the stock as it is."""
        if session.device is not None:
            session.ask()
            self.service.stock(session.device, partial(_tell_stock, session))


def _tell_stock(session: Session, result: int | BlackthornError) -> None:
    if isinstance(result, BlackthornError):
        session.fail(result)
    else:
        session.transmit(f.KeyPackageStock(result))
        session.answered()


def _frame(request: int, claimed: Claimed) -> f.KeyPackages:
    packages = [f.ClaimedKeyPackage(*package) for package in claimed.packages]
    return f.KeyPackages(request, packages, list(claimed.unknown), list(claimed.without))
