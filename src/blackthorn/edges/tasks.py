"""What an edge asks of the program for work in the background (`programs.periodic`)."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Protocol


class Tasks(Protocol):
    """Named tasks that the program supervises and ends."""

    def keep(self, name: str, work: Callable[[], Awaitable[None]]) -> asyncio.Task[None]:
        """Do `work` again whenever it ends; report what it raises, and go on after a pause."""
