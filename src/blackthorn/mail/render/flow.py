"""Lays out text: blanks are folded as HTML folds them, lines and paragraphs are kept apart."""

from collections.abc import Iterable


class Flow:
    """One column of text. Its lines are complete only in `finished`."""

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._blank = True  # the line ends in a blank, so that another one is folded into it
        self._gap = False
        self._recent: list[str] = []
        self.words = 0
        """Pieces of text so far."""

    def text(self, text: str, *, preformatted: bool = False) -> None:
        if preformatted:
            self._preformatted(text)
            return
        words = " ".join(text.split())
        if words:
            self._open_line()
            if text[0].isspace() and not self._blank:
                self._line.append(" ")
            self._line.append(words)
            self._note(words)
            self._blank = False
        if text and text[-1].isspace() and not self._blank:
            self._line.append(" ")
            self._blank = True

    def since(self, words: int) -> str:
        """The text of the pieces after the first `words`, if it is one or two; else ""."""
        count = self.words - words
        return "".join(self._recent[-count:]) if 0 < count <= len(self._recent) else ""

    def last_letter(self) -> str:
        """The last character of the line, or "" at its beginning."""
        return self._line[-1][-1:] if self._line else ""

    def break_line(self) -> None:
        """End the line, also an empty one."""
        self._lines.append("".join(self._line).rstrip())
        self._line, self._blank = [], True

    def block(self) -> None:
        """Begin a new line, unless one has begun."""
        if self._line:
            self.break_line()

    def paragraph(self) -> None:
        """Begin a new line behind an empty one."""
        self.block()
        self._gap = True

    def add_lines(self, lines: Iterable[str]) -> None:
        """Lines that are laid out already."""
        self.block()
        for line in lines:
            self._close_gap()
            self._lines.append(line)
            self._note(line)

    def finished(self) -> list[str]:
        """All lines, with at most one empty one between two."""
        self.block()
        lines: list[str] = []
        for line in self._lines:
            if line.strip() or (lines and lines[-1]):
                lines.append(line if line.strip() else "")
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def _note(self, piece: str) -> None:
        self.words += 1
        self._recent = [*self._recent[-1:], piece]

    def _open_line(self) -> None:
        if not self._line:
            self._close_gap()

    def _close_gap(self) -> None:
        if self._gap and self._lines:
            self._lines.append("")
        self._gap = False

    def _preformatted(self, text: str) -> None:
        first, *others = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        if first:
            self._open_line()
            self._line.append(first)
            self._note(first)
        for line in others:
            self.break_line()
            if line:
                self._line.append(line)
                self._note(line)
        self._blank = not self._line or self._line[-1][-1:].isspace()
