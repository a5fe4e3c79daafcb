"""Bounds of `device/mail`: each with its name, its unit and its reason."""

from blackthorn.mail.limits import MAX_MAIL_BYTES

MAX_SEALED_BYTES = 2 * MAX_MAIL_BYTES
"""One sealed mail: armor adds a third."""

MAX_LISTED_MAILS = 500_000
"""Mails of one listing, about 140 bytes each: 70 MB of memory, or 27 years of 50 mails a day."""
