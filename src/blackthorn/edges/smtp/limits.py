"""Bounds of `edges/smtp`."""

from blackthorn.wire.units import MIB

MAX_SMTP_RECIPIENTS = 100
"""RCPT commands a transaction (RFC 5321, 4.5.3.1.8 asks for at least 100)."""

SMTP_TIMEOUT_SECONDS = 300
"""Silence on an SMTP connection (RFC 5321, 4.5.3.2)."""

LARGE_MAIL_BYTES = 4 * MIB
"""From this size on mails are sealed and stored one at a time: each is held several times over."""

MAX_SEALED_BATCH_BYTES = 32 * MIB
"""Mail times recipients that is sealed and stored as one; more recipients come in turns."""

MIN_SMTP_BYTES_PER_SECOND = 500
SPEED_SECONDS = 30
"""Slowest mail data, and over which time before now it is measured; Postfix's smtpd_min_data_rate,
against connections held by a trickle."""

SPEED_GRACE_SECONDS = 5
"""Time in which a mail is not compared with others when the memory for mail is full."""

MAX_DATA_SECONDS = 1_800
"""Time for one mail's data: the largest mail at 15 kB/s."""

MAX_MAIL_TIMES_RECIPIENTS = 256 * MIB
"""Size of a mail times its RCPT commands: ten of the largest mail."""

MAX_SMTP_COPIES = 1_000
"""Users who get one mail, members of lists among them: ten of the largest lists."""

MAX_MAIL_TIMES_COPIES = 1_024 * MIB
"""Size of a mail times the users who get it, members of lists among them, each of whom gets a
sealed copy: 10 MiB to the largest list."""

MAX_SMTP_COMMAND_BYTES = 1_024
"""One SMTP command line: RFC 5321's 512 and what SMTPUTF8 and SIZE add."""

MAX_SMTP_ERRORS = 20
"""Refused commands on one connection before it is closed (Postfix's hard error limit)."""

MAX_SMTP_JUNK_COMMANDS = 100
"""NOOP, RSET, VRFY and their like on one connection (Postfix's junk command limit)."""

MAX_SMTP_CHUNKS = 5_000
"""BDAT commands of one mail (RFC 3030): each costs a command; 5 KiB each make the largest mail."""

FREE_UNKNOWN_RECIPIENTS = 3
"""Unknown recipients of one connection that are answered at once: people mistype."""

MAX_TARPIT_SECONDS = 5
"""Longest wait of the reply to a further unknown recipient, a second more each: who tries names
learns few."""
