"""The one place where commands print: each text is made safe first, so that none is forgotten.

A line of `say` and `note` is one line, whatever stands in it; a longer text of others goes through
`say_text`, whose lines cannot begin where ours do. Tables hold no markup, JSON stays JSON.
tests/contracts/test_printing.py forbids every other way to a terminal.
"""

import sys
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, Any

import typer

from blackthorn.errors import UserError
from blackthorn.programs import entry
from blackthorn.wire.printable import Printable, printable, printable_json, printable_lines

if TYPE_CHECKING:
    from rich.console import Console

    out: Console
    err: Console

Cell = str | tuple[str, str]
"""The text of a cell, or text and style."""


def __getattr__(name: str) -> "Console":
    """Create `out` and `err` at first use, so that `--help` need not."""
    if name not in ("out", "err"):
        raise AttributeError(name)
    from rich.console import Console

    console = Console(stderr=name == "err", highlight=False, markup=False, emoji=False)
    globals()[name] = console
    return console


def say(text: str, style: str | None = None) -> None:
    """Print a line of results."""
    _print("out", printable(text), style)


def note(text: str, style: str | None = None) -> None:
    """Print a line on standard error."""
    _print("err", printable(text), style)


def say_text(text: str, *, head: str = "", indent: str = "    ") -> None:
    """Print a text of others: its first line behind `head`, the others behind `indent`."""
    first, *others = printable_lines(text)
    say(f"{head or indent}{first}")
    for line in others:
        say(f"{indent}{line}")


def print_qr(text: str) -> None:
    """A QR code in block characters."""
    import segno

    segno.make(text, error="l", micro=False).terminal(sys.stdout, compact=True)


def confirm(question: str, *, yes: bool, to_err: bool = False) -> bool:
    """Ask unless `yes`; whether the user agrees. Raises UserError without a terminal."""
    if not yes and not sys.stdin.isatty():
        raise UserError("nothing was changed: no terminal for confirmation; use --yes")
    try:
        return yes or typer.confirm(printable(question), err=to_err)
    except typer.Abort:  # Ctrl-C, or the end of the input
        raise KeyboardInterrupt from None


def prompt(text: str) -> None:
    """Print a question on standard error; its answer follows on the same line."""
    _print("err", printable(text), end=" ")


def replace_line(text: str) -> None:
    """Show a line in place of the one before on standard error, at a terminal."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{printable(text):<60}\r")
        sys.stderr.flush()


def show_apart(lines: Iterable[str], question: str) -> None:
    """Lines on a screen of their own, which is cleared after Enter; plain ones into a pipe."""
    if not sys.stdout.isatty() or not sys.stdin.isatty():
        for line in lines:
            say(line)
        return
    with _console("out").screen(hide_cursor=False):
        for line in lines:
            say(line)
        say("")
        _console("out").input(printable(question))


def fail(failures: list[str]) -> None:
    """Print the failures; exit with 1 if there are any."""
    for failure in failures:
        note(f"blackthorn: {failure}", "red")
    if failures:
        raise typer.Exit(1)


def print_json(value: Any) -> None:
    """One JSON document on one line of standard output."""
    import msgspec

    print_document(msgspec.json.encode(value).decode() + "\n")


def print_document(document: str) -> None:
    """A JSON document or a list of our own making, as it stands."""
    sys.stdout.write(printable_json(document))
    sys.stdout.flush()


def print_tabs(rows: Iterable[Iterable[str]]) -> None:
    """Rows for a program that reads the output: cells between tabs."""
    for row in rows:
        sys.stdout.write("\t".join(map(printable, row)) + "\n")


def put_bytes(data: bytes) -> None:
    """Bytes for a program that reads the output, never at a terminal. Raises UserError there."""
    if is_terminal():
        raise UserError("raw bytes could control your terminal: name a file, or use a pipe")
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def is_terminal(*, stderr: bool = False) -> bool:
    return _console("err" if stderr else "out").is_terminal


def run(command: Callable[[], Any]) -> int:
    """Run a command; its exit code, by `programs.entry.EXIT_CODES`."""
    return entry.run(command, lambda text: _print("err", text, "red"))


class Table:
    """A table on standard output, its cells without markup."""

    def __init__(
        self, *columns: str, title: str = "", boxed: bool = True, right: Collection[str] = ()
    ) -> None:
        """`right` are the columns of numbers; without columns there is no header."""
        from rich import table
        from rich.text import Text

        self._text = Text
        box: dict[str, Any] = {} if boxed else {"box": None, "pad_edge": False}
        heading = Text(printable(title), "table.title") if title else None
        self._table = table.Table(title=heading, show_header=bool(columns), **box)
        for name in columns:
            self._table.add_column(
                Text(printable(name)), justify="right" if name in right else "left", overflow="fold"
            )

    def add_row(self, *cells: Cell) -> None:
        parts = [cell if isinstance(cell, tuple) else (cell, "") for cell in cells]
        self._table.add_row(*(self._text(printable(text), style) for text, style in parts))

    def add_section(self) -> None:
        self._table.add_section()

    def show(self) -> None:
        _console("out").print(self._table)


def _print(name: str, line: Printable, style: str | None = None, *, end: str = "\n") -> None:
    _console(name).print(line, style=style, end=end, markup=False, emoji=False, soft_wrap=True)


def _console(name: str) -> "Console":
    return globals().get(name) or __getattr__(name)
