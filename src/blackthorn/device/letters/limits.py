"""Bounds of `device/letters`: each with its name, its unit and its reason."""

from blackthorn.link.limits import MAX_SUBMITTED_PIECE_BYTES
from blackthorn.wire.units import MIB

MAX_KEPT_LETTERS = 200
"""Drafts and mails on their way that a device keeps, of up to 18 MiB each."""

MAX_SENT_LETTERS = 1_000
"""Mails sent by this device of which it remembers who got them; their text is on the server."""

PIECE_BYTES = MAX_SUBMITTED_PIECE_BYTES
"""A mail's bytes in one row, and in one frame to the server."""

MAX_BLIND_BYTES = 256 * MIB
"""Text and attachments of one mail times its Bcc recipients: each has a sealed copy of their own,
which is stored here and sent to the server. 100 people get 2.5 MiB, 14 get 18."""

MAX_SEALED_TO = 60
"""Certificates that one sealed copy is for: a device tries its key on at most 64."""

CLOCK_APART_SECONDS = 1_800
"""How far the clock may be from the ledger's time for mail: others refuse signatures of later."""

LOOKUP_SECONDS = 86_400
LOOKUP_AGAIN_SECONDS = 60
"""How long a mail waits for a domain that does not answer for a recipient's key, and how often it
is asked; then the mail is a draft again."""
