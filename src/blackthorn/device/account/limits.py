"""Bounds of `device/account`: each with its name, its unit and its reason."""

from blackthorn.wire.units import KIB, MIB

MAX_PAIRING_BATCH_BYTES = 256 * KIB
"""Items in one batch of a state transfer; the next follows when it is stored on the other side."""

UPKEEP_SECONDS = 30
UPKEEP_OTHERS_SECONDS = 600
"""The longest time between two looks of a device whether its conversations follow its user's chain,
and how long it leaves that to the device that has changed the chain."""

MAX_HANDED_LINES = 20_000
MAX_HANDED_HISTORY_BYTES = 16 * MIB
"""Lines of history that a new device is given, the newest first."""

MAX_HANDED_ITEM_BYTES = 3 * MIB
"""One thing that a new device is given, so that it fits a message; it looks up a larger chain."""

MAX_HANDED_CONTACTS = 1_000
"""Contacts with their chains, 10 to 30 kB each, that a new device is given; it looks up others."""

MAX_KEPT_NOTICES = 16
"""Notices of exits and directives that a device keeps: a user is of one market at a time."""
