"""Bounds of `edges/outbound`."""

from blackthorn.wire.units import KIB

SMTP_PORT = 25
"""TCP port of mail servers (RFC 5321, 4.5.4.2)."""

CONNECT_SECONDS = 30
"""Time to connect and to end a TLS handshake (Postfix's smtp_connect_timeout)."""

AUTHORITIES_SECONDS = 3_600
"""How long the machine's authorities, once read, are used: a changed one counts within an hour."""

COMMAND_SECONDS = 300
"""Time for the answer to a command (RFC 5321, 4.5.3.2)."""

DATA_SECONDS = 600
"""Time for a mail's data and the answer to it (RFC 5321, 4.5.3.2.6)."""

QUIT_SECONDS = 3
"""Time for the answer to QUIT, on which nothing depends."""

MAX_SERVERS = 5
"""Mail servers of a domain that are tried in one attempt (Postfix's smtp_mx_address_limit)."""

MAX_ADDRESSES = 3
"""Addresses of one mail server that are tried in one attempt."""

MAX_TRANSACTION_RECIPIENTS = 100
"""Recipients of one transaction, which every server takes (RFC 5321, 4.5.3.1.8)."""

MAX_LINE_BYTES = 998
"""A line of a mail without its end (RFC 5321, 4.5.3.1.6): longer ones are broken on the way."""

DATA_PIECE_BYTES = 256 * KIB
"""Of a mail that are checked, or encrypted and written, at once: a millisecond, for which all else
waits."""

MAX_REPLY_CHARS = 500
"""Characters kept of a server's reply."""

MAX_POLICY_BYTES = 64 * KIB
"""An MTA-STS policy (RFC 8461, 3.2, suggests this bound)."""

POLICY_SECONDS = 60
"""Time to fetch a policy (RFC 8461, 3.3)."""

MAX_POLICY_AGE_SECONDS = 31_557_600
"""The longest that a policy is kept (RFC 8461, 3.2)."""

POLICY_RETRY_SECONDS = 300
"""How long a domain whose policy could not be fetched is not asked again (RFC 8461, 3.3)."""

MAX_CACHED_POLICIES = 10_000
"""Domains whose policies, or their absence, are kept in memory."""
