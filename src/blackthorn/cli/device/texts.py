"""Texts and codes from standard input, since other users of the machine can see arguments."""

import sys

from blackthorn.cli import terminal
from blackthorn.cli.device.prompts import LinePrompt
from blackthorn.device.limits import MAX_MESSAGE_BYTES
from blackthorn.errors import UserError
from blackthorn.programs.event_loop import run

STANDARD_INPUT = "-"


def message_text(given: str) -> str:
    """The text as given, or for `-` all of standard input, less the end of its last line.

    Raises UserError when that is longer than a message may be, or not UTF-8.
    """
    if given != STANDARD_INPUT:
        return given
    if sys.stdin.isatty():
        terminal.note("The text, and at its end Ctrl-D on a line of its own:")
    data = sys.stdin.buffer.read(MAX_MESSAGE_BYTES + 2)
    if len(data) > MAX_MESSAGE_BYTES + 1:
        raise UserError(f"the text is longer than {MAX_MESSAGE_BYTES} bytes")
    try:
        return data.decode().removesuffix("\n")
    except UnicodeDecodeError:
        raise UserError("standard input is not UTF-8 text: nothing was sent") from None


def code_text(words: list[str] | None, prompt: LinePrompt) -> str:
    """The code or URL as given, or asked for. Raises UserError when nobody answers."""
    if words and words != [STANDARD_INPUT]:
        return " ".join(words)
    return run(prompt.ask("The code, or its URL:"))
