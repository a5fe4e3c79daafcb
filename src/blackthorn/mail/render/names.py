"""Names of attachments, read or written: without a path, safe to show and to save, with a suffix.

A name that is too long loses its middle, since the suffix says what the file is.
"""

from typing import Final

from blackthorn.mail import limits
from blackthorn.mail.render.text import safe_line

_SUFFIX_CHARS: Final = 16
"""Longest suffix that is kept, as `.tar.gz`."""


def file_name(raw: str) -> str:
    """The last part of `raw` as a file name of at most MAX_NAME_BYTES; "" if nothing is left."""
    base = raw.replace("\\", "/").rpartition("/")[2]
    name = safe_line(base, limits.MAX_MAIL_HEADER_BYTES)
    return shorten(
        name.lstrip(". -").rstrip(". "), limits.MAX_RENDERED_NAME_CHARS, limits.MAX_NAME_BYTES
    )


def shorten(name: str, most_chars: int, most_bytes: int) -> str:
    """`name`, or its beginning and its suffix, within both bounds."""
    if len(name) <= most_chars and len(name.encode()) <= most_bytes:
        return name
    suffix = _suffix(name)
    room = most_bytes - len(suffix.encode()) - len("…".encode())
    stem = name[: max(0, most_chars - len(suffix) - 1)].encode()[:room].decode("utf-8", "ignore")
    return f"{stem.rstrip()}…{suffix}"


def _suffix(name: str) -> str:
    """The end from a dot on, with a second short one as in `.tar.gz`."""
    stem, dot, last = name.rpartition(".")
    if not dot or not stem or len(last) >= _SUFFIX_CHARS or " " in last:
        return ""
    inner = stem.rpartition(".")
    second = f".{inner[2]}" if inner[0] and inner[2].isalpha() and len(inner[2]) <= 4 else ""
    return f"{second}.{last}"
