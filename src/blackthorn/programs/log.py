"""The server's log: JSON lines on standard error.

Never logged: content, subjects, addresses, codes, keys. So a library's messages and the texts of
exceptions are replaced by their origin.
"""

import asyncio
import errno
import logging
import os
import sys
import time
import traceback
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Final

import structlog

from blackthorn.errors import DefectError
from blackthorn.server.counters import Counters

QUIET_SECONDS: Final = 60.0
"""One line of a kind is logged in so long: an error that repeats itself does not fill the disk."""

_NO_DESCRIPTOR: Final = "no file descriptor is left: raise the limit of open files (LimitNOFILE)"
_REASONS: Final = {errno.EMFILE: _NO_DESCRIPTOR, errno.ENFILE: _NO_DESCRIPTOR}
"""Our own words for an errno; else the system's."""


class LineLimit:
    """Rate limit of the log: one line of a kind in `QUIET_SECONDS`, with a count of the others."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._lines: dict[Hashable, tuple[float, int]] = {}

    def due(self, kind: Hashable) -> int:
        """How many of this kind came since its last line, with this one; 0 while none is due.

        Kinds must be few: places in the program, not what comes from outside.
        """
        now = self._monotonic()
        logged, count = self._lines.get(kind, (-QUIET_SECONDS, 0))
        due = now - logged >= QUIET_SECONDS
        self._lines[kind] = (now, 0) if due else (logged, count + 1)
        return count + 1 if due else 0


class _Libraries(logging.Handler):
    """Logs where a library logged something, not what."""

    def __init__(self) -> None:
        super().__init__()
        self._lines = LineLimit()

    def emit(self, record: logging.LogRecord) -> None:
        place = (record.name, Path(record.pathname).name, record.lineno)
        if count := self._lines.due(place):
            name, file, line = place
            structlog.get_logger().warning(
                "library", logger=name, file=file, line=line, count=count
            )


def configure(level: str) -> structlog.typing.FilteringBoundLogger:
    """Set up the log; `level` as in the settings."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # see `FaultLog`
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


class FaultLog:
    """Logs programming errors and errors that nobody caught, and counts them."""

    def __init__(self, counters: Counters, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._counters = counters
        self._lines = LineLimit(monotonic)

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The event loop's handler of exceptions that nobody caught: their kind and place.

        `work` in the context is our own name of what failed.
        """
        error = context.get("exception")
        if isinstance(error, DefectError):
            self.log_defect(error)
        elif not isinstance(error, asyncio.CancelledError):  # one that was open at the end
            self._counters.defects += 1
            self._log_fault(error, context.get("work"))

    def _log_fault(self, error: BaseException | None, work: str | None) -> None:
        frames = traceback.extract_tb(error.__traceback__) if error is not None else []
        places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames][-8:]
        kind, number = type(error).__name__, error.errno if isinstance(error, OSError) else None
        count = self._lines.due((work, kind, number, *places))
        if count:
            found: dict[str, Any] = {"work": work, "kind": kind, "places": places, "count": count}
            if number is not None:
                found["errno"] = errno.errorcode.get(number, str(number))
                found["reason"] = _REASONS.get(number, os.strerror(number))
            structlog.get_logger().error("fault", **found)

    def log_defect(self, error: DefectError) -> None:
        """Log the kind and place of a caught programming error."""
        if not error.logged:
            error.logged = True
            self._counters.defects += 1
            if count := self._lines.due(str(error)):
                structlog.get_logger().error("defect", reason=str(error), count=count)
