"""Output of all commands: consoles that are plain when piped, JSON, and errors in one line."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from blackthorn.errors import UserError
from blackthorn.programs import entry

if TYPE_CHECKING:
    from rich.console import Console

    out: Console
    err: Console


def __getattr__(name: str) -> "Console":
    """Create `out` and `err` at first use, so that `--help` need not."""
    if name not in ("out", "err"):
        raise AttributeError(name)
    from rich.console import Console

    console = Console(stderr=name == "err", highlight=False)
    globals()[name] = console
    return console


def say(text: str, style: str | None = None) -> None:
    """Print a line of results: no markup, no wrapping."""
    _console("out").print(text, style=style, markup=False, soft_wrap=True)


def note(text: str, style: str | None = None) -> None:
    """Print a line on standard error: no markup, no wrapping."""
    _console("err").print(text, style=style, markup=False, soft_wrap=True)


def print_qr(text: str) -> None:
    """A QR code in block characters."""
    import segno

    segno.make(text, error="l", micro=False).terminal(sys.stdout, compact=True)


def confirm(question: str, *, yes: bool, to_err: bool = False) -> bool:
    """Ask unless `yes`; whether the user agrees. Raises UserError without a terminal."""
    if not yes and not sys.stdin.isatty():
        raise UserError("nothing was changed: no terminal for confirmation; use --yes")
    try:
        return yes or typer.confirm(question, err=to_err)
    except typer.Abort:  # Ctrl-C, or the end of the input
        raise KeyboardInterrupt from None


def fail(failures: list[str]) -> None:
    """Print the failures; exit with 1 if there are any."""
    for failure in failures:
        _console("err").print(f"blackthorn: {failure}", style="red", markup=False)
    if failures:
        raise typer.Exit(1)


def print_json(value: Any) -> None:
    """One JSON document on one line of standard output."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def run(command: Callable[[], Any]) -> int:
    """Run a command; its exit code, by `programs.entry.EXIT_CODES`."""
    return entry.run(command, lambda text: note(text, "red"))


def _console(name: str) -> "Console":
    return globals().get(name) or __getattr__(name)
