"""What all commands share: consoles that are plain when piped, JSON, and errors in one line."""

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

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


def print_json(value: Any) -> None:
    """One JSON document on one line of standard output."""
    import msgspec

    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def run(command: Callable[[], Any]) -> int:
    """Run a command; its exit code, by `programs.entry.EXIT_CODES`."""
    return entry.run(command, _print_error)


def _print_error(text: str) -> None:
    console = globals().get("err") or __getattr__("err")
    console.print(text, style="red", markup=False, soft_wrap=True)
