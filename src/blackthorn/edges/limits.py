"""Bounds of `edges`."""

from blackthorn.wire.units import MIB

MAX_SMTP_CONNECTIONS = 200
MAX_SMTP_CONNECTIONS_PER_CLIENT = 50
"""Open SMTP connections, in all and from one address (Postfix's default for one)."""

MAX_MAIL_BYTES_IN_MEMORY = 64 * MIB
"""Unsealed mail held in memory at once over all connections; beyond it 452."""

MAX_MAIL_BYTES_IN_MEMORY_PER_CLIENT = 32 * MIB
"""The part of MAX_MAIL_BYTES_IN_MEMORY that one address may hold: the largest mail fits."""
