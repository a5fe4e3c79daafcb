"""What all commands share: consoles that are plain when piped, JSON, and errors in one line."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import typer

from blackthorn.programs import entry

if TYPE_CHECKING:
    from rich.console import Console

    out: Console
    err: Console


def __getattr__(name: str) -> "Console":
    """`out` and `err`, made at first use: `--help` prints without them."""
    if name not in ("out", "err"):
        raise AttributeError(name)
    from rich.console import Console

    console = Console(stderr=name == "err", highlight=False)
    globals()[name] = console
    return console


def say(text: str, style: str | None = None) -> None:
    """A line of results, as it is: no markup, not wrapped."""
    _console("out").print(text, style=style, markup=False, soft_wrap=True)


def note(text: str, style: str | None = None) -> None:
    """A line on standard error, as it is."""
    _console("err").print(text, style=style, markup=False, soft_wrap=True)


def fail(failures: list[str]) -> None:
    """Exit with 1 if anything failed, and say what."""
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
