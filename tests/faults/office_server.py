"""`blackthorn serve` with an office in memory behind its link, for the officers' devices.

Link, activation and ledger are the real ones. The office keeps to `Cases` and to nothing else.
"""

from typing import Any

from blackthorn.apps.cli import main
from blackthorn.link import frames as f
from blackthorn.server.hub import Hub
from tests.office_world import Office

OFFICE = Office()
FRAMES = (f.FetchDecisions, f.SubmitDecision, f.FetchProduction)


def _answer(session: Any, frame: f.Frame, now: float) -> None:
    del now
    session.transmit(OFFICE.answer(frame))


class OfficeHub(Hub):
    """The server's hub, which serves officers too."""

    def __init__(self, *words: Any, **names: Any) -> None:
        super().__init__(*words, **names)
        self._handlers |= dict.fromkeys(FRAMES, _answer)


if __name__ == "__main__":
    import blackthorn.apps.server as program

    program.Hub = OfficeHub
    main()
