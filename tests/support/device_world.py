"""The world of the simulator as scenarios use it: with a ledger of model devices, and checks."""

from collections import Counter
from collections.abc import Iterable

from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.ports.device_store import ConversationRecord
from blackthorn.ports.parcels import WaitingParcels
from blackthorn.simulation import world
from blackthorn.simulation.device import Person
from tests.support.ledger_world import LedgerWorld


def go_back_to(person: Person, conversations: Iterable[ConversationRecord]) -> None:
    """Put a person's conversations into the vault again, as they were."""
    person.vault.connection.execute("DELETE FROM group_state")
    with person.vault.transaction() as records:
        for record in conversations:
            records.conversations.put(record)


class World(world.World):
    """The server, its ledger and database, the people and all wires."""

    ledger: LedgerWorld

    def __init__(self, seed: int, *names: str, witnesses: int = 2, epoch_ms: int = 0) -> None:
        self.away: set[Address] = set()
        """The users who stay off line when others connect."""
        super().__init__(seed, *names, witnesses=witnesses, epoch_ms=epoch_ms)

    def make_ledger(self, seed: int, witnesses: int, epoch_ms: int) -> LedgerWorld:
        return LedgerWorld(seed, witnesses, epoch_ms)

    def introduce(self, person: Person) -> None:
        """The person's device has looked up everybody."""
        person.look_up(*self.people)
        self.settle()

    def wake(self, seconds: float, times: int = 1) -> None:
        """Time passes, of which nobody was on line; then everybody connects who is not away."""
        for _ in range(times):
            self.later(seconds)
            for _ in range(3):
                self._ledger_step()
            for person in self.people:
                if person.address not in self.away:
                    person.connect()
            self.settle()

    def reconnect_all(self) -> None:
        """Everybody connects anew, twice, with time between, until all is quiet."""
        for _ in range(2):
            for person in self.people:
                person.connect()
            self.settle()
            self.later(60)
            self.settle()

    def stored(self, person: Person) -> list[bytes]:
        """The sealed parcels on the server's disk for the person, oldest first."""
        waiting = self.ledger.engine.read(WaitingParcels(person.number, 0, True, 10_000, 2**40))
        return [parcel.sealed for parcel in waiting]

    def put_parcel(self, person: Person, sealed: bytes) -> None:
        """Somebody gets a parcel into the person's mailbox, past every check of a sender."""
        sender = next(each for each in self.people if each is not person)
        assert sender.wire is not None
        devices = [person.keys.device]
        told = fanout_frame(devices)
        posting = f.Posting(self.chance.randbytes(16), [f.Parcel(told.id, sealed)])
        sender.wire.say(told, f.Send([posting]))

    # --- Invariants -----------------------------------------------------------------------

    def check_received(self, person: Person, expected: list[str]) -> None:
        """The person was shown exactly these texts, each once."""
        assert Counter(person.received()) == Counter(expected)
