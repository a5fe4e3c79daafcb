"""Bounds of `mail/unpack`: each with its name, its unit and its reason."""

MAX_UNPACKED_FILES = 200
"""Files in one winmail.dat, or in one uuencoded text."""

MAX_TNEF_ATTRIBUTES = 20_000
"""Attributes of one winmail.dat; Outlook writes some 30, and 10 for each file."""

MAX_MAPI_PROPERTIES = 2_000
"""Properties of one message or file in it, and values of one property; Outlook writes some 100."""

MAX_UUENCODE_LINES = 600_000
"""Lines of uuencode in one text: 25 MiB have 420,000."""

MAX_OPENPGP_BLOCKS = 20
"""Sealed or signed blocks in one plain text."""
