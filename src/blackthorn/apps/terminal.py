"""What every command shares: one-line errors, exit codes, JSON, a console plain when piped."""

import sys
from collections.abc import Callable
from typing import Any

import msgspec
from rich.console import Console

from blackthorn.errors import (
    BlackthornError,
    InputError,
    SecurityError,
    StorageError,
    UnavailableError,
    UserError,
)

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

EXIT_CODES: dict[type[BlackthornError], int] = {
    UserError: 2,
    InputError: 3,
    SecurityError: 4,
    StorageError: 5,
    UnavailableError: 6,
}
"""Exit codes by whose fault it is; 1 is everything else, 130 an interrupt."""


def print_json(value: Any) -> None:
    """One JSON document on one line of standard output."""
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


def exit_code(error: BlackthornError) -> int:
    """The exit code for an error, by the nearest class in EXIT_CODES."""
    for kind in type(error).__mro__:
        if kind in EXIT_CODES:
            return EXIT_CODES[kind]
    return 1


def run(command: Callable[[], Any]) -> int:
    """Run a command; turn an error into one clear line and an exit code, never a traceback."""
    try:
        command()
    except BlackthornError as error:
        err.print(f"blackthorn: {error}", style="red", markup=False, soft_wrap=True)
        return exit_code(error)
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    return 0
