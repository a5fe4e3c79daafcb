"""The bare text of HTML that is too complex for a tree: without tags, in one pass, all of it shown.

What styles hide is shown too, since nothing is laid out.
"""

import html
from collections.abc import Iterator
from typing import Final

_INLINE: Final = frozenset(
    (
        *("a", "abbr", "b", "big", "code", "em", "font", "i", "img", "s", "small", "span"),
        *("strike", "strong", "sub", "sup", "tt", "u", "wbr"),
    )
)
"""Elements that begin no line."""
_UNREAD: Final = ("script", "style", "title")
"""Elements whose content is no text of the mail."""
_COMMENT, _COMMENT_END = "!--", "-->"


def bare_text(source: str) -> str:
    """The texts between the tags, a line for each block, blank lines left out. Never raises."""
    lines = (" ".join(line.split()) for line in "".join(_texts(source)).split("\n"))
    return "\n".join(_unescaped(line) for line in lines if line)


def _texts(source: str) -> Iterator[str]:
    first, *pieces = source.replace("\r\n", "\n").replace("\r", "\n").split("<")
    yield first
    end = ""  # of a comment, or of an element that is not read
    for piece in pieces:
        if end == _COMMENT_END or (not end and piece.startswith(_COMMENT)):
            _, found, rest = piece.partition(_COMMENT_END)
            end = "" if found else _COMMENT_END
            yield rest
            continue
        name = _name(piece)
        if end:
            if name != end:
                continue
            end = ""
        elif name in _UNREAD:
            end = f"/{name}"
            continue
        elif not name:
            yield f"<{piece}"
            continue
        yield "" if name.removeprefix("/") in _INLINE else "\n"
        yield piece.partition(">")[2]


def _name(piece: str) -> str:
    """The name of a tag, behind a slash if it ends an element; "" for what is no tag."""
    head = piece[:20].lower()
    slash = "/" if head.startswith("/") else ""
    if not head.removeprefix("/")[:1].isalpha():
        return "!" if head.startswith(("!", "?", "/")) else ""
    name = head.removeprefix("/")
    for mark in "/>\n\t ":
        name = name.partition(mark)[0]
    return slash + name


def _unescaped(line: str) -> str:
    try:
        return html.unescape(line)
    except ValueError:  # a number of more digits than Python reads
        return line
