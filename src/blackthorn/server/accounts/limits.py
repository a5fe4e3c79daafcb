"""Bounds of `server/accounts`."""

from blackthorn.wire.units import MIB

ACTIVATION_TRIES = 5
"""Wrong tries that burn an activation code: five guesses at 64 bits tell nothing."""

ACTIVATION_SECONDS_MIN = 60
ACTIVATION_SECONDS_MAX = 30 * 24 * 3600
"""Life of an activation code, the range that BES administrators know."""

MAX_PAIRINGS = 1_000
"""Pairings open at once on one server; each holds two links."""

MAX_RECOVERY_TRIES = 10
"""Tries at a recovery from one address in ten minutes; each reads a chain."""

MAX_PAIRING_RELAYED_BYTES = 64 * MIB
MAX_PAIRING_RELAYED = 4_096
"""What the server relays in one pairing, both ways: a bounded history, contacts, keys."""

USERS_PAGE = 500
"""Users that a command on the host reads in one query."""

PURGED_CODES = 500
PURGED_MAILBOXES = 500
PURGED_PARCELS = 500
"""Expired codes, mailboxes and parcels of devices that are gone, in one command of a purge:
the writer is busy for 2 ms at most."""

ENROLMENT_PACKAGE_DAYS = 26
"""Whole days on which a new device's first key packages are handed out; they live for 28."""

ENROLMENT_LAST_RESORT_DAYS = 396
"""The same of its last-resort key package, which lives for 398."""
