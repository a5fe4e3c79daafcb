"""An HTML tree as plain text: in order, with cells apart, links' targets, pictures' descriptions.

Nothing is loaded or run. What is hidden from the reader of the HTML, and what a mail program would
fetch from elsewhere, is reported. The text still has to pass `mail.render.text.safe_text`.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final
from urllib.parse import urljoin
from xml.etree.ElementTree import Element

from blackthorn.mail.limits import MAX_URL_BYTES
from blackthorn.mail.render import limits
from blackthorn.mail.render.bare import bare_text
from blackthorn.mail.render.flow import Flow
from blackthorn.mail.render.html import HtmlBudget, TooComplexError, parse_html
from blackthorn.mail.render.remote import remote_hosts
from blackthorn.mail.render.style import Style, inherit, is_apart
from blackthorn.mail.render.table import Cell, Table

_SKIPPED: Final = frozenset(
    [
        "script",
        "style",
        "head",
        "title",
        "template",
        "iframe",
        "noframes",
        "noembed",
        "datalist",
        "rp",
    ]
)
_BLOCKS: Final = frozenset(
    [
        "div",
        "tr",
        "table",
        "tbody",
        "thead",
        "tfoot",
        "section",
        "article",
        "header",
        "footer",
        "main",
        "nav",
        "aside",
        "address",
        "center",
        "form",
        "fieldset",
        "legend",
        "figure",
        "figcaption",
        "dt",
        "dd",
        "details",
        "summary",
        "caption",
        "option",
        "li",
        "td",
        "th",
    ]
)
_PARAGRAPHS: Final = frozenset(
    ["p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "pre", "blockquote", "hr"]
)
_FLOWS: Final = frozenset(("blockquote", "li", "td", "th", "table", "dd"))
"""Elements that are laid out by themselves before they are put into what is around them."""
_LINES_AT_ONCE: Final = 10
"""Lines that are laid out in the time in which an element is made."""
_CUT: Final = "[… cut here]"


@dataclass(frozen=True, slots=True)
class HtmlText:
    """`text`; the beginning of hidden text and its characters; where remote content lies.

    `cut`: the document is longer than what is read of it; `bare`: it is too complex, and its text
    is shown without layout, with what may be hidden.
    """

    text: str
    hidden: str = ""
    hidden_chars: int = 0
    remote: tuple[str, ...] = ()
    cut: bool = False
    bare: bool = False


@dataclass(slots=True)
class _Link:
    url: str
    flow: Flow
    words: int


@dataclass(slots=True)
class _Open:
    """What an element has begun and ends: a flow of its own, and what is written behind it."""

    flow: bool
    behind: str = ""


def html_text(source: str, budget: HtmlBudget | None = None) -> HtmlText:
    """The text of an HTML document, as far as the mail's budget goes. Never raises."""
    budget = HtmlBudget() if budget is None else budget
    cut = len(source) > budget.chars
    source = source[: budget.chars].replace("\0", "")
    budget.chars -= len(source)
    try:
        return _Writer(parse_html(source, budget), budget).run(cut=cut)
    except TooComplexError:
        text = bare_text(source)
        return HtmlText(f"{text}\n{_CUT}" if cut else text, cut=cut, bare=True)


class _Writer:
    """Walks the tree without recursion: each element is entered and left."""

    def __init__(self, root: Element, budget: HtmlBudget) -> None:
        self._root = root
        self._budget = budget
        self._flows = [Flow()]
        self._tables: list[Table] = []
        self._lists: list[int] = []
        self._links: list[_Link | None] = []
        self._open: list[_Open] = []
        self._struck = False
        self._hidden: list[str] = []
        self._hidden_chars = 0
        self._base = ""

    @property
    def _flow(self) -> Flow:
        return self._flows[-1]

    def run(self, *, cut: bool) -> HtmlText:
        for base in self._root.iter("base"):
            href = base.get("href", "")
            self._base = self._base or (href if len(href) <= MAX_URL_BYTES else "")
        for element, style, text in _walk(self._root):
            if style is None:
                self._leave(element)
            elif text is not None:
                self._text(text, style)
            else:
                self._enter(element, style)
        self._strike(False)
        if cut:
            self._flow.add_lines([_CUT])
        hidden = " ".join("".join(self._hidden).split())
        return HtmlText(
            "\n".join(self._flow.finished()),
            hidden[: limits.MAX_HIDDEN_CHARS],
            self._hidden_chars,
            tuple(remote_hosts(self._root)),
            cut,
        )

    def _text(self, text: str, style: Style) -> None:
        if style.hidden:
            words = " ".join(text.split())
            self._hidden_chars += len(words)
            if words and len(self._hidden) < limits.MAX_HIDDEN_CHARS:
                self._hidden.append(f" {words[: limits.MAX_HIDDEN_CHARS]}")
        else:
            if text.strip():
                self._strike(style.struck)
            self._flow.text(text, preformatted=style.preformatted)

    def _strike(self, struck: bool) -> None:
        """Mark where struck text begins and ends, at the latest at the line's end."""
        if struck != self._struck:
            self._flow.text(" [struck out: " if struck else "]")
            self._struck = struck

    def _enter(self, element: Element, style: Style) -> None:
        tag = element.tag
        shown = not style.hidden
        self._begin_block(tag)
        if shown and (style.spread or is_apart(element.attrib)):
            self._flow.text(" ")
        own = tag in _FLOWS and len(self._flows) <= limits.MAX_HTML_FLOWS
        self._open.append(_Open(own))
        if own:
            self._flows.append(Flow())
        match tag:
            case "br":
                self._flow.break_line()
            case "hr" if shown:
                self._flow.add_lines(["-" * 20])
            case "a":
                self._links.append(self._link(element) if shown else None)
            case "table":
                self._tables.append(Table())
            case "tr" if self._tables:
                self._tables[-1].add_row()
            case "ul" | "menu":
                self._lists.append(0)
            case "ol":
                self._lists.append(max(1, _number(element.get("start", ""), 1)))
            case _ if shown:
                self._inline(tag, element)

    def _inline(self, tag: str, element: Element) -> None:
        """What an element shows by itself, or before its text."""
        match tag:
            case "img":
                self._picture(element)
            case "input":
                self._input(element)
            case "button":
                self._begin(" [button: ", "]")
            case "sup" if self._flow.last_letter().isalnum():
                self._flow.text("^")
            case "sub" if self._flow.last_letter().isdigit():
                self._flow.text("_")
            case "rt":
                self._begin("(", ")")
            case "q":
                self._begin('"', '"')

    def _begin(self, before: str, behind: str) -> None:
        """Write before an element's text, and behind it what belongs to it."""
        self._strike(False)
        self._flow.text(before)
        self._open[-1].behind = behind

    def _leave(self, element: Element) -> None:
        tag = element.tag
        begun = self._open.pop()
        if begun.behind or begun.flow or tag in _BLOCKS or tag in _PARAGRAPHS:
            self._strike(False)
        if begun.behind:
            self._flow.text(begun.behind)
        if begun.flow:
            self._join(element, self._flows.pop().finished())
        elif tag == "table" and self._tables:
            self._flow.add_lines(self._tables.pop().lines())
        match tag:
            case "a" if self._links:
                self._end_link(self._links.pop())
            case "ul" | "menu" | "ol" if self._lists:
                self._lists.pop()
        if is_apart(element.attrib):
            self._flow.text(" ")
        self._begin_block(tag)

    def _begin_block(self, tag: str) -> None:
        if tag in _BLOCKS or tag in _PARAGRAPHS or tag == "br":
            self._strike(False)
        if tag in _PARAGRAPHS and not (tag in ("ul", "ol") and self._lists):
            self._flow.paragraph()
        elif tag in _BLOCKS or tag in _PARAGRAPHS:
            self._flow.block()

    def _join(self, element: Element, lines: list[str]) -> None:
        """Put a part that was laid out by itself into what is around it. Raises TooComplexError."""
        self._budget.spend_work(len(lines) // _LINES_AT_ONCE)
        match element.tag:
            case "blockquote":
                self._flow.add_lines(f"> {line}".rstrip() for line in lines)
            case "li":
                self._flow.add_lines(_indented(lines, self._bullet()))
            case "dd":
                self._flow.add_lines(f"  {line}" for line in lines)
            case "td" | "th" if self._tables:
                span = min(_number(element.get("colspan", ""), 1), limits.MAX_COLUMN_SPAN)
                self._tables[-1].add_cell(Cell(lines, max(1, span), element.tag == "th"))
            case "table" if self._tables:
                self._flow.add_lines(lines)
                self._flow.add_lines(self._tables.pop().lines())
            case _:
                self._flow.add_lines(lines)

    def _bullet(self) -> str:
        if not self._lists or not self._lists[-1]:
            return "- "
        self._lists[-1] += 1
        return f"{self._lists[-1] - 1}. "

    def _picture(self, element: Element) -> None:
        described = " ".join((element.get("alt") or element.get("title") or "").split())
        source = element.get("src", "")
        if described:
            self._flow.text(f" [picture: {described}] ")
        elif source.lower().startswith(("cid:", "data:")):
            self._flow.text(" [picture] ")

    def _input(self, element: Element) -> None:
        kind, value = element.get("type", "text").lower(), element.get("value", "")
        if kind in ("checkbox", "radio"):
            self._flow.text(" [x] " if "checked" in element.attrib else " [ ] ")
        elif kind != "hidden" and value:
            self._flow.text(f" [{'button' if kind in ('submit', 'button') else 'field'}: {value}] ")

    def _link(self, element: Element) -> _Link | None:
        """Where a link leads, as a browser reads it: without blanks and line ends."""
        target = "".join(element.get("href", "").split())
        if not target or target.startswith("#"):
            return None
        with contextlib.suppress(ValueError):
            target = urljoin(self._base, target) if self._base else target
        shown = target[:MAX_URL_BYTES] + ("…" if len(target) > MAX_URL_BYTES else "")
        return _Link(shown, self._flow, self._flow.words)

    def _end_link(self, link: _Link | None) -> None:
        if link is None:
            return
        if link.flow is self._flow and _is_same(self._flow.since(link.words), link.url):
            return
        self._flow.text(f" <{link.url}>")


def _walk(root: Element) -> Iterator[tuple[Element, Style | None, str | None]]:
    """Elements as they are entered (with their style) and left (without), and their texts."""
    waiting: list[tuple[Element, Style | None, str | None]] = [(root, Style(), None)]
    while waiting:
        element, style, text = waiting.pop()
        if text is not None or style is None:
            yield element, style, text
            continue
        own = inherit(style, element.tag, element.attrib)
        yield element, own, None
        waiting.append((element, None, None))
        for child in reversed(element):
            if child.tail:
                waiting.append((element, own, child.tail))
            if isinstance(child.tag, str) and child.tag.rpartition("}")[2] not in _SKIPPED:
                waiting.append((child, own, None))
        if element.text:
            waiting.append((element, own, element.text))


def _indented(lines: list[str], bullet: str) -> list[str]:
    return [f"{bullet if not at else ' ' * len(bullet)}{line}" for at, line in enumerate(lines)]


def _number(text: str, default: int) -> int:
    return int(text[:6]) if text[:6].isdecimal() and text[:6].isascii() else default


_SCHEME: Final = re.compile(r"^(?:https?://|mailto:|tel:)", re.IGNORECASE)


def _is_same(text: str, url: str) -> bool:
    """Whether a link's text is its target, so that it needs no other."""
    bare = _SCHEME.sub("", url).rstrip("/")
    return bool(text) and _SCHEME.sub("", text.strip()).rstrip("/").lower() == bare.lower()
