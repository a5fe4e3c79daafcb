"""Officers whose decisions are put into a ledger in memory, as the decision service would.

officers = LedgerOfficers(world.ledger)     founded and appointed, with the next epoch
officers.heal(epoch)                        two of them let the time fall
"""

from typing import Any

from blackthorn.governance import ledger_case
from blackthorn.governance.statements import Signed
from blackthorn.ports.ledger import AddRecord
from blackthorn.simulation.ledger import LedgerWorld
from tests.support import governance_world


class LedgerOfficers:
    """See the module."""

    def __init__(self, ledger: LedgerWorld, seed: int = 2015) -> None:
        self.ledger = ledger
        self.office = governance_world.World(seed)
        assert self.office.keys.origin == ledger.keys.origin
        self.log()

    def heal(self, epoch: int, least_ms: int = 0, **how: Any) -> Signed:
        """Decide it and log it with the next epoch."""
        public = {"ledger": self.ledger.keys.origin, "epoch": epoch, "least_ms": least_ms} | how
        signed = self.office.decide(ledger_case.CASE, "heal", public)
        self.log()
        return signed

    def log(self) -> None:
        """Everything decided waits for the next epoch."""
        for kind, body in self.office._records:
            self.ledger.engine.write(AddRecord(kind, body))
        self.office._records.clear()
        self.ledger.ledger.wake()
