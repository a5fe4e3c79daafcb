"""Dialogues of `device add` and `device link`."""

import sys

from blackthorn.cli import terminal
from blackthorn.cli.device.prompts import LinePrompt
from blackthorn.wire.printable import bracketed


def _show_code(code: str, url: str) -> None:
    """Print how to link the new device, with a QR code at a terminal."""
    if sys.stdout.isatty():
        terminal.print_qr(url)
    terminal.say("On the new device:")
    terminal.say(f"  blackthorn device link {code}")
    terminal.say("or by its URL:")
    terminal.say(f"  blackthorn device link '{url}'")


class TerminalDialogue(LinePrompt):
    """`programs.device.pairing.Dialogue` with countdown and progress at a terminal."""

    def __init__(self, *, json: bool, code: str = "", url: str = "") -> None:
        """`code` and `url` are of `device add`."""
        super().__init__()
        self._json = json
        self._code = code
        self._url = url
        self._line = ""

    def opened(self) -> None:
        if self._json:
            terminal.print_json({"code": self._code, "url": self._url})
        else:
            _show_code(self._code, self._url)

    def waiting(self, seconds: float) -> None:
        time = f"{int(seconds) // 60}:{int(seconds) % 60:02}"
        self._replace_line(f"Waiting for the new device, {time} left")

    def joined(self, name: str) -> None:
        self._replace_line("")
        if self._json:
            terminal.print_json({"joined": name})
        else:
            terminal.say(f"{bracketed(name)} has proved the code.")

    def compared(self, digits: str) -> None:
        self._replace_line("")
        if self._json:
            terminal.print_json({"digits": digits})
            return
        shown = f"{digits[:3]} {digits[3:]}"
        terminal.say(f"Both devices show {shown}. Confirm this on the new device, too.")

    def compare(self, address: str, digits: str) -> None:
        self._replace_line("")
        if self._json:
            terminal.print_json({"address": address, "digits": digits})
            return
        text = f"This is to be {address}'s device. It shows {digits[:3]} {digits[3:]}: type "
        terminal.say(f"{text}these digits on the other device.")

    def progress(self, remaining: int, total: int) -> None:
        if total:
            self._replace_line(f"{total - remaining} of {total} handed over")

    def note(self, text: str) -> None:
        terminal.note(text)

    def _replace_line(self, text: str) -> None:
        if not self._json and text != self._line:
            self._line = text
            terminal.replace_line(text)
