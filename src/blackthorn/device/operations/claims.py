"""Claimed key packages: verify them, claim unusable ones again, and say who is left out.

An unusable package never ends an operation that others can take part in: its device is left out,
the sender is told, and `add_later` adds it.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace
from typing import Final, NamedTuple

from msgspec.structs import replace as changed

from blackthorn.device.conversations import conversations, left_out
from blackthorn.device.core.members import Identity, UnknownDeviceError, identify
from blackthorn.device.core.prepared import KeyPackageClaim, claim_of, encode
from blackthorn.device.core.unit_of_work import Conversation, UnitOfWork
from blackthorn.device.operations import limits
from blackthorn.device.transparency.ledger_state import clock_ms
from blackthorn.errors import DecodeError, UserError
from blackthorn.ids import Address, DeviceId
from blackthorn.link.frames import ClaimedKeyPackage
from blackthorn.mls import suites
from blackthorn.mls.errors import InvalidKeyPackage, MLSError
from blackthorn.mls.framing.key_package import VerifiedKeyPackage, parse_key_package
from blackthorn.ports.device_store import OutboxRecord
from blackthorn.wire.limits import MAX_DEVICES_PER_USER

UNPUBLISHED: Final = "the ledger does not show their device yet"
_ANOTHERS: Final = "the server gave another's key package for {}"
_NONE_OF: Final = "no key package of"


class HopelessError(UserError):
    """The operation can never be done, for the reason in the text."""


@dataclass(frozen=True, slots=True)
class ClaimRequest:
    """Key packages of these users must be claimed first, or of these devices of theirs only.

    `known` are members to look up before if their last lookup is old: a new member refuses a group
    with a removed device.
    """

    addresses: list[str]
    devices: list[DeviceId] = field(default_factory=list)
    known: list[Address] = field(default_factory=list)
    suite: int = 0
    """The suite of the conversation; 0: of a new one."""


@dataclass(frozen=True, slots=True)
class LookUpFirst:
    """These users must be looked up again before the operation is tried again."""

    addresses: list[str]
    text: str


class Claimed(NamedTuple):
    """Verified key packages, and the users of whom a live device has none."""

    packages: list[VerifiedKeyPackage]
    incomplete: list[str]

    def tell(self, unit: UnitOfWork, conversation: Conversation) -> None:
        """Tell the person who is left out of this conversation, and note to add them later."""
        for address in self.incomplete:
            left_out.note(unit, conversation.record.id, address)
            whole = all(identify(p.credential).address != address for p in self.packages)
            who = f"{address} is" if whole else f"a device of {address} is"
            why = "it has no key package that can be used now, and is added once it has"
            conversations.tell(unit, conversation, address, f"{who} not in here yet: {why}")


def claimed(
    unit: UnitOfWork, row: OutboxRecord, wanted: ClaimRequest, needed: Collection[str] = ()
) -> Claimed | ClaimRequest | LookUpFirst:
    """The verified key packages of a claim, or what must be done first.

    Raises HopelessError when no `needed` user has a package that can be used.
    """
    claim = claim_of(row)
    if missing := claim.missing(wanted.addresses):
        devices = [DeviceId(device) for device in claim.devices] or wanted.devices
        return replace(wanted, addresses=missing, devices=devices)
    suite = wanted.suite or suites.DEFAULT_SUITE
    good, bad = _verify(unit, claim.packages, wanted.addresses, suite)
    spoiled = [device for device, reason in bad.items() if reason != UNPUBLISHED]
    if spoiled and claim.tries + 1 < limits.MAX_CLAIM_TRIES:
        again = spoiled[:MAX_DEVICES_PER_USER]
        addresses = sorted({str(device.address) for device in again})
        devices = [device.device for device in again]
        unit.records.outbox.update(replace(row, packages=encode(claim.again(addresses, devices))))
        return replace(wanted, addresses=addresses, devices=devices)
    absent = sorted(set(needed) - {device.address for device in good})
    hidden = [a for a in absent if UNPUBLISHED in _reasons(bad, [a])]
    if hidden and (wait := _wait_for_ledger(unit, row, claim, hidden)):
        return wait
    if needed and len(absent) == len(set(needed)):
        raise HopelessError(_why_none(bad, absent))
    return Claimed(list(good.values()), _incomplete(unit, wanted, good))


def _wait_for_ledger(
    unit: UnitOfWork, row: OutboxRecord, claim: KeyPackageClaim, addresses: list[str]
) -> LookUpFirst | None:
    """A change of somebody's devices may be on its way to the ledger; None: not any more."""
    since_ms = claim.since_ms or unit.now_ms
    if not 0 <= unit.now_ms - since_ms < limits.UNPUBLISHED_SECONDS * 1000:
        return None
    unit.records.outbox.update(replace(row, packages=encode(changed(claim, since_ms=since_ms))))
    return LookUpFirst(addresses, f"{_NONE_OF} {', '.join(addresses)} can be used: {UNPUBLISHED}")


def _why_none(bad: dict[Identity, str], absent: list[str]) -> str:
    reasons = _reasons(bad, absent)
    if not reasons:
        return (
            f"the server gives out no key packages of {', '.join(absent)}: there is no activated "
            "device yet, the service in their market or in yours has ended (blackthorn notices), "
            "or this device may not send yet (blackthorn status)"
        )
    text = f"{_NONE_OF} {', '.join(absent)} can be used ({min(reasons)})"
    return f"{text}: ask them to connect, then send it again"


def _reasons(bad: dict[Identity, str], addresses: Collection[str]) -> set[str]:
    return {reason for device, reason in bad.items() if device.address in addresses}


def _incomplete(unit: UnitOfWork, wanted: ClaimRequest, good: Collection[Identity]) -> list[str]:
    """The other users in the claim of whom a live device has no package."""
    found = {device.device for device in good}
    incomplete = []
    for address in wanted.addresses:
        live = unit.chains.live(address) or frozenset()
        asked = live & set(map(bytes, wanted.devices)) if wanted.devices else live
        if address != unit.me.address and (asked - found or not live):
            incomplete.append(address)
    return incomplete


def _verify(
    unit: UnitOfWork, packages: Iterable[ClaimedKeyPackage], asked: Collection[str], suite: int
) -> tuple[dict[Identity, VerifiedKeyPackage], dict[Identity, str]]:
    """The usable packages by device, and why others are not."""
    good: dict[Identity, VerifiedKeyPackage] = {}
    bad: dict[Identity, str] = {}
    for claim in packages:
        device = Identity(Address(claim.address), DeviceId(claim.device))
        if device.address not in asked or device == unit.me:
            continue  # never asked for
        try:
            good[device] = _verified(unit, claim, device, suite)
        except UnknownDeviceError as error:
            other = error.unknown_devices != [device]
            bad[device] = _ANOTHERS.format(device.address) if other else UNPUBLISHED
        except (MLSError, DecodeError) as error:
            bad[device] = str(error)
    return good, {device: reason for device, reason in bad.items() if device not in good}


def _verified(
    unit: UnitOfWork, claim: ClaimedKeyPackage, device: Identity, suite: int
) -> VerifiedKeyPackage:
    now = clock_ms(unit) // 1000
    package = parse_key_package(claim.package, now=now, validate=unit.validate)
    if identify(package.credential) != device:
        raise InvalidKeyPackage(_ANOTHERS.format(device.address))
    if package.suite.number != suite:
        if suites.is_above(package.suite.number, suite):
            raise InvalidKeyPackage("this conversation has to move first: blackthorn group move")
        raise InvalidKeyPackage(f"the key package of {device.address} is of a weaker suite")
    if not _is_strong_enough(unit, device, suite):
        raise InvalidKeyPackage(f"the key package of {device.address} is of a weaker suite")
    return package


def _is_strong_enough(unit: UnitOfWork, identity: Identity, suite: int) -> bool:
    """Whether a suite is one on which the device's chain insists, or above one."""
    chain = unit.chains.of(identity.address)
    device = chain.device(identity.device) if chain is not None else None
    insisted = set(device.suites) if device is not None else set()
    return not insisted or any(suite == one or suites.is_above(suite, one) for one in insisted)
