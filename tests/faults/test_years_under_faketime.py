"""A real server and real devices with clocks that are wrong: all read all.

The clocks of the processes are faked by libfaketime, each by itself; what `tests/scenarios` show in
memory holds for sockets, files, certificates and the libraries' own clocks too.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.demo.deployment import Person, StepFailedError
from tests.faults.test_device_life_processes import names, pair
from tests.support.faked_time import MINUTE, FakedTime


@pytest.fixture
def world(tmp_path: Path) -> Iterator[FakedTime]:
    with FakedTime(tmp_path) as made:
        made.initialise()
        made.start_server()
        yield made


def read(person: Person) -> list[str]:
    return [line["text"] for line in person.run_json("inbox", "--all") if not line["event"]]


def no_alarms(*people: Person) -> None:
    for person in people:
        assert not person.run_json("alarms"), person.address


@pytest.mark.parametrize("minutes", [3, 30])
def test_a_fast_device_activates_revokes_and_stays_usable(world: FakedTime, minutes: int) -> None:
    """It could not activate, or was unusable once it had revoked; nor at the right clock then."""
    alice, bob = world.newcomer("alice", ahead=minutes * MINUTE), world.newcomer("bob")
    laptop = world.person("laptop", ahead=minutes * MINUTE)
    pair(alice, laptop, "laptop")
    alice.run("device", "revoke", "laptop")
    assert names(alice)["laptop"] is False
    alice.run("send", bob.address, "still here")
    assert read(bob) == ["still here"]
    with pytest.raises(StepFailedError):
        laptop.run("send", bob.address, "me too")
    world.set_right(alice)
    alice.run("send", bob.address, "and the clock is right")
    bob.run("send", alice.address, "good")
    assert read(bob) == ["still here", "and the clock is right"] and read(alice) == ["good"]
    no_alarms(bob)
