"""Bounds of `server/mail`."""

from blackthorn.wire.units import KIB, MIB

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

CERTIFICATE_LOOKUPS = 50
CERTIFICATE_LOOKUPS_PER_HOUR = 200
"""Addresses outside for which a device asks at once, and in an hour: a mail to many, and a day's
correspondence. More would make this server a scanner of others."""

MAX_CERTIFICATE_LOOKUPS_AT_ONCE = 16
"""Domains asked at a time, of all devices."""

CERTIFICATE_KEPT_SECONDS = 3_600
NO_CERTIFICATE_KEPT_SECONDS = 600
"""How long an answer about an address outside is kept in memory, with a certificate and without."""

MAX_KEPT_CERTIFICATES = 5_000
MAX_KEPT_CERTIFICATE_BYTES = 16 * MIB
"""Answers kept, and their bytes."""

MAX_WAITING_TRACES = 10_000
"""Traces of mail that wait to be written together; beyond it the oldest are forgotten."""

TRACE_DAYS = 14
"""How long what became of a mail can be looked up by its id."""

MAX_LIST_MEMBERS = 100
"""Users of one distribution list: each gets a sealed copy of each mail."""
