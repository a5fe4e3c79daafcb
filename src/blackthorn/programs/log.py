"""The server's log: JSON lines on standard error.

Never logged: content, subjects, addresses, codes, keys. So a library's messages and the texts of
exceptions are replaced by their origin.
"""

import asyncio
import logging
import sys
import traceback
from pathlib import Path
from typing import Any

import structlog

from blackthorn.errors import DefectError
from blackthorn.server.counters import Counters


class _Libraries(logging.Handler):
    """Logs where a library logged something, not what."""

    def emit(self, record: logging.LogRecord) -> None:
        structlog.get_logger().warning(
            "library", logger=record.name, file=Path(record.pathname).name, line=record.lineno
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
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[_Libraries()], level=logging.WARNING, force=True)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)  # see `log_fault`
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return logger


def log_fault(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """The event loop's handler of uncaught exceptions: their kind and place.

    `work` in the context is our name of the failed work.
    """
    error = context.get("exception")
    if isinstance(error, asyncio.CancelledError):  # a connection that was open at the end
        return
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    places = [f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames]
    structlog.get_logger().error(
        "fault", work=context.get("work"), kind=type(error).__name__, places=places[-8:]
    )


class FaultLog:
    """Logs and counts each programming error of the server once."""

    def __init__(self, counters: Counters) -> None:
        self._counters = counters

    def handle(self, loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """The event loop's handler of exceptions, by `log_fault`."""
        error = context.get("exception")
        if isinstance(error, DefectError):
            self.log_defect(error)
        elif not isinstance(error, asyncio.CancelledError):
            self._counters.defects += 1
            log_fault(loop, context)

    def log_defect(self, error: DefectError) -> None:
        """Log the kind and place of a caught programming error."""
        if not error.logged:
            error.logged = True
            self._counters.defects += 1
            structlog.get_logger().error("defect", reason=str(error))
