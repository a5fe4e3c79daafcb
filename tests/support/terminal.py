"""A command at a terminal of its own: what it asks is read, and answered by a line."""

import os
import pty
import select
import subprocess
import time

from blackthorn.demo.deployment import Person, command_line

ANSWER_SECONDS = 60.0


class TerminalCommand:
    """One run of a command by a person whose passphrase nothing but the terminal gives."""

    def __init__(self, person: Person, *arguments: str) -> None:
        environment = {n: v for n, v in person.environment.items() if "PASSPHRASE" not in n}
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            command_line(*arguments),
            env=environment,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
        )
        os.close(slave)
        self.shown = ""
        """All that the command has printed so far, prompts included."""
        self._read = 0

    def answer(self, prompt: str, line: str) -> None:
        """Wait for the prompt behind all that was answered, and type the line."""
        self.wait(prompt)
        self._read = self.shown.index(prompt, self._read) + len(prompt)
        os.write(self._master, line.encode() + b"\n")

    def wait(self, text: str) -> None:
        """Wait for the text behind all that was answered."""
        while text not in self.shown[self._read :]:
            assert self._more(), f"it never printed {text!r}: {self.shown!r}"

    def end(self) -> int:
        """Wait for the end of the command; its exit code. A question would time out."""
        while self._more():
            pass
        os.close(self._master)
        return self._process.wait(ANSWER_SECONDS)

    def _more(self) -> bool:
        end = time.monotonic() + ANSWER_SECONDS
        while not select.select([self._master], [], [], 1)[0]:
            assert time.monotonic() < end, f"it waits for ever: {self.shown!r}"
        try:
            data = os.read(self._master, 65_536)
        except OSError:  # the command has ended
            return False
        self.shown += data.decode("utf-8", "replace")
        return bool(data)
