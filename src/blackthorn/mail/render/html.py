"""Parses hostile HTML into a tree (the HTML Standard, by html5lib), with bounds on its work.

html5lib itself has none: its time grows with the square of attributes, comments and nesting. Never
here: what the tree means as text.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from html5lib import getTreeBuilder
from html5lib._tokenizer import HTMLTokenizer
from html5lib.constants import tokenTypes
from html5lib.html5parser import HTMLParser

from blackthorn.mail.limits import MAX_RENDERED_HTML_BYTES
from blackthorn.mail.render import limits

_START_TAG = tokenTypes["StartTag"]
_VOID = frozenset(("br", "hr", "img", "input", "wbr", "area", "base", "link", "meta"))


@dataclass(slots=True)
class HtmlBudget:
    """What may still be read of the HTML of one mail, all its parts together."""

    tokens: int = limits.MAX_HTML_TOKENS
    steps: int = limits.MAX_HTML_STEPS


class _TooComplexError(Exception):
    """A tag or comment exceeds a bound: the document ends before it."""


class _Tokenizer(HTMLTokenizer):  # type: ignore[misc]  # html5lib has no types
    """Ends the document where a bound is exceeded, and leaves tags out that nest too deeply."""

    cut = False
    budget: HtmlBudget

    def __iter__(self) -> Iterator[dict[str, Any]]:
        self.tokenQueue: Any = []
        budget, since = self.budget, 0
        try:
            while self.state():
                budget.steps, since = budget.steps - 1, since + 1
                if budget.steps < 0 or since > limits.MAX_HTML_TOKEN_STEPS:
                    raise _TooComplexError
                self.stream.errors.clear()
                if not self.tokenQueue:
                    continue
                queue, self.tokenQueue = self.tokenQueue, []
                since, budget.tokens = 0, budget.tokens - len(queue)
                if budget.tokens < 0:
                    raise _TooComplexError
                yield from (token for token in queue if not self._is_too_deep(token))
        except _TooComplexError:
            self.cut = True

    def attributeNameState(self) -> Any:  # noqa: N802
        if len(self.currentToken["data"]) > limits.MAX_HTML_ATTRIBUTES:
            raise _TooComplexError
        return super().attributeNameState()

    def _is_too_deep(self, token: dict[str, Any]) -> bool:
        if token["type"] != _START_TAG or token["name"] in _VOID:
            return False
        return len(self.parser.tree.openElements) > limits.MAX_HTML_DEPTH


class _Parser(HTMLParser):  # type: ignore[misc]
    tokenizer: _Tokenizer

    def read(self, source: str, budget: HtmlBudget) -> None:
        self.innerHTMLMode = self.scripting = False
        self.container = None
        self.tokenizer = _Tokenizer(source, parser=self)
        self.tokenizer.budget = budget
        self.reset()
        self.mainLoop()

    def parseError(self, errorcode: str = "", datavars: Any = None) -> None:  # noqa: N802
        """Errors are not collected: each would ask for its line and column."""


def parse_html(source: str, budget: HtmlBudget | None = None) -> tuple[Element, bool]:
    """The tree of an HTML document, names without namespace; whether its end was cut."""
    shortened = source[:MAX_RENDERED_HTML_BYTES]
    parser = _Parser(getTreeBuilder("etree"), namespaceHTMLElements=False)
    try:
        parser.read(shortened, budget or HtmlBudget())
    except Exception:  # html5lib asserts what hostile documents break; what it read is still shown
        parser.tokenizer.cut = True
    root = parser.tree.getDocument()
    return root if root is not None else Element("html"), parser.tokenizer.cut or len(source) > len(
        shortened
    )
