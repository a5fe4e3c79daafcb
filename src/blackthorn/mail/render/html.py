"""Hostile HTML to plain text in linear time, without loading or running anything.

Not a parser: tags are removed, blocks become lines, links show their target. The result still needs
`mail.render.text.safe_text`.
"""

import html
import re

from blackthorn.mail import limits

_TAG = re.compile(rb"<[a-zA-Z/!?]")
_SKIPPED = (b"script", b"style", b"head", b"title", b"template", b"svg", b"object")
_BLOCKS = frozenset(
    b"p div br tr li ul ol table h1 h2 h3 h4 h5 h6 blockquote pre hr section article header "
    b"footer dt dd form".split()
)


def html_to_text(source: str) -> str:
    """The text of an HTML document, link targets in angle brackets."""
    data = source.encode("utf-8", "replace")
    text = _Stripper(data[: limits.MAX_RENDERED_HTML_BYTES]).run()
    return text if len(data) <= limits.MAX_RENDERED_HTML_BYTES else text + "\n[… cut here]"


class _Stripper:
    """One pass; each search starts where the last one ended."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.lower = source.lower()
        self.pieces: list[str] = []
        self.link = ""
        self.unclosed: set[bytes] = set()

    def run(self) -> str:
        position, size = 0, len(self.source)
        for _ in range(limits.MAX_HTML_TAGS):
            match = _TAG.search(self.source, position)
            if match is None:
                self._text(position, size)
                break
            self._text(position, match.start())
            position = self._tag(match.start())
        else:
            self.pieces.append("\n[… cut here]")
        return _tidy("".join(self.pieces))

    def _text(self, start: int, end: int) -> None:
        words = self.source[start:end].decode("utf-8", "replace")
        try:
            words = html.unescape(words)
        except ValueError:
            words = words.replace("&#", "& #")  # a number with thousands of digits
        folded = " ".join(words.split())
        if words and folded != words:
            folded = (" " if words[0].isspace() else "") + folded
            folded += " " if words[-1].isspace() and folded.strip() else ""
        self.pieces.append(folded)

    def _tag(self, start: int) -> int:
        """Process the tag at `start`; where text continues."""
        if self.source.startswith(b"<!--", start):
            end = self._find(b"-->", start + 4)
            return len(self.source) if end < 0 else end + 3
        end = self._find(b">", start)
        if end < 0:
            return len(self.source)
        tag = self.lower[start + 1 : end]
        closing = tag.startswith(b"/")
        name = tag[:32].strip(b"/").split(None, 1)[0] if tag[:32].strip(b"/ \t\r\n") else b""
        if name in _BLOCKS:
            self.pieces.append("\n")
        if name == b"a":
            self._anchor(start, end, closing)
        if name in _SKIPPED and not closing and not tag.endswith(b"/"):
            close = self._find(b"</" + name, end)
            return end + 1 if close < 0 else close
        return end + 1

    def _find(self, needle: bytes, position: int) -> int:
        """A search that fails at most once for a needle."""
        if needle in self.unclosed:
            return -1
        found = self.lower.find(needle, position)
        if found < 0:
            self.unclosed.add(needle)
        return found

    def _anchor(self, start: int, end: int, closing: bool) -> None:
        if self.link:
            self.pieces.append(f" <{self.link}>")
            self.link = ""
        if closing:
            return
        at = self.lower.find(b"href", start, end)
        value = self.source[at + 4 : end].lstrip(b" =\t\r\n") if at >= 0 else b""
        quote = value[:1]
        if quote in (b'"', b"'"):
            value = value[1:].partition(quote)[0]
        else:
            value = (value.split(None, 1) or [b""])[0]
        url = value[: limits.MAX_URL_BYTES].decode("utf-8", "replace")
        self.link = "".join(url.split()) if ":" in url and not url.startswith("#") else ""


def _tidy(text: str) -> str:
    """Trim lines; at most one empty line between two."""
    lines: list[str] = []
    for line in (raw.strip() for raw in text.split("\n")):
        if line or (lines and lines[-1]):
            lines.append(line)
    return "\n".join(lines).strip()
