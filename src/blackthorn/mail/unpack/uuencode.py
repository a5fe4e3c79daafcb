"""Files in the text of a mail by uuencode (POSIX), as programs wrote before MIME."""

import binascii
import re
from dataclasses import dataclass
from typing import Final

from blackthorn.mail.unpack import limits

_BEGIN: Final = re.compile(rb"^begin[ \t]++[0-7]{3,4}+[ \t]++([^\r\n]{1,250}+)\r?$", re.MULTILINE)
"""Possessive, so that blanks are not divided in all ways."""


@dataclass(frozen=True, slots=True)
class UuFile:
    """A file: the text's bytes from `start` to `end` hold it."""

    name: bytes
    data: bytes
    start: int
    end: int


def find_uuencoded(text: bytes) -> list[UuFile]:
    """The complete files in a text, in order. One without its end, or damaged, stays text."""
    found: list[UuFile] = []
    position = budget = 0
    while len(found) < limits.MAX_UNPACKED_FILES:
        begin = _BEGIN.search(text, position)
        if begin is None:
            break
        lines: list[bytes] = []
        position = at = begin.end() + 1
        while budget < limits.MAX_UUENCODE_LINES:
            budget += 1
            end = text.find(b"\n", at)
            line = text[at : end if end >= 0 else len(text)].rstrip(b"\r\n")
            at = end + 1 if end >= 0 else len(text)
            data = None if line == b"end" else _decoded(line)
            if data is None:
                if line == b"end":
                    name = begin[1].strip().strip(b'"')
                    found.append(UuFile(name, b"".join(lines), begin.start(), at))
                    position = at
                break
            lines.append(data)
    return found


def _decoded(line: bytes) -> bytes | None:
    """The bytes of one line; None for what is none. A line may lack its last blanks."""
    if not line or not 0x20 <= line[0] <= 0x60:
        return None
    size = (line[0] - 0x20) & 0x3F
    letters = (size + 2) // 3 * 4
    if len(line) - 1 > letters + 2:
        return None
    try:
        return binascii.a2b_uu(line[: letters + 1])
    except binascii.Error:
        return None
