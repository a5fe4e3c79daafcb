"""How a link is ended when an answer could not be made."""

import pytest

from blackthorn.errors import BlackthornError, DefectError, DiskError
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.answers import close_failed
from blackthorn.server.handlers.session import Session


class Wire:
    """Takes what is written."""

    def write(self, data: bytes) -> None:
        """Bye."""

    def close(self) -> None:
        """The end."""

    def pause_reading(self) -> None:
        """Unused."""

    def resume_reading(self) -> None:
        """Unused."""


@pytest.mark.parametrize(("error", "disk"), [(DiskError("failed"), 1), (DefectError("ours"), 0)])
def test_a_link_that_is_ended_over_an_error_is_counted(error: BlackthornError, disk: int) -> None:
    session, counters = Session(Wire(), b"", 0.0), Counters()
    close_failed(session, counters, error)
    assert session.closed
    assert (counters.links_cut, counters.storage_failures) == (1, disk)
