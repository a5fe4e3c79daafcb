"""Bounds of `device/mail`: each with its name, its unit and its reason."""

from blackthorn.mail.limits import MAX_MAIL_BYTES

MAX_SEALED_BYTES = 2 * MAX_MAIL_BYTES
"""One sealed mail: armor adds a third."""

MAX_LISTED_MAILS = 500_000
"""Mails of one listing, about 140 bytes each: 70 MB of memory, or 27 years of 50 mails a day."""

MAX_CERTIFICATES_PER_ANSWER = 8
"""Certificates in one answer about an address: an old one, a new one, and room for a few."""

MAX_CERTIFICATE_FILE_BYTES = 1 << 20
"""A file with a person's certificates: eight of 64 KiB, armored, and room."""

MAX_OUTSIDE_MISSES = 1_000
"""Addresses outside without a certificate whose last lookup is remembered."""

LOOKUP_FRESH_SECONDS = 86_400
"""How long an answer about an address outside is good before its domain is asked again."""

MAX_HEADER_KEYS = 5_000
"""Addresses outside that are known before a mail's header makes known no more: 10 MB. Anyone can
send such headers; the domain's word is still taken."""

MAX_AUTOCRYPT_FIELDS = 4
"""Autocrypt fields of one mail that are read: one is the sender's, others are a list's at most."""
