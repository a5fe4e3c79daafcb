"""The device's stock of key packages: made here, published for others, used once each.

What was published and not confirmed is never published again, since a package that is handed
out twice loses the second Welcome; the server's own count at the next connection decides how
many fresh ones are due.

One that is handed out twice shows: to who claims it a second time, and to its owner when a second
Welcome comes for it. Only the last-resort one may be, when no other is left.
"""

import hashlib
from collections.abc import Sequence

from blackthorn.device.conversations import limits as conversations_limits
from blackthorn.device.core.unit_of_work import Turn
from blackthorn.device.transparency.alarms import raise_alarm
from blackthorn.errors import DecodeError
from blackthorn.link.frames import ClaimedKeyPackage, KeyPackages, PublishKeyPackages
from blackthorn.mls import limits as mls_limits
from blackthorn.mls import suites
from blackthorn.mls.errors import InvalidWelcome, MLSError
from blackthorn.mls.framing.key_package import create_key_package, read_key_package_message
from blackthorn.wire.tls import Reader

LAST_RESORT = "last-resort-ms"
_ROTATION_MS = mls_limits.MLS_LIFETIME_SECONDS * 1000 // 2
_KEPT_MS = 2 * mls_limits.MLS_LIFETIME_SECONDS * 1000


def make(turn: Turn, count: int) -> list[bytes]:
    """`count` fresh one-time key packages, as MLSMessages; their private halves are kept."""
    return [_make_one(turn, last_resort=False) for _ in range(count)]


def make_last_resort(turn: Turn) -> bytes:
    """A fresh last-resort key package."""
    turn.records.settings.put(LAST_RESORT, turn.now_ms.to_bytes(8, "big"))
    return _make_one(turn, last_resort=True)


def _make_one(turn: Turn, *, last_resort: bool) -> bytes:
    message, private = create_key_package(
        suites.suite(suites.DEFAULT_SUITE),
        turn.me.credential(),
        turn.keys.identity,
        turn.keys.identity_public,
        random=turn.random,
        now=turn.now,
        last_resort=last_resort,
    )
    turn.records.key_packages.add(private.reference, private.serialise(), last_resort, turn.now_ms)
    return message


def replenish(turn: Turn, stock: int) -> PublishKeyPackages | None:
    """What to publish when the server says that so many are unclaimed; None when it is enough."""
    made = int.from_bytes(turn.records.settings.get(LAST_RESORT) or b"", "big")
    last_resort_due = turn.now_ms - made > _ROTATION_MS
    if stock >= conversations_limits.KEY_PACKAGE_STOCK_LOW and not last_resort_due:
        return None
    turn.records.key_packages.forget_before(turn.now_ms - _KEPT_MS)
    turn.records.key_packages.forget_met_before(turn.now_ms - _KEPT_MS)
    packages = make(turn, max(0, conversations_limits.KEY_PACKAGE_STOCK - stock))
    return PublishKeyPackages(packages, make_last_resort(turn) if last_resort_due else None)


# --- Handed out twice ---------------------------------------------------------------------


class ReusedError(InvalidWelcome):
    """A second Welcome came for a key package that was used."""


def check_claimed(turn: Turn, answer: KeyPackages) -> None:
    """Raise an alarm for what this device was given before, by this claim or an earlier one."""
    for each in answer.claimed:
        key, claim = _init_key(each), turn.random(16)
        if key and turn.records.key_packages.met(b"claimed" + key, claim, turn.now_ms) != claim:
            text = f"the server gave a key package of {each.address} that it had given before"
            raise_alarm(
                turn.records, "key-package-reuse", each.address, text, turn.now_ms, fact=key.hex()
            )


def _init_key(claimed: ClaimedKeyPackage) -> bytes:
    """The hash of the key that is good for one Welcome; empty for a last-resort key package."""
    try:
        package = read_key_package_message(Reader(claimed.package))
    except (MLSError, DecodeError):
        return b""  # refused when it is verified
    return b"" if package.last_resort else hashlib.sha256(package.init_key).digest()


def used(turn: Turn, reference: bytes, welcome: bytes) -> None:
    """This Welcome has used up a key package."""
    turn.records.key_packages.remove(reference)
    digest = hashlib.sha256(welcome).digest()
    turn.records.key_packages.met(b"used" + reference, digest, turn.now_ms)


def check_used(turn: Turn, references: Sequence[bytes], welcome: bytes) -> None:
    """Raises ReusedError when another Welcome has used up what this one is for."""
    digest = hashlib.sha256(welcome).digest()
    for reference in references:
        before = turn.records.key_packages.first_use(b"used" + reference)
        if before is not None and before != digest:
            raise ReusedError("the Welcome is for a key package that another one has used")
