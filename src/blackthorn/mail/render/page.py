"""Collects what a mail shows, within bounds: sections of text, attachments, notes."""

from collections.abc import Iterable
from typing import Final

from blackthorn.mail import limits as mail_limits
from blackthorn.mail.render import limits
from blackthorn.mail.render.html_text import HtmlText
from blackthorn.mail.render.model import Attachment, Section
from blackthorn.mail.render.names import file_name
from blackthorn.mail.render.text import safe_line, safe_text

_CUT: Final = "[… cut here]"
_END: Final = "end: "


class Page:
    """Text is made safe as it is added. `begin` and `end` say whose text follows."""

    def __init__(self) -> None:
        self.sections: list[Section] = []
        self.attachments: list[Attachment] = []
        self.files: list[bytes] = []
        self.notes: list[str] = []
        self.sealed = self.unopened = False
        self._head = ""
        self._texts: list[str] = []
        self._chars = mail_limits.MAX_RENDERED_CHARS
        self._lines = limits.MAX_RENDERED_LINES

    @property
    def has_text(self) -> bool:
        return bool(self._texts) or any(section.text for section in self.sections)

    @property
    def text(self) -> str:
        """All text so far."""
        return "\n".join([*(section.text for section in self.sections), *self._texts])

    def say(self, text: str) -> None:
        """Add text; parts of one origin follow each other behind an empty line."""
        if self._chars <= 0 or self._lines <= 0:
            if text.strip():
                self.note("it has more text than is shown: `blackthorn mail raw` gives all of it")
            return
        lines = safe_text(text, self._chars).strip("\n").split("\n")
        shown = "\n".join(lines[: self._lines])
        if len(lines) > self._lines:
            shown = f"{shown}\n{_CUT}"
        self._chars -= len(shown)
        self._lines -= len(lines)
        if shown.strip():
            self._texts.append(shown)

    def begin(self, head: str) -> None:
        """What follows is of another origin, which `head` says in our own words."""
        self._flush()
        self._head = head

    def end(self, head: str) -> None:
        """The text of another origin ends."""
        self.begin(f"{_END}{head}")

    def finish(self) -> None:
        self._flush()

    def _flush(self) -> None:
        if self._texts or (self._head and not self._head.startswith(_END)):
            self.sections.append(Section(self._head, "\n\n".join(self._texts)))
        self._head, self._texts = "", []

    def attach(self, name: str, kind: bytes, data: bytes) -> None:
        """Add an attachment. Those above MAX_SHOWN_ATTACHMENTS are said to be left out."""
        if len(self.attachments) == limits.MAX_SHOWN_ATTACHMENTS:
            self.note(
                "it has more attachments than are listed: `blackthorn mail raw` gives all of it"
            )
            return
        shown = safe_line(kind.decode("ascii", "replace"), mail_limits.MAX_RENDERED_NAME_CHARS)
        self.attachments.append(Attachment(file_name(name) or "unnamed", shown, len(data)))
        self.files.append(data)

    def note(self, text: str) -> None:
        """Say once what is not shown."""
        line = safe_line(text)
        if line not in self.notes:
            self.notes.append(line)

    def note_html(self, html: HtmlText) -> None:
        """Say what an HTML part hides, and what a mail program would fetch for it."""
        if html.bare:
            self.note("the HTML is too complex: all its text is shown, also what it may hide")
        if html.hidden:
            self.note(f"hidden in the HTML, {html.hidden_chars} characters: {html.hidden}")
        if html.remote:
            self.note(f"pictures or styles elsewhere, not fetched: {_hosts(html.remote)}")


def _hosts(hosts: Iterable[str]) -> str:
    found = list(hosts)
    more = len(found) - limits.MAX_REMOTE_HOSTS
    return ", ".join(found[: limits.MAX_REMOTE_HOSTS]) + (f" and {more} more" if more > 0 else "")
