"""Bounds of `server/mail`."""

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
