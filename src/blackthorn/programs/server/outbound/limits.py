"""Bounds of delivery."""

from blackthorn.wire.units import MIB

SCAN_SECONDS = 5
"""Period of the search for mails whose next attempt is due."""

MAX_WORKERS = 100
"""Connections to others at once (Postfix's default_process_limit); a descriptor each. The mailboxes
here, which need none, have workers of their own.
"""

MAX_WORKERS_PER_DOMAIN = 5
"""Connections to one domain; many servers refuse more from one client. The second is opened once
there is a first.
"""

DUE_DELIVERIES = 100
"""Deliveries of one domain that are looked up at once."""

DUE_DOMAINS = 1_000
"""Domains that one query finds due."""

MAILS_PER_CONNECTION = 100
"""Mails handed over by one connection before another is opened (Postfix: 100)."""

IDLE_SECONDS = 2.0
"""How long a connection is kept for the next mail (Postfix's connection cache: 2 s)."""

LARGE_MAIL_BYTES = 2 * MIB
MAX_LARGE_MAILS = 4
"""From this size on so many mails to others are in memory at once, and one to the mailboxes here.
"""

FIRST_HOLD_SECONDS = 60
LAST_HOLD_SECONDS = 900
"""How long a domain that cannot be reached is left alone; doubles up to the last."""

MAX_HELD_DOMAINS = 10_000
"""Domains that are left alone; beyond, the oldest are tried again."""

DROP_SECONDS = 5.0
"""How long the server's end waits for mails that are being handed over; then as long for what could
not be stored of earlier ones."""

MAX_UNSTORED = 1_000
"""Attempts that could not be stored; from so many on, no mail is handed over until they are."""
