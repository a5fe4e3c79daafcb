"""The port by which a demonstration shows its progress in named steps."""

from contextlib import AbstractContextManager
from typing import Protocol


class Steps(Protocol):
    """Shows the step under way."""

    def step(self, text: str) -> AbstractContextManager[None]:
        """One step; it is done when its block does not raise."""
