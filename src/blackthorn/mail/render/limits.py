"""Bounds of `mail/render`: each with its name, its unit and its reason."""

from blackthorn.mail.limits import MAX_MAIL_BYTES
from blackthorn.wire.units import KIB, MIB

MAX_HTML_TOKENS = 60_000
"""Tags, texts and comments read of the HTML of one mail, about two seconds; more is bare text."""

MAX_HTML_CHARS = 2 * MIB
"""Characters read of the HTML of one mail; the rest is cut, which is said, and attached."""

MAX_HTML_STEPS = 1_000_000
"""Steps of the tokenizer in the HTML of one mail, about two seconds; more is bare text."""

MAX_HTML_TOKEN_STEPS = 20_000
"""Steps of the tokenizer in one tag or comment; each may copy what was read of it."""

MAX_HTML_ATTRIBUTES = 100
"""Attributes of one tag: each is compared with all before it."""

MAX_HTML_DEPTH = 128
"""Nested elements of one HTML part; tags beyond it are left out, their text stays."""

MAX_HTML_FORMATTING = 40
"""Unclosed elements of formatting (bold, font) at one place: each block opens all of them again."""

MAX_HTML_WORK = 250_000
"""Elements made, moved or searched for in the HTML of one mail, some two seconds: about two for
each tag, more where tags are closed in a wrong order."""

MAX_HTML_FLOWS = 24
"""Nested quotes, list items and cells that are laid out by themselves; each copies its text."""

MAX_HIDDEN_CHARS = 200
"""Characters shown of text that an HTML part hides: enough to see what it is."""

MAX_REMOTE_HOSTS = 5
"""Hosts named of an HTML part's remote pictures; more are counted."""

MAX_COLUMN_SPAN = 20
"""Columns that one table cell may span in a text."""

MAX_CALENDAR_CHARS = 256 * KIB
"""One calendar part that is shown; invitations have a few kilobytes."""

MAX_CALENDAR_LINES = 5_000
"""Lines of one calendar part that is shown; each costs the library 20 microseconds."""

MAX_CALENDAR_ENTRIES = 50
"""Entries of one calendar, and people of one entry, that are shown."""

MAX_OPENED_PARTS = 8
"""Sealed or packed parts of one mail that are opened: few have two, and the process that opens a
hostile one may work for MAX_OPENING_SECONDS."""

MAX_WALK_DEPTH = 60
"""Parts within parts, those in opened ones counted on; deeper ones are attachments."""

MAX_SHOWN_MESSAGES = 20
"""Attached messages whose text is shown; more are only attachments."""

MAX_ATTACHED_MESSAGE_BYTES = 2 * MAX_MAIL_BYTES
"""Attached messages of one mail that can be saved, in all, those within each other counted again:
each holds a copy of all that are in it."""

MAX_SHOWN_ATTACHMENTS = 2_000
"""Attachments of one mail: twice its parts, since a text or a winmail.dat may hold several."""

MAX_RENDERED_LINES = 20_000
"""Lines of text that one mail shows on a terminal; the rest is cut and said so."""

MAX_SHOWN_CALENDARS = 5
"""Calendar parts of one mail that are shown, half a second each at worst; more are attachments."""
