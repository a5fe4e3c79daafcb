"""The closure of the replay's market: receipts, destruction, statement, and the state afterwards.

The custodians' numbers come from the closure's own store and are checked by the server. The
published statement is verified as an outsider would.
"""

from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from blackthorn.demo.replay_2015.exit import MARKET, Exit
from blackthorn.demo.replay_2015.world import World
from blackthorn.edges.smtp.replies import refusal
from blackthorn.errors import BlackthornError, DefectError
from blackthorn.governance.closure import check, statement
from blackthorn.ids import Address
from blackthorn.ports.store import Done, Result
from blackthorn.programs.server.closure import make_closures
from blackthorn.server.mail.recipient_policy import RecipientRefusedError

_STEPS: Final = 1_000_000


def _at_once(work: Callable[[], Result], done: Done[Result], /) -> None:
    try:
        result: Result | BlackthornError = work()
    except BlackthornError as error:
        result = error
    done(result)


class ClosureRun:
    """The closure of a world's market, starting with the decision `prepare`."""

    def __init__(self, leaving: Exit, out: Path) -> None:
        self._exit = leaving
        self._world = world = leaving.world
        self.file = out / f"{leaving.id}.json"
        self.closures = make_closures(
            database=world.directory.database,
            folder=out,
            keys=world.market_keys,
            ledger=world.keys,
            decisions=world.decisions,
            writer=world.writer,
            reader=world.reader,
            clock=world.clock,
            apart=_at_once,
        )

    def work(self) -> None:
        """Run all steps until a decision is needed."""
        for _ in range(_STEPS):
            if not self.closures.tick():
                if self.closures.problems():
                    raise DefectError(self.closures.problems()[0])
                return
            self._world.writer.commit()
        raise DefectError("the closure does not come to an end")

    def fields(self) -> dict[str, Any]:
        """The fields of the next decision."""
        return dict(self._world.answer(partial(self.closures.facts, MARKET)).fields)

    def receipt(self, address: str) -> bytes:
        """A person's receipt, as their device fetches it."""
        found: bytes | None = self._world.answer(partial(self.closures.receipt, Address(address)))
        if found is None:
            raise DefectError(f"{address} has no receipt")
        return found

    def run(self) -> statement.ClosureStatement:
        """Prepare, destroy, close; the published statement, read back from the file."""
        self._exit.decide("prepare")
        for action in ("destroy", "close"):
            self.work()
            self._exit.decide(action, self.fields())
        self.work()
        return check.decode_published(self.file.read_bytes())[0]


def refusals(world: World, addresses: list[str]) -> dict[int, int]:
    """SMTP reply code → number of these addresses; 250 is acceptance."""
    codes = Counter[int]()
    for address in addresses:
        try:
            world.answer(partial(world.recipient_policy.recipient, address))
            codes[250] += 1
        except RecipientRefusedError as error:
            codes[refusal(error).code] += 1
    return dict(codes)
