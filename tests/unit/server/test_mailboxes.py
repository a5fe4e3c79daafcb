"""Mailboxes: a long list is loaded in short turns of the loop, whatever waits for its devices."""

import pytest

from blackthorn.errors import BlackthornError
from blackthorn.ids import DeviceId
from blackthorn.ports.parcels import Tally
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.messaging.mailboxes import PAGE, Mailboxes
from blackthorn.simulation.stepped import SteppedReader
from tests.support.memory_store.engine import MemoryEngine
from tests.support.memory_store.state import Device, Parcel, User

DEVICES = 300


class Case:
    """Mailboxes over devices 1 to DEVICES of as many users."""

    def __init__(self, parcels: int) -> None:
        self.engine = MemoryEngine()
        for number in range(1, DEVICES + 1):
            self.engine.state.users[number] = User(f"u{number}@acme.example", "0")
            name = number.to_bytes(16, "big")
            self.engine.state.devices[number] = Device(name, number, b"k")
            for seq in range(1, parcels + 1):
                self.engine.state.parcels[number, seq] = Parcel(b"four")
        self.reader = SteppedReader(self.engine)
        self.mailboxes = Mailboxes(EnterpriseCache(self.reader), self.reader)
        self.ids = [DeviceId(number.to_bytes(16, "big")) for number in range(1, DEVICES + 1)]
        self.told: list[BlackthornError | None] = []

    def known(self) -> int:
        return sum(self.mailboxes.find(device) is not None for device in self.ids)

    def answer(self) -> int:
        """Give one answer of the reader; how many mailboxes it made."""
        before = self.known()
        answer, done = self.reader._waiting.pop(0)
        done(answer())
        return self.known() - before


@pytest.mark.parametrize("parcels", [0, 1, 9, 600])
def test_a_long_list_is_made_page_by_page_as_it_is_counted(parcels: int) -> None:
    case = Case(parcels)
    case.reader.hold()
    case.mailboxes.load(case.ids, case.told.append)
    made: list[int] = []
    while case.reader.waiting:
        assert not case.told
        made.append(case.answer())
    assert case.told == [None]
    assert (sum(made), 0 < max(made) <= PAGE) == (DEVICES, True)
    tallies = {
        Tally(box.waiting.parcels, box.waiting.bytes, 0, 0, box.newest)
        for box in map(case.mailboxes.find, case.ids)
        if box is not None
    }
    assert tallies == {Tally(parcels, 4 * parcels, 0, 0, parcels)}


def test_what_changed_before_its_mailbox_was_made_is_loaded_again_and_the_rest_stays() -> None:
    case = Case(1)
    case.reader.hold()
    case.mailboxes.load(case.ids, case.told.append)
    while not case.known():
        case.answer()
    first = case.mailboxes.find(case.ids[0])
    state = case.engine.state
    state.devices[DEVICES].standing = "pending"
    user = state.users[DEVICES].address
    case.mailboxes.enterprise.forget(user)
    case.mailboxes.change_user(user)
    while case.reader.waiting:
        case.answer()
    last = case.mailboxes.find(case.ids[-1])
    assert (case.told, case.known()) == ([None], DEVICES)
    assert last is not None
    assert not last.live
    assert case.mailboxes.find(case.ids[0]) is first
