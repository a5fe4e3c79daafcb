"""Progress of long commands, on standard error."""

from typing import TYPE_CHECKING, Any, Self

from blackthorn.cli import terminal

if TYPE_CHECKING:
    from rich.progress import Progress


def timed_bar(text: str, *, transient: bool = False, hidden: bool = False) -> "Progress":
    """A progress bar with elapsed time and a text; disabled when `hidden` or piped."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    return Progress(
        BarColumn(bar_width=24),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn(text, markup=False),
        console=terminal.err,
        disable=hidden or not terminal.is_terminal(stderr=True),
        transient=transient,
    )


class ProgressBar:
    """Progress on standard error: a bar at a terminal, a line for every tenth when piped."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        text = TextColumn("{task.description}", markup=False)
        columns = (text, BarColumn(bar_width=24), MofNCompleteColumn())
        plain = not terminal.is_terminal(stderr=True)
        self._bar = Progress(*columns, console=terminal.err, transient=True, disable=plain)
        self._tasks: dict[str, Any] = {}
        self._tenths: dict[str, int] = {}

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def show(self, what: str, done: int, total: int) -> None:
        if terminal.is_terminal(stderr=True):
            if what not in self._tasks:
                self._tasks[what] = self._bar.add_task(what, total=total or None)
            self._bar.update(self._tasks[what], completed=done)
            return
        tenth = 10 * done // total if total else 0
        if tenth > self._tenths.get(what, 0):
            self._tenths[what] = tenth
            terminal.note(f"{done}/{total} {what}")
