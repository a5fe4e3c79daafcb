"""The end of a program: an error becomes one line and an exit code, never a traceback.

The line may quote what others wrote: it is made safe for a terminal.
"""

import io
import sys
from collections.abc import Callable
from typing import Any

from blackthorn import errors
from blackthorn.wire.printable import Printable, printable

EXIT_CODES: dict[type[errors.BlackthornError], int] = {
    errors.UserError: 2,
    errors.InputError: 3,
    errors.SecurityError: 4,
    errors.StorageError: 5,
    errors.RefusalError: 5,
    errors.UnavailableError: 6,
    errors.DefectError: 70,
}
"""Exit codes by fault; 1 is everything else, 130 an interrupt, 70 a defect (EX_SOFTWARE)."""


def to_stderr(line: Printable) -> None:
    sys.stderr.write(f"{line}\n")


def run(program: Callable[[], Any], print_error: Callable[[Printable], object] = to_stderr) -> int:
    """Run a program; an error is printed as one line. Returns the exit code."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # a terminal may lack some letters
    try:
        program()
        sys.stdout.flush()
    except errors.BlackthornError as error:
        print_error(printable(f"blackthorn: {error}"))
        return next((EXIT_CODES[kind] for kind in type(error).__mro__ if kind in EXIT_CODES), 1)
    except (KeyboardInterrupt, BrokenPipeError):
        return 130
    except OSError as error:
        reason = error.strerror or type(error).__name__
        print_error(printable(f"blackthorn: the system refused: {reason}"))
        return EXIT_CODES[errors.StorageError]
    except Exception as error:
        print_error(printable(f"blackthorn: {errors.defect(error)}: please report it"))
        return EXIT_CODES[errors.DefectError]
    return 0
