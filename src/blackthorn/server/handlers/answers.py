"""Answers of a session after a service's result: a frame, or the end of the link."""

from collections.abc import Callable

from blackthorn.errors import BlackthornError, DefectError
from blackthorn.link.frames import AnyFrame
from blackthorn.ports.store import Done, Result
from blackthorn.server.handlers.session import Session


def answering(
    session: Session,
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
            session.fail(result)
        else:
            session.answer(refuse(str(result)[:512]))

    return done
