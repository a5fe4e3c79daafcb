"""The device's stock of key packages: made here, published for others, used once each.

What was published and not confirmed is never published again, since a package that is handed
out twice loses the second Welcome; the server's own count at the next connection decides how
many fresh ones are due.
"""

from blackthorn import limits
from blackthorn.device.turn import Turn
from blackthorn.link.frames import PublishKeyPackages
from blackthorn.mls import suites
from blackthorn.mls.key_package import create_key_package

LAST_RESORT = "last-resort-ms"
_ROTATION_MS = limits.MLS_LIFETIME_SECONDS * 1000 // 2
_KEPT_MS = 2 * limits.MLS_LIFETIME_SECONDS * 1000


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
    if stock >= limits.KEY_PACKAGE_STOCK_LOW and not last_resort_due:
        return None
    turn.records.key_packages.forget_before(turn.now_ms - _KEPT_MS)
    packages = make(turn, max(0, limits.KEY_PACKAGE_STOCK - stock))
    return PublishKeyPackages(packages, make_last_resort(turn) if last_resort_due else None)
