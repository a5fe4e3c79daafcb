"""Asking a person something while the link goes on: lines of standard input, one at a time.

A terminal is asked with a prompt; a program writes its answers into the pipe. The end of input is
an answer too: nobody is there.
"""

import asyncio
import os
import sys

from blackthorn.cli import terminal
from blackthorn.errors import UserError

MAX_LINE_BYTES = 4_096


class Lines:
    """Standard input by lines, without a thread that nobody could stop."""

    def __init__(self) -> None:
        self._descriptor = sys.stdin.fileno()
        self._data = b""
        self._ended = False

    async def ask(self, prompt: str) -> str:
        """The next line, stripped. Raises UserError when there is none."""
        if sys.stdin.isatty():
            terminal.err.print(prompt, end=" ", markup=False, soft_wrap=True)
        while b"\n" not in self._data:
            if self._ended or len(self._data) > MAX_LINE_BYTES:
                raise UserError("nobody answered: an answer is one line of standard input")
            await self._readable()
            read = os.read(self._descriptor, MAX_LINE_BYTES)
            self._ended = not read
            self._data += read if read else b"\n" * bool(self._data)
        line, _, self._data = self._data.partition(b"\n")
        return line.decode("utf-8", "replace").strip()

    async def _readable(self) -> None:
        loop = asyncio.get_running_loop()
        ready = asyncio.Event()
        try:
            loop.add_reader(self._descriptor, ready.set)
        except OSError:
            return  # a file, which can always be read
        try:
            await ready.wait()
        finally:
            loop.remove_reader(self._descriptor)
