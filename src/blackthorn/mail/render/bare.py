"""The bare text of HTML that is too complex for a tree: without tags, in one pass, all of it shown.

What styles hide is shown too, since nothing is laid out. Markup ends where a browser lets it end
(the HTML Standard, 13.2.5), so that nothing that it shows stands in a tag or a script here.
"""

import html
import re
from collections.abc import Iterator
from typing import Final

_INLINE: Final = frozenset(
    (
        *("", "a", "abbr", "b", "big", "code", "em", "font", "i", "img", "s", "small", "span"),
        *("strike", "strong", "sub", "sup", "tt", "u", "wbr"),
    )
)
"""Elements that begin no line; "" is a comment."""
_BEGIN: Final = re.compile(r"<[a-zA-Z/!?]")
_MARKUP: Final = re.compile(
    r"""
    <!-- (?: -?> | .*? --!?> )
    | <(/?[a-zA-Z][^\t\n\f\ />]*+)
      (?: [\t\n\f\ /]++
        | [^\t\n\f\ />] [^\t\n\f\ />=]*+
          (?: [\t\n\f\ ]*+ = [\t\n\f\ ]*+
            (?: "[^"]*+" | '[^']*+' | [^\t\n\f\ >"'] [^\t\n\f\ >]*+ | (?=>) )
          )?+
      )*+ >
    | < (?: !(?!--) | \? | /(?![a-zA-Z]) ) [^>]*+ >
    """,
    re.VERBOSE | re.DOTALL,
)
"""A comment; a tag, whose attributes may hold any of this within quotes; what is neither."""
_RAW: Final = ("script", "style", "title", "textarea", "xmp", "iframe", "noembed", "noframes")
_ENDS: Final = {
    **{name: re.compile(rf"</{name}(?=[\t\n\f />])", re.IGNORECASE) for name in _RAW},
    "plaintext": re.compile(r"(?!)"),
}
"""Elements without markup inside; where they end."""
_UNREAD: Final = ("script", "style", "title")
"""Elements whose content is no text of the mail."""


def bare_text(source: str) -> str:
    """The texts between the tags, a line for each block, blank lines left out. Never raises."""
    lines = (" ".join(line.split()) for line in "".join(_texts(source)).split("\n"))
    return "\n".join(_unescaped(line) for line in lines if line)


def _texts(source: str) -> Iterator[str]:
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    position = 0
    while (start := source.find("<", position)) >= 0:
        yield source[position:start]
        if not _BEGIN.match(source, start):
            yield "<"
            position = start + 1
            continue
        found = _MARKUP.match(source, start)
        if found is None:  # it has no end, so that nothing more is text
            return
        name, position = (found[1] or "").lower(), found.end()
        yield "" if name.removeprefix("/") in _INLINE else "\n"
        if name in _ENDS:
            end = _ENDS[name].search(source, position)
            stop = end.start() if end else len(source)
            yield "" if name in _UNREAD else source[position:stop]
            position = stop
    yield source[position:]


def _unescaped(line: str) -> str:
    try:
        return html.unescape(line)
    except ValueError:  # a number of more digits than Python reads
        return line
