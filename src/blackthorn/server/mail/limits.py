"""Bounds of `server/mail`."""

from blackthorn.wire.units import KIB

MAIL_PIECE_BYTES = 256 * KIB
"""Sealed bytes of large mails in one transaction: about 2 ms of the writer, between which messages
are committed. Half of it doubles the time for a mail; twice of it makes the slowest commits longer,
by half."""

MAIL_AT_ONCE_BYTES = 64 * KIB
"""Sealed bytes that one mail, to all its recipients, writes together with its rows; others go ahead
in pieces. Below a piece, since many mails may come at once."""

REMOVED_PIECES = 2
"""Pieces of mails given up that one command deletes and overwrites."""

MAX_CACHED_CERTIFICATES = 1_000
"""Parsed certificates kept for the answers to RCPT; parsing and trying one takes 0.5 ms."""

MAILBOX_MIB = 4_096
"""Sealed mail of one user on the server in MiB; `smtp.mailbox_mib` in the settings."""

MAILBOX_MIB_PER_HOUR = 256
"""Sealed mail in MiB that one user gets at once or in an hour, seven of the largest mail;
`smtp.mailbox_mib_per_hour` in the settings."""

SEALED_TO_PLAIN = 1.4
"""Size of a sealed mail to that of the mail, for the answer to RCPT."""

MAX_COUNTED_MAILBOXES = 10_000
"""Users whose mail is counted in memory; others are read again."""

TELL_USED = 0.9
"""Part of the quota from which on the user's device is told how much there is."""
