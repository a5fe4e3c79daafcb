"""Progress of a demonstration in named steps, on standard error."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self

from rich.console import Console

from blackthorn.cli.progress import timed_bar
from blackthorn.demo.deployment import StepFailedError


class StepBar:
    """`demo.deployment.Steps`: a bar at a terminal, plain lines when piped."""

    def __init__(self, console: Console, total: int) -> None:
        self.current = ""
        self.done = 0
        self.total = total
        self._console = console
        self._bar = timed_bar(console, "{task.description}")
        self._task = self._bar.add_task("", total=total)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        """After a failure, print the step and the last output of the failed part."""
        self._bar.stop()
        if error is not None and self.current:
            self._console.print(f"failed at: {self.current}", style="red", markup=False)
        if isinstance(error, StepFailedError) and error.detail:
            self._console.print(error.detail, markup=False, soft_wrap=True)

    @contextmanager
    def step(self, text: str) -> Iterator[None]:
        """Run one step; it counts when the block does not raise."""
        self.current = text
        self._bar.update(self._task, description=text)
        if not self._console.is_terminal:
            self._console.print(f"{self.done + 1:2}/{self.total} {text}", markup=False)
        yield
        self.done += 1
        self._bar.advance(self._task)
