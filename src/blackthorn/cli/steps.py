"""Progress of a demonstration in named steps, on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from blackthorn.cli import terminal
from blackthorn.cli.progress import timed_bar
from blackthorn.demo.deployment import StepFailedError


class StepBar:
    """`demo.deployment.Steps`: a bar at a terminal, plain lines when piped."""

    def __init__(self, total: int) -> None:
        self.current = ""
        self.done = 0
        self.total = total
        self._bar = timed_bar("{task.description}")
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """After a failure, print the step and the last output of the failed part."""
        self._bar.stop()
        if error is not None and self.current:
            terminal.note(f"failed at: {self.current}", "red")
        if isinstance(error, StepFailedError) and error.detail:
            for line in error.detail.splitlines():
                terminal.note(line)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Run one step; it counts when the block does not raise."""
        self.current = text
        self._bar.update(self._task, description=text)
        if not terminal.is_terminal(stderr=True):
            terminal.note(f"{self.done + 1:2}/{self.total} {text}")
        yield
        self.done += 1
        self._bar.advance(self._task)
