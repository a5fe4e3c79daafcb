"""Answers of a session after a service's result: a frame, or the end of the link."""

from collections.abc import Callable

from blackthorn.errors import BlackthornError, DefectError, StorageError
from blackthorn.link.frames import AnyFrame
from blackthorn.ports.store import Done, Result
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.errors import farewell
from blackthorn.server.handlers.session import Session


def answering(
    session: Session,
    counters: Counters,
    answer: Callable[[Result], AnyFrame],
    refuse: Callable[[str], AnyFrame] | None = None,
    refusals: type[BlackthornError] = BlackthornError,
) -> Done[Result]:
    """A callback that answers with a frame; the session takes no more until then.

    `refuse` makes the frame for an error of `refusals`; any other error, and every defect, ends the
    link.
    """
    session.ask()

    def done(result: Result | BlackthornError) -> None:
        if not isinstance(result, BlackthornError):
            session.answer(answer(result))
        elif refuse is None or isinstance(result, DefectError) or not isinstance(result, refusals):
            close_failed(session, counters, result)
        else:
            session.answer(refuse(str(result)[:512]))

    return done


def close_failed(session: Session, counters: Counters, error: BlackthornError) -> None:
    """End the session with the error's code; count that, and a disk fault."""
    counters.links_cut += 1
    counters.storage_failures += isinstance(error, StorageError)
    session.close(*farewell(error))
