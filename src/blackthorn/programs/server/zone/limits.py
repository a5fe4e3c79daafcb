"""Bounds of `programs/server/zone`."""

from blackthorn.wire.units import KIB

MAX_QUESTIONS = 400
"""Questions of one check; a domain with ten includes asks about a hundred."""

POLICY_SECONDS = 15
"""Time to fetch the MTA-STS policy; senders allow a minute (RFC 8461, 3.3)."""

MAX_POLICY_BYTES = 64 * KIB
"""Its size (RFC 8461, 3.2)."""
