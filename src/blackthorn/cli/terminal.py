"""What every command shares: one-line errors, exit codes, JSON, a console plain when piped."""

import io
import sys
from collections.abc import Callable
from typing import Any

import msgspec
from rich.console import Console

from blackthorn.errors import (
    BlackthornError,
    DefectError,
    InputError,
    RefusalError,
    SecurityError,
    StorageError,
    UnavailableError,
    UserError,
    defect,
)

out = Console(highlight=False)
err = Console(stderr=True, highlight=False)

EXIT_CODES: dict[type[BlackthornError], int] = {
    UserError: 2,
    InputError: 3,
    SecurityError: 4,
    StorageError: 5,
    RefusalError: 5,
    UnavailableError: 6,
    DefectError: 70,
}
"""Exit codes by whose fault it is; 1 is everything else, 130 an interrupt.

70 is a defect in Blackthorn itself (EX_SOFTWARE of sysexits.h).
"""


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
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal need not know every letter
    try:
        command()
        sys.stdout.flush()
    except BlackthornError as error:
        _print_error(str(error))
        return exit_code(error)
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    except OSError as error:
        _print_error(f"the system refused: {error.strerror or type(error).__name__}")
        return EXIT_CODES[StorageError]
    except Exception as error:
        _print_error(f"{defect(error)}: please report it")
        return EXIT_CODES[DefectError]
    return 0


def _print_error(text: str) -> None:
    err.print(f"blackthorn: {text}", style="red", markup=False, soft_wrap=True)
