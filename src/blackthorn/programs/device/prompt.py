"""Ask the user for a line of input while a link goes on."""

from typing import Protocol


class Prompt(Protocol):
    """A user who can be asked."""

    async def ask(self, text: str) -> str:
        """The answer, stripped. Raises UserError when there is none."""
