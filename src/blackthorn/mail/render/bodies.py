"""The text of one part: charset, line breaks and markup removed, by its type."""

import re
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

from blackthorn.mail.mime.structure import Part
from blackthorn.mail.render.flowed import unflow
from blackthorn.mail.render.html import HtmlBudget
from blackthorn.mail.render.html_text import HtmlText, html_text
from blackthorn.mail.render.text import charset_name, decode_charset

_META_CHARSET: Final = re.compile(rb"<meta[^>]{0,200}charset\s*=\s*[\"']?([\w.:-]{1,40})", re.I)
_META_BYTES: Final = 2_048
"""Where HTML names its charset; browsers look at 1,024."""
_LEGACY_DISPLAY: Final = re.compile(
    r"\A(?:(?:Subject|From|To|Cc|Date|Reply-To|Followup-To): .*+\n)++\n", re.IGNORECASE
)
"""Fields that stand in the header too, then an empty line (RFC 9788, 4.5.3): nothing else is."""
_ENRICHED: Final = re.compile(r"<(/?)([A-Za-z0-9-]{1,60})>|<<")
_WORD: Final = re.compile(r"\w+")
_MAX_WORDS: Final = 20_000


@dataclass(frozen=True, slots=True)
class Body:
    """The text of a part, and what its HTML hides or would fetch."""

    text: str
    html: HtmlText | None = field(default=None)


def body_of(part: Part, data: bytes, budget: HtmlBudget | None = None) -> Body:
    """The text of a text part from its decoded bytes. Never raises."""
    charset = part.parameters.get(b"charset", b"")
    if part.type == b"text/html":
        if not charset_name(charset) and (found := _META_CHARSET.search(data[:_META_BYTES])):
            charset = found[1]
        html = html_text(decode_charset(data, charset), budget)
        return Body(html.text, html)
    text = decode_charset(data, charset).replace("\r\n", "\n").replace("\r", "\n")
    if part.type in (b"text/enriched", b"text/richtext"):
        return Body(_enriched(text))
    if part.parameters.get(b"format", b"").lower() == b"flowed":
        text = unflow(text, delsp=part.parameters.get(b"delsp", b"").lower() == b"yes")
    if part.parameters.get(b"hp-legacy-display") == b"1":
        text = _LEGACY_DISPLAY.sub("", text, count=1)
    return Body(text)


def _enriched(text: str) -> str:
    """text/enriched (RFC 1896) without its commands; a single line end is a blank."""
    plain: list[str] = []
    position = skipped = 0
    for found in _ENRICHED.finditer(text):
        if not skipped:
            plain.append(text[position : found.start()])
        position = found.end()
        if found[0] == "<<":
            plain.append("<")
        elif found[2].lower() in ("param", "comment"):
            skipped = max(0, skipped + (-1 if found[1] else 1))
    if not skipped:
        plain.append(text[position:])
    return re.sub(r"\n+", lambda run: "\n" * (len(run[0]) - 1) or " ", "".join(plain))


def words(text: str) -> list[str]:
    """The words of a text, lower case, to compare the versions of a mail."""
    found = islice(_WORD.finditer(text.lower()), _MAX_WORDS)
    return [word[0] for word in found]
