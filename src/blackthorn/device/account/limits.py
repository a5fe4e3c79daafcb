"""Bounds of `device/account`: each with its name, its unit and its reason."""

from blackthorn.wire.units import KIB, MIB

MAX_PAIRING_BATCH_BYTES = 256 * KIB
"""Size of one batch in a state transfer; the next one follows its acknowledgement."""

UPKEEP_SECONDS = 30
UPKEEP_OTHERS_SECONDS = 600
"""Longest interval of the reconciler, and its delay after another device changed the chain."""

MAX_HANDED_LINES = 20_000
MAX_HANDED_HISTORY_BYTES = 16 * MIB
"""History transferred to a new device, newest lines first."""

MAX_HANDED_ITEM_BYTES = 3 * MIB
"""One transferred item, so that it fits a message; larger chains are looked up."""

MAX_HANDED_CONTACTS = 1_000
"""Contacts transferred with their chains, 10 to 30 kB each; others are looked up."""

MAX_KEPT_NOTICES = 16
"""Stored notices of exits and directives; a user has one market at a time."""

RECEIPT_AGAIN_SECONDS = 600
"""Interval of requests for a receipt that is not made yet: a closure makes a million in an hour."""
