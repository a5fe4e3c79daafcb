"""Progress of an audit: a bar at a terminal, one plain line elsewhere."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from blackthorn.cli import progress, terminal

if TYPE_CHECKING:
    from blackthorn.audit.ledger import Progress as Callback


@contextmanager
def progress_bar() -> "Iterator[Callback]":
    """The callback for the numbers of read and of all entries."""
    bar = progress.timed_bar("entries")
    task = bar.add_task("", total=None)
    printed = False

    def show(done: int, total: int) -> None:
        nonlocal printed
        bar.update(task, completed=done, total=total)
        if not terminal.is_terminal(stderr=True) and not printed:
            printed = True
            terminal.note(f"replaying {total} entries")

    with bar:
        yield show
