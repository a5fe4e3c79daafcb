"""Text for a terminal: the one door that text of others passes before a person sees it.

    printable(text)         one line: no control, escape, direction or hidden character, no line end
    printable_lines(text)   the lines of a longer text, each of them so
    bracketed(name)         a name in square brackets that it cannot close
    printable_json(text)    the same JSON document, whose unsafe characters are escaped

Names, texts, subjects, reasons, file names: by any author, they cannot move the cursor, clear
the screen, set a title, turn the direction of writing or begin a line of their own.
"""

from functools import cache
from typing import Final, NewType

Printable = NewType("Printable", str)
"""Text that is safe on a terminal; only this module makes it."""

_CONTROL = (*range(0x20), *range(0x7F, 0xA0), *range(0xD800, 0xE000), *range(0xFFF9, 0xFFFC))
_DIRECTION = (0x061C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A))
_HIDDEN = (0x00AD, 0x034F, 0x180E, 0x200B, *range(0x2060, 0x2065), *range(0x206A, 0x2070), 0xFEFF)
_TAGS = range(0xE0000, 0xE0080)
_LINE_ENDS = (0x0A, 0x85, 0x2028, 0x2029)

TABLE: Final[dict[int, str | None]] = {
    **dict.fromkeys(_CONTROL, "\N{REPLACEMENT CHARACTER}"),
    **{code: f"[U+{code:04X}]" for code in _DIRECTION},
    **dict.fromkeys((*_HIDDEN, *_TAGS)),
    0x09: "    ",
    **dict.fromkeys(_LINE_ENDS, "\n"),
}
"""For `str.translate`: direction marks are shown, hidden characters vanish, lines end by LF."""

_BRACKETS: Final = str.maketrans("[]", "()")


def printable(text: str) -> Printable:
    """`text` as one line."""
    return Printable(_plain(text).replace("\n", " "))


def printable_lines(text: str) -> list[Printable]:
    """The lines of `text`; one empty line for an empty text."""
    return [Printable(line) for line in _plain(text).split("\n")]


def bracketed(name: str) -> Printable:
    """`name` in square brackets; those in it are shown round, and spaces as one."""
    shown = " ".join(printable(name).split())
    return Printable(f"[{shown.translate(_BRACKETS)}]")


def printable_json(document: str) -> Printable:
    """The same JSON document, whose unsafe characters are escaped."""
    return Printable(document.translate(_escapes()))


def _plain(text: str) -> str:
    return text.replace("\r\n", "\n").replace("\r", "\n").translate(TABLE)


@cache
def _escapes() -> dict[int, str]:
    """All unsafe characters but the line feed, by which a document may be laid out."""
    return {code: _escape(chr(code)) for code in TABLE if code != 0x0A}


def _escape(letter: str) -> str:
    units = letter.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
