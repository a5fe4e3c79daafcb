"""How a link ends when the store could not answer its session."""

from blackthorn.errors import BlackthornError, StorageError
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.errors import farewell
from blackthorn.server.handlers.session import Session


def close_failed(session: Session, error: BlackthornError, counters: Counters) -> None:
    """End the session by the one table of errors; a fault of the disk is counted."""
    counters.storage_failures += isinstance(error, StorageError)
    session.close(*farewell(error))
