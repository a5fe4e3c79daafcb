"""Bounds of `mail/compose`: each with its name, its unit and its reason."""

from blackthorn.wire.units import KIB, MIB

MAX_COMPOSED_BYTES = 18 * MIB
"""One composed mail before sealing, which makes 1.38 of it: 25 MiB, what servers take. Attachments
have grown by 1.37 before."""

MAX_TEXT_BYTES = 2 * MIB
"""The text that a person writes in one mail; a longer one is a file to attach."""

MAX_ADDRESSED = 100
"""Recipients of one mail, To, Cc and Bcc together: RFC 5321 asks servers to take 100."""

MAX_ATTACHED_FILES = 100
"""Attachments of one mail; a folder of more is one archive."""

MAX_SUBJECT_CHARS = 500
"""Characters of a subject, which other programs show in one line."""

MAX_NAME_CHARS = 120
"""Characters of a person's name in From, To or Cc."""

MAX_REFERENCES = 20
"""Ids in References: the first and the newest ones of a thread (RFC 5537, 3.4.4 trims likewise)."""

MAX_MESSAGE_ID_BYTES = 250
"""One id of another mail that a reply names; a longer one is left out."""

MAX_ADDRESS_LIST_BYTES = 32 * KIB
"""From, To or Cc of a mail: what follows is neither answered nor looked at."""

MAX_QUOTED_BYTES = 128 * KIB
"""Quoted text of a reply; the rest is cut and said so."""

LINE_CHARS = 72
"""Characters of a line of text, after which it goes on softly (RFC 3676, 4.2: at most 78)."""
