"""How a link is ended when an answer could not be made."""

import pytest

from blackthorn.errors import BlackthornError, DefectError, DiskError
from blackthorn.link.frames import Pong
from blackthorn.server.counters import Counters
from blackthorn.server.handlers.answers import answering
from blackthorn.server.handlers.connections import Connections
from blackthorn.server.handlers.session import Session
from tests.support.wires import UnusedWire


@pytest.mark.parametrize(("error", "disk"), [(DiskError("failed"), 1), (DefectError("ours"), 0)])
def test_a_link_that_is_ended_over_an_error_is_counted(error: BlackthornError, disk: int) -> None:
    ended: list[Session] = []
    counters = Counters()
    connections = Connections(counters, ended.append)
    session = connections.connect(UnusedWire(), b"", 0.0, "", lambda session: None)
    answering(session, Pong)(error)
    assert session.closed and ended == [session]
    assert (counters.connections, counters.links_cut) == (0, 1)
    assert counters.storage_failures == disk
