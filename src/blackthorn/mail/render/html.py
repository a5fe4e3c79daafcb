"""Parses hostile HTML into a tree (the HTML Standard, by html5lib), with bounds on its work.

html5lib itself has none: its time grows with the square of attributes, comments, nesting, unclosed
formatting, misplaced parts of tables and texts in pieces. Never here: what the tree means as text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from xml.etree.ElementTree import Element

from html5lib import getTreeBuilder
from html5lib._tokenizer import HTMLTokenizer
from html5lib.constants import tokenTypes
from html5lib.html5parser import HTMLParser

from blackthorn.mail.render import limits

_START_TAG: Final = tokenTypes["StartTag"]
_VOID: Final = frozenset(("br", "hr", "img", "input", "wbr", "area", "base", "link", "meta"))
_FORMATTING: Final = frozenset(
    (
        *("b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt"),
        *("u", "applet", "marquee", "object"),
    )
)
"""What html5lib keeps in a list, mostly to open it again in each block; of `a` it keeps one."""
_SEARCHED_AT_ONCE: Final = 50
"""Children that are searched in the time in which an element is made."""
_COPIED_AT_ONCE: Final = 5_000
"""Characters that are copied in the time in which an element is made."""
_READ_AT_ONCE: Final = 50
"""Characters of an attribute that are read in the time in which an element is made."""
_TOKEN_BEGUN: Final = 8
"""Steps of the tokenizer after which it surely holds the token that it reads."""
_Builder: Final[Any] = getTreeBuilder("etree")


class TooComplexError(Exception):
    """A bound on the work for a document is exceeded."""


@dataclass(slots=True)
class HtmlBudget:
    """What may still be read of the HTML of one mail, all its parts together."""

    tokens: int = limits.MAX_HTML_TOKENS
    steps: int = limits.MAX_HTML_STEPS
    work: int = limits.MAX_HTML_WORK
    chars: int = limits.MAX_HTML_CHARS

    def spend_steps(self, steps: int) -> None:
        """Steps of the tokenizer. Raises TooComplexError when none is left."""
        self.steps -= steps
        if self.steps < 0:
            raise TooComplexError

    def spend_tokens(self, tokens: int) -> None:
        """Raises TooComplexError when none is left."""
        self.tokens -= tokens
        if self.tokens < 0:
            raise TooComplexError

    def spend_work(self, work: int) -> None:
        """Work on the tree, before it is done. Raises TooComplexError when none is left."""
        self.work -= work
        if self.work < 0:
            raise TooComplexError


class _Tokenizer(HTMLTokenizer):  # type: ignore[misc]  # html5lib has no types
    """Leaves tags out that nest too deeply. Raises TooComplexError."""

    budget: HtmlBudget

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.tokenQueue: Any = []
        budget, since = self.budget, 0
        while self.state():
            since += 1
            budget.spend_steps(1 if since < _TOKEN_BEGUN else 1 + self._held() // _COPIED_AT_ONCE)
            if since > limits.MAX_HTML_TOKEN_STEPS:
                raise TooComplexError
            self.stream.errors.clear()
            if not self.tokenQueue:
                continue
            queue, self.tokenQueue = self.tokenQueue, []
            since = 0
            budget.spend_tokens(len(queue))
            yield from (token for token in queue if not self._is_too_deep(token))

    def _held(self) -> int:
        """Characters of a comment or an attribute, which a step copies to add to them."""
        held = (self.currentToken or {}).get("data") or ""
        return len(held[-1][1] if isinstance(held, list) else held)  # finished ones hold a dict

    def attributeNameState(self) -> Any:  # noqa: N802
        if len(self.currentToken["data"]) > limits.MAX_HTML_ATTRIBUTES:
            raise TooComplexError
        return super().attributeNameState()

    def _is_too_deep(self, token: dict[str, Any]) -> bool:
        if token["type"] != _START_TAG or token["name"] in _VOID:
            return False
        tree = self.parser.tree
        if len(tree.openElements) > limits.MAX_HTML_DEPTH:
            return True
        open_formatting = len(tree.activeFormattingElements)
        return token["name"] in _FORMATTING and open_formatting >= limits.MAX_HTML_FORMATTING


def _counted(budget: HtmlBudget) -> Any:
    """html5lib's element, which pays for what is done to it. Its methods raise TooComplexError."""

    class Counted(_Builder.elementClass):  # type: ignore[misc]
        def __init__(self, name: str, namespace: str | None = None) -> None:
            budget.spend_work(1)
            super().__init__(name, namespace)

        def appendChild(self, node: Any) -> None:  # noqa: N802
            budget.spend_work(1)
            super().appendChild(node)

        def insertBefore(self, node: Any, refNode: Any) -> None:  # noqa: N802, N803
            budget.spend_work(1 + len(self._element) // _SEARCHED_AT_ONCE)
            super().insertBefore(node, refNode)

        def removeChild(self, node: Any) -> None:  # noqa: N802
            budget.spend_work(1 + len(self._element) // _SEARCHED_AT_ONCE)
            super().removeChild(node)

        def insertText(self, data: str, insertBefore: Any = None) -> None:  # noqa: N802, N803
            children = len(self._element)
            longest = len((self._element[-1].tail if children else self._element.text) or "")
            searched = 0 if insertBefore is None else children // _SEARCHED_AT_ONCE
            budget.spend_work(1 + searched + longest // _COPIED_AT_ONCE)
            super().insertText(data, insertBefore)

        def cloneNode(self) -> Any:  # noqa: N802
            attributes = self._element.attrib
            read = sum(map(len, attributes.values())) // _READ_AT_ONCE
            budget.spend_work(1 + len(attributes) + read)
            return super().cloneNode()

    return Counted


class _Parser(HTMLParser):  # type: ignore[misc]
    def __init__(self, budget: HtmlBudget) -> None:
        super().__init__(_Builder, namespaceHTMLElements=False)
        self._budget = budget
        self.tree.elementClass = _counted(budget)

    def read(self, source: str) -> Element:
        """Raises TooComplexError, and what html5lib asserts and hostile documents break."""
        self.innerHTMLMode = self.scripting = False
        self.container = None
        self.tokenizer = _Tokenizer(source, parser=self)
        self.tokenizer.budget = self._budget
        self.reset()
        self.mainLoop()
        root = self.tree.getDocument()
        return Element("html") if root is None else root

    def parseError(self, errorcode: str = "", datavars: Any = None) -> None:  # noqa: N802
        """Errors are not collected: each would ask for its line and column."""


def parse_html(source: str, budget: HtmlBudget) -> Element:
    """The tree of an HTML document, names without namespace. Raises TooComplexError."""
    try:
        return _Parser(budget).read(source)
    except Exception:  # also what html5lib asserts and hostile documents break
        raise TooComplexError from None
