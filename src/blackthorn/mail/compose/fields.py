"""Header fields of composed mail (RFC 5322, 2.2 and 3.6; RFC 2047), 7-bit, in lines of CRLF.

Text of people comes in without line ends and control characters, so that no field can begin inside
another. Each address and each id has a line of its own, far below the 998 octets of a line.
"""

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.header import Header
from email.utils import format_datetime
from typing import Final

from blackthorn.mail.compose import limits
from blackthorn.mail.compose.letter import Letter, Mailbox
from blackthorn.wire.printable import printable

Field = tuple[str, str]
"""Name and value; the value is folded and has no line end at its end."""

HIDDEN_SUBJECT: Final = "[...]"
"""The subject outside of a seal (RFC 9788, 3.1)."""

_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(?: [A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_FOLD: Final = ",\r\n "


def encode(fields: Iterable[Field]) -> bytes:
    """The fields as bytes, each with its line end."""
    return "".join(f"{name}: {value}\r\n" for name, value in fields).encode("ascii")


def header(letter: Letter) -> list[Field]:
    """All fields of a mail but those of its body's type."""
    fields = [
        ("From", mailboxes([letter.sender])),
        ("To", mailboxes(letter.to)),
        ("Cc", mailboxes(letter.cc)),
        ("Subject", unstructured("Subject", letter.subject, limits.MAX_SUBJECT_CHARS)),
        ("Date", date(letter.date)),
        ("Message-ID", letter.message_id),
        ("In-Reply-To", letter.in_reply_to),
        ("References", "\r\n ".join(letter.references)),
    ]
    return [(name, value) for name, value in fields if value]


def mailboxes(people: Iterable[Mailbox], *, names: bool = True) -> str:
    """A list of addresses; without `names` the bare ones."""
    return _FOLD.join(_mailbox(person, names) for person in people)


def _mailbox(person: Mailbox, named: bool) -> str:
    name = " ".join(printable(person.name).split())[: limits.MAX_NAME_CHARS] if named else ""
    if not name:
        return person.address
    if not name.isascii() or "=?" in name:
        # Encoded words (RFC 2047, 5): base64, in which no special character can be.
        shown = Header(name, "utf-8", maxlinelen=70).encode(splitchars="", linesep="\r\n")
    elif _ATOMS.fullmatch(name):
        shown = name
    else:
        shown = '"' + re.sub(r'(["\\])', r"\\\1", name) + '"'
    return f"{shown} <{person.address}>"


def unstructured(name: str, text: str, most: int) -> str:
    """A field of free text, at most `most` characters of it, encoded if it is not ASCII."""
    line = " ".join(printable(text).split())[:most]
    # A text that looks like an encoded word, or has a word too long to fold, is encoded too.
    plain = line.isascii() and "=?" not in line and all(len(w) < 60 for w in line.split())
    charset = "us-ascii" if plain else "utf-8"
    return Header(line, charset, header_name=name, maxlinelen=76).encode(linesep="\r\n")


def date(seconds: int) -> str:
    """A date in UTC: the hour of the day where the writer is stays their own affair."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC))


def message_id(random: bytes, domain: str) -> str:
    """An id of random bytes in the user's domain."""
    return f"<{random.hex()}@{domain}>"
