"""A mail as it is shown: header fields, sections of text, attachments, and what is not shown."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Attachment:
    """A name without a path, the declared type, the decoded size in bytes."""

    name: str
    type: str
    size: int


@dataclass(frozen=True, slots=True)
class Section:
    """Text of one origin. `head` is of our own words and says it; empty for the mail's own text.

    A command prints `head` where no text of a sender can stand, so that none can imitate it.
    """

    head: str
    text: str


@dataclass(frozen=True, slots=True)
class RenderedMail:
    """All strings are safe to print. `parsed` is False for an excerpt.

    `sealed`: a part is sealed by OpenPGP; `unopened`: one of them could not be opened. `notes` say
    what is not shown. `files` are the attachments' bytes.
    """

    sender: str
    to: str
    cc: str
    subject: str
    date: str
    sections: tuple[Section, ...]
    attachments: tuple[Attachment, ...]
    parsed: bool
    sealed: bool = False
    unopened: bool = False
    notes: tuple[str, ...] = ()
    files: tuple[bytes, ...] = field(default=(), repr=False, compare=False)

    @property
    def text(self) -> str:
        """All sections, each behind its head in square brackets."""
        return "\n\n".join(
            f"[{section.head}]\n{section.text}".rstrip("\n") if section.head else section.text
            for section in self.sections
        )
