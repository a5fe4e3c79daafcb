"""The device's key packages: generated here, published, each used once.

Unconfirmed packages are never published again, because a package used twice loses its second
Welcome; the server's count decides how many new ones are due. Reuse is detected by claimers (second
claim) and by the owner (second Welcome). Only the last-resort package may be reused.
"""

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec
from msgspec import Struct

from blackthorn.device.conversations import limits
from blackthorn.device.core.unit_of_work import UnitOfWork
from blackthorn.device.transparency.alarms import raise_alarm
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.device.transparency.lookup_queue import passed
from blackthorn.errors import DecodeError
from blackthorn.link.frames import ClaimedKeyPackage, KeyPackages, PublishKeyPackages
from blackthorn.mls import errors, suites
from blackthorn.mls.codec import decode
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing.key_package import create_key_package, read_key_package_message
from blackthorn.ports.device_store import Records
from blackthorn.wire.tls import Reader

LAST_RESORT: Final = "last-resort-ms"
NEWEST_SET: Final = "key-packages-ms"
_DRAINED: Final = "key-packages-drained"
_DAY_SECONDS: Final = 24 * 3600
_FIRST_SUITE: Final = suites.SUITE_XWING_AES256
"""Of key packages whose suite was not noted yet."""


USED: Final = b"used"
"""Prefix of the reference of an own key package, with the Welcome that used it."""


def make(unit: UnitOfWork, count: int) -> list[bytes]:
    """Create `count` one-time key packages as MLSMessages and store their private keys."""
    return [_make_one(unit, last_resort=False) for _ in range(count)]


def make_set(unit: UnitOfWork) -> list[bytes]:
    """Create KEY_PACKAGE_STOCK one-time key packages in place of all earlier ones."""
    unit.records.settings.put(NEWEST_SET, _made_now(unit))
    return make(unit, limits.KEY_PACKAGE_STOCK)


def make_last_resort(unit: UnitOfWork) -> bytes:
    unit.records.settings.put(LAST_RESORT, _made_now(unit))
    return _make_one(unit, last_resort=True)


def _made_now(unit: UnitOfWork) -> bytes:
    """When, and of which suite, key packages were made."""
    return clock_ms(unit).to_bytes(8, "big") + suites.DEFAULT_SUITE.to_bytes(2, "big")


def make_bound(unit: UnitOfWork, bound: Extension, suite: int | None = None) -> tuple[bytes, bytes]:
    """A key package for one conversation and question, and its reference; never published.

    Without `suite` it is of the DEFAULT_SUITE.
    """
    message = _make_one(unit, last_resort=False, extensions=[bound], suite=suite)
    return message, decode(read_key_package_message, message, "key package").reference


def _make_one(
    unit: UnitOfWork,
    *,
    last_resort: bool,
    extensions: Sequence[Extension] = (),
    suite: int | None = None,
) -> bytes:
    now_ms = clock_ms(unit)
    message, private = create_key_package(
        suites.suite(suites.DEFAULT_SUITE if suite is None else suite),
        unit.me.credential(),
        unit.keys.identity,
        unit.keys.identity_public,
        random=unit.random,
        now=now_ms // 1000,
        lifetime_seconds=_lifetime_seconds(last_resort),
        last_resort=last_resort,
        extensions=extensions,
    )
    unit.records.key_packages.add(private.reference, private.serialise(), last_resort, now_ms)
    return message


def _lifetime_seconds(last_resort: bool) -> int:
    return (
        limits.LAST_RESORT_LIFETIME_SECONDS if last_resort else limits.KEY_PACKAGE_LIFETIME_SECONDS
    )


def are_due(unit: UnitOfWork, stock: int = limits.KEY_PACKAGE_STOCK) -> bool:
    """Whether new ones are to be published when `stock` are unclaimed.

    A set is due by its age too, when it is of a suite of an earlier release, and when it is dated
    ahead: the clock was wrong then.
    """
    return _is_low(unit, stock) or _last_resort_due(unit) or _set_due(unit)


def replenish(unit: UnitOfWork, stock: int = limits.KEY_PACKAGE_STOCK) -> PublishKeyPackages:
    """Make the key packages that are due when `stock` are unclaimed."""
    last_resort_due, set_due = _last_resort_due(unit), _set_due(unit)
    if not set_due and stock < limits.KEY_PACKAGE_STOCK_LOW:
        _note_drained(unit, limits.KEY_PACKAGE_STOCK - stock)
    packages = make_set(unit) if set_due else make(unit, max(0, limits.KEY_PACKAGE_STOCK - stock))
    last_resort = make_last_resort(unit) if last_resort_due else None
    days = _last_day(unit, last_resort=False), _last_day(unit, last_resort=True)
    return PublishKeyPackages(packages, last_resort, *days, replace=set_due)


def _is_low(unit: UnitOfWork, stock: int) -> bool:
    """Whether more are to be made of a low stock: once an hour, and so many in all, at most."""
    if stock >= limits.KEY_PACKAGE_STOCK_LOW:
        return False
    at_ms = Drained.of(unit.records).at_ms
    if at_ms and not passed(at_ms, unit.now_ms, limits.REFILL_SECONDS * 1000):
        return False
    if unit.records.key_packages.count() < limits.MAX_KEPT_KEY_PACKAGES:
        return True
    text = (
        "the server says again and again that no key packages are left, and nobody uses them: "
        "tell your administrator"
    )
    raise_alarm(unit.records, "overrun", unit.me.address, text, unit.now_ms, fact="stock")
    return False


class Drained(Struct, frozen=True):
    """So many key packages of this device were claimed, as its stock was low at `at_ms`."""

    at_ms: int = 0
    count: int = 0

    @classmethod
    def of(cls, records: Records) -> "Drained":
        data = records.settings.get(_DRAINED)
        return msgspec.msgpack.decode(data, type=cls) if data else cls()


def drained(records: Records, now_ms: int) -> int:
    """How many were claimed in the last days, if that was more than half of the stock."""
    last = Drained.of(records)
    return 0 if passed(last.at_ms, now_ms, limits.DRAINED_SECONDS * 1000) else last.count


def _note_drained(unit: UnitOfWork, claimed: int) -> None:
    count = drained(unit.records, unit.now_ms) + claimed
    unit.records.settings.put(_DRAINED, msgspec.msgpack.encode(Drained(unit.now_ms, count)))


def _last_resort_due(unit: UnitOfWork) -> bool:
    return _due(unit, LAST_RESORT, limits.LAST_RESORT_SET_SECONDS)


def _set_due(unit: UnitOfWork) -> bool:
    return _due(unit, NEWEST_SET, limits.KEY_PACKAGE_SET_SECONDS)


def renew_all(unit: UnitOfWork) -> None:
    """Make new ones of all kinds due: a copy of this vault has the private halves."""
    for setting in (NEWEST_SET, LAST_RESORT):
        unit.records.settings.put(setting, b"")


def _due(unit: UnitOfWork, setting: str, seconds: int) -> bool:
    made = unit.records.settings.get(setting)
    if made is None:
        return True
    age_ms = clock_ms(unit) - int.from_bytes(made[:8], "big")
    suite = int.from_bytes(made[8:], "big") or _FIRST_SUITE
    return suite != suites.DEFAULT_SUITE or not 0 <= age_ms < seconds * 1000


def _last_day(unit: UnitOfWork, *, last_resort: bool) -> int:
    """The last whole Unix day of a key package that is made now."""
    return (clock_ms(unit) // 1000 + _lifetime_seconds(last_resort)) // _DAY_SECONDS - 1


def forget_expired(unit: UnitOfWork) -> None:
    """Delete private keys that no Welcome can need any more; all that waited was read."""
    kept, store = limits.KEY_PACKAGE_KEPT_SECONDS, unit.records.key_packages
    for last_resort in (False, True):
        before_ms = clock_ms(unit) - (_lifetime_seconds(last_resort) + kept) * 1000
        store.forget_before(before_ms, last_resort)
    store.forget_met_before(clock_ms(unit) - limits.LAST_RESORT_LIFETIME_SECONDS * 1000)


class NoPackageError(errors.InvalidWelcome):
    """A Welcome is for a key package that this device does not have."""


class ReusedError(NoPackageError):
    """A second Welcome came for a used key package."""


def check_claimed(unit: UnitOfWork, answer: KeyPackages) -> None:
    """Raise an alarm for every key package that this device was given before."""
    for package in answer.claimed:
        key, claim = _init_key(package), unit.random(16)
        if key and unit.records.key_packages.met(b"claimed" + key, claim, unit.now_ms) != claim:
            text = f"the server gave a key package of {package.address} that it had given before"
            whose, fact = package.address, key.hex()
            raise_alarm(unit.records, "key-package-reuse", whose, text, unit.now_ms, fact=fact)


def _init_key(claimed: ClaimedKeyPackage) -> bytes:
    """SHA-256 of the init key; b"" for a last-resort or invalid key package."""
    try:
        package = read_key_package_message(Reader(claimed.package))
    except (errors.MLSError, DecodeError):
        return b""  # refused when it is verified
    return b"" if package.last_resort else hashlib.sha256(package.init_key).digest()


def used(unit: UnitOfWork, reference: bytes, welcome: bytes) -> None:
    """Delete a key package's private key and remember the Welcome that used it."""
    unit.records.key_packages.remove(reference)
    digest = hashlib.sha256(welcome).digest()
    unit.records.key_packages.met(USED + reference, digest, unit.now_ms)


def check_used(unit: UnitOfWork, references: Sequence[bytes], welcome: bytes) -> None:
    """Raises ReusedError when another Welcome has used one of these key packages."""
    digest = hashlib.sha256(welcome).digest()
    for reference in references:
        before = unit.records.key_packages.first_use(USED + reference)
        if before is not None and before != digest:
            raise ReusedError("the Welcome is for a key package that another one has used")
