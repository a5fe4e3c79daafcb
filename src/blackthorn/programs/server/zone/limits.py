"""Bounds of `programs/server/zone`."""

MAX_QUESTIONS = 400
"""Questions of one check; a domain with ten includes asks about a hundred."""

POLICY_SECONDS = 15
"""Time to fetch the MTA-STS policy; senders allow a minute (RFC 8461, 3.3)."""
