"""The body of a mail on a terminal and in JSON: its text, and what is attached."""

from typing import Any, Final

from blackthorn.cli import terminal
from blackthorn.mail.render.model import RenderedMail
from blackthorn.wire.printable import bracketed

NO_SUBJECT: Final = "(no subject)"


def say_body(shown: RenderedMail) -> None:
    """Print it. Lines at the margin are this program's; those of the mail are set in."""
    for section in shown.sections:
        terminal.say("")
        if section.head:
            terminal.say(bracketed(section.head))
        if section.text:
            terminal.say_text(section.text, head="    ")
    terminal.say("")
    for note in shown.notes:
        terminal.say(bracketed(f"not shown: {note}"))
    for number, part in enumerate(shown.attachments, 1):
        what = f"attachment {number}: {part.name}, {part.type}, {part.size} bytes"
        terminal.say(bracketed(what))


def body_document(shown: RenderedMail) -> dict[str, Any]:
    """Its fields in JSON; `sections` keeps apart what `text` holds together."""
    return {
        "text": shown.text,
        "sections": [{"head": each.head, "text": each.text} for each in shown.sections],
        "not_shown": list(shown.notes),
        "attachments": [
            {"name": each.name, "type": each.type, "size": each.size} for each in shown.attachments
        ],
    }
