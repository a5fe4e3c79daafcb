"""Who exists, remembered: nothing old is kept, and one answer serves all who ask."""

from typing import Any

import pytest

from blackthorn.errors import DiskError
from blackthorn.ids import Address, DeviceId
from blackthorn.server import enterprise, limits
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.simulation.stepped import SteppedReader
from tests.support.memory_store.engine import MemoryEngine
from tests.support.memory_store.state import Device, User

U1, U2 = Address("u1@acme.example"), Address("u2@acme.example")


def device_id(number: int) -> DeviceId:
    return DeviceId(number.to_bytes(16, "big"))


class Case:
    """A cache over users 1 to 3 with a device each; `asked` counts the queries."""

    def __init__(self) -> None:
        self.engine = MemoryEngine()
        for number in (1, 2, 3):
            self.engine.state.users[number] = User(f"u{number}@acme.example", "0")
            self.engine.state.devices[number] = Device(device_id(number), number, b"k")
        self.reader = SteppedReader(self)
        self.cache = EnterpriseCache(self.reader)
        self.asked = 0

    def read(self, query: Any) -> Any:
        self.asked += 1
        return self.engine.read(query)

    def cached(self, number: int) -> bool:
        return device_id(number) in self.cache._devices.records

    def devices(self, *numbers: int) -> list[int]:
        told: list[Any] = []
        self.cache.load_devices([device_id(number) for number in numbers], told.append)
        return [record.number for record in told[0].values()]


@pytest.fixture
def case() -> Case:
    return Case()


def test_what_is_cached_is_answered_at_once_and_absences_are_asked_for_again(case: Case) -> None:
    assert case.devices(1, 2, 1) == [1, 2]
    assert case.asked == 1
    case.reader.hold()
    assert case.devices(2, 1) == [2, 1]
    case.reader.release()
    assert (case.devices(1, 9), case.devices(9)) == ([1], [])
    assert case.asked == 3
    assert case.cached(1)
    assert not case.cached(3)


def test_what_was_forgotten_while_it_was_loaded_is_loaded_again(case: Case) -> None:
    told: list[Any] = []
    case.reader.hold(early=True)
    case.cache.load_user(U1, told.append)
    case.engine.state.users[1].pin = "new"
    case.cache.forget(U1)
    case.reader.release()
    assert [user.pin for user in told] == ["new"], "the old answer is not given"
    assert case.asked == 2
    assert case.cache._users.records[U1].pin == "new"


def test_forgetting_one_user_keeps_the_others(case: Case) -> None:
    case.devices(1, 2)
    del case.engine.state.devices[1]
    case.cache.forget(U1)
    assert case.devices(1, 2) == [2]
    assert case.cached(2)


def test_many_are_asked_for_in_pages(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enterprise, "PAGE", 2)
    assert case.devices(1, 8, 2, 9, 3) == [1, 2, 3]
    assert case.asked == 3


def test_the_oldest_goes_when_the_bound_is_reached(
    case: Case, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MAX_CACHED_DEVICES", 2)
    case.cache = EnterpriseCache(case.reader)
    assert [case.devices(number) for number in (1, 2, 3)] == [[1], [2], [3]]
    known = [case.cached(number) for number in (1, 2, 3)]
    assert known == [False, True, True]
    case.cache.forget(U1)
    case.cache.forget(U2)
    assert not case.cached(2)


def test_a_failed_disk_is_told_and_nothing_is_kept(case: Case) -> None:
    broken = DiskError("the disk failed")
    case.reader.fail(broken)
    told: list[Any] = []
    case.cache.load_user(U2, told.append)
    assert told == [broken]
    case.reader.fail(None)
    case.cache.load_user(U2, told.append)
    assert told[1].number == 2
