"""mail.mbox in the "mboxrd" form of RFC 4155, whose quoting is reversible.

Lines end in LF. A line of any number of ">" before "From " gets one more ">".
"""

import re
import time
from collections.abc import Iterator
from typing import IO, Final

_FROM: Final = re.compile(rb"^(>*From )", re.MULTILINE)
_QUOTED: Final = re.compile(rb"^>(>*From )", re.MULTILINE)
_BLANKS: Final = re.compile(r"[^!-~]")
_SENDER_CHARACTERS: Final = 320
_LAST_SECOND: Final = 253_402_300_799
"""9999-12-31 23:59:59: the year has four digits."""


def normal(content: bytes) -> bytes:
    """A mail as an mbox stores it: CRLF becomes LF, and the last line is ended."""
    text = content.replace(b"\r\n", b"\n")
    return text if not text or text.endswith(b"\n") else text + b"\n"


def entry(content: bytes, sender: str, received_ms: int) -> Iterator[bytes]:
    """One mail of the file: "From " line (UTC), the mail, an empty line."""
    moment = time.gmtime(min(max(received_ms, 0) // 1000, _LAST_SECOND))
    who = _BLANKS.sub("", sender)[:_SENDER_CHARACTERS] or "MAILER-DAEMON"
    yield f"From {who} {time.asctime(moment)}\n".encode()
    yield _FROM.sub(rb">\1", normal(content))
    yield b"\n"


def mails(file: IO[bytes]) -> Iterator[bytes]:
    """The mails of a file, as `normal` returns them; bytes before the first "From " line are one
    too.

    A mail ends at an empty line before "From ", or at the end of the file.
    """
    lines: list[bytes] = []
    begun = False
    while line := file.readline():
        if line.startswith(b"From ") and (not begun or lines[-1:] == [b"\n"]):
            if begun:
                yield _unquoted(lines)
            lines, begun = [], True
        else:
            begun = True
            lines.append(line)
    if begun:
        yield _unquoted(lines)


def _unquoted(lines: list[bytes]) -> bytes:
    body = lines[:-1] if lines[-1:] == [b"\n"] else lines
    return _QUOTED.sub(rb"\1", b"".join(body))
