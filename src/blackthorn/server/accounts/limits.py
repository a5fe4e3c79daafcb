"""Bounds of `server/accounts`."""

from blackthorn.wire.units import MIB

MAX_CLIENT_TRIES = 10
TRIES_SECONDS = 600
"""Unproven tries of one client at activation codes in so many seconds, as many at recovery keys,
and as many joins of pairings, three of which burn a pairing; a client is an IPv4 address or an IPv6
/56."""

TRIES_PER_SECOND = 20
TRIES_AT_ONCE = 2
"""Activation tries that are challenged in a second, and how many of them without a pause: each
takes the event loop 7 ms."""

MAX_WAITING_TRIES = 16
"""Activation tries of one code that wait to be challenged."""

MAX_UNPROVEN_CODES = 1_000
"""Codes remembered as tried and not proven, for a line of the log."""

ACTIVATION_SECONDS_MIN = 60
ACTIVATION_SECONDS_MAX = 30 * 24 * 3600
"""Life of an activation code, the range that BES administrators know."""

MAX_PAIRINGS = 1_000
"""Pairings open at once on one server; each holds two links."""

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
