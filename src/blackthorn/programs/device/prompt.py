"""The port by which a program asks a person for a line while its link goes on."""

from typing import Protocol


class Prompt(Protocol):
    """Whoever can be asked."""

    async def ask(self, text: str) -> str:
        """The person's answer, stripped. Raises UserError when nobody is there to give one."""
