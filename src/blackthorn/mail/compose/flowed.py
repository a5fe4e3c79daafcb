"""Text as format=flowed (RFC 3676): paragraphs flow again in the reader's window.

Lines end in CRLF. A soft end is a space before it. Quoted lines and lines of code stay as they are:
only a line above LINE_CHARS is broken, at its spaces, and one without spaces stays whole.
"""

from collections.abc import Iterator
from typing import Final

from blackthorn.mail.compose import limits

_SIGNATURE: Final = "-- "


def flow(text: str) -> str:
    """The lines of `text`, stuffed and broken softly."""
    return "".join(f"{line}\r\n" for line in _lines(text.rstrip("\n")))


def _lines(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        if line == _SIGNATURE:
            yield line
            continue
        line = line.rstrip(" ")  # else it would flow into the next (RFC 3676, 4.1)
        prefix = _quote(line)
        rest = line[len(prefix) :]
        while len(prefix) + len(rest) > limits.LINE_CHARS:
            room = limits.LINE_CHARS - len(prefix)
            at = rest.rfind(" ", 1, room)
            at = at if at > 0 else rest.find(" ", room)
            if at <= 0:
                break
            yield prefix + _stuffed(rest[: at + 1], prefix)
            rest = rest[at + 1 :]
        yield prefix + _stuffed(rest, prefix)


def _quote(line: str) -> str:
    """The marks of quotation before a line, `> > ` as `>>`; "" for own text."""
    depth = len(line) - len(line.lstrip(">"))
    return line[:depth] if 0 < depth <= limits.LINE_CHARS // 2 else ""


def _stuffed(line: str, prefix: str) -> str:
    """Space-stuffing (RFC 3676, 4.4): after a quotation, before a blank, `>` and `From `."""
    if prefix:
        return line if line.startswith(" ") or not line else " " + line
    return " " + line if line.startswith((" ", ">", "From ")) else line


def quote(text: str) -> str:
    """The text as a quotation: one `>` more before each line."""
    lines = text.rstrip("\n").split("\n")
    marked = [f">{line}" if line.startswith(">") else f"> {line}".rstrip() for line in lines]
    return "".join(f"{line}\n" for line in marked)
