"""Bounds of `server/outbound`."""

from blackthorn.wire.units import MIB

MAX_RECIPIENTS = 1_000
"""Recipients of one submitted mail (Postfix's smtpd_recipient_limit)."""

FIRST_RETRY_SECONDS = 300
"""Pause after the first failed attempt; greylisting ends about then. Later ones double."""

LAST_RETRY_SECONDS = 4_000
"""The longest pause between attempts (Postfix's maximal_backoff_time)."""

QUEUE_HOURS = 120
"""Hours after which an undelivered mail is given up (RFC 5321, 4.5.4.1: 4 to 5 days);
`outbound.queue_hours` in the settings."""

WARN_HOURS = 4
"""Hours after which the sender is told that a mail waits."""

SUBMISSION_DAYS = 7
"""Days for which a device may repeat a submission whose answer was lost."""

PURGED_SUBMISSIONS = 1_000
"""Old tokens of submissions that one command deletes."""

MAX_QUEUED_DELIVERIES = 1_000_000
"""Deliveries in the queue, of all users; more are deferred."""

RECIPIENTS_PER_HOUR = 2_000
"""Recipients of all mail that one user sends in an hour, so that a stolen password sends no flood;
`outbound.recipients_per_hour` in the settings."""

MAX_DIAGNOSTIC_CHARS = 500
"""Characters kept of what another server answered, for the sender's report."""

MAX_COUNTED_SENDERS = 10_000
"""Users whose recipients are counted in memory; others begin anew."""

MAX_UPLOADS_PER_USER = 3
"""Mails of one user that come in at a time from devices: they have few devices, and may wait."""

MAX_UPLOAD_BYTES = 256 * MIB
"""Mail of all devices that is still coming in, as announced: ten of the largest."""

UPLOAD_IDLE_SECONDS = 300
"""Time after which a mail that stopped coming in is dropped: a device that is back sooner goes on
where it was."""

MAX_APP_PASSWORDS = 20
"""App passwords of one user; each is tried at a login, for 10 ms."""

MAX_APP_NAME_CHARS = 40
"""Characters of the name of an app password."""

LOGIN_TRIES = 10
LOGIN_TRIES_SECONDS = 600
"""Wrong passwords of one client, or for one user, in so many seconds; then they wait."""

MAX_COUNTED_CLIENTS = 10_000
"""Clients and users whose wrong passwords are counted in memory."""

MAX_LOGINS_AT_ONCE = 2
"""Passwords hashed at once, each with 8 MiB and a core; other logins wait."""

MAX_LOGIN_NAME_CHARS = 254
"""Characters of a login name that are counted by."""

MAX_PASSWORD_BYTES = 256
"""A longer password is wrong."""
