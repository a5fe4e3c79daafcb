"""What a session is told when the store could not answer it."""

from blackthorn.errors import BlackthornError, StorageError
from blackthorn.link.codes import Code
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.session import Session


def close_failed(session: Session, error: BlackthornError, counters: Counters) -> None:
    """End the session: a query or command of its failed with `error`."""
    stored = isinstance(error, StorageError)
    counters.storage_failures += stored
    session.close(*((Code.STORAGE, str(error)) if stored else (Code.INTERNAL,)))
