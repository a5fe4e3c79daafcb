"""A real server and real devices with clocks that are wrong: all read all.

The clocks of the processes are faked by libfaketime, each by itself; what `tests/scenarios` show in
memory holds for sockets, files, certificates and the libraries' own clocks too.
"""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.demo.deployment import Person, StepFailedError
from tests.faults.test_device_life_processes import names, pair
from tests.support.faked_time import DAY, MINUTE, FakedTime


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


def test_a_clock_that_is_days_fast_keeps_no_activation_waiting(world: FakedTime) -> None:
    """It takes no state of the ledger for new; the same folder is good once the clock is."""
    alice, bob = world.newcomer("alice", ahead=3 * DAY), world.newcomer("bob")
    assert read(alice) == []
    world.set_right(alice)
    alice.run("send", bob.address, "the clock is right")
    assert read(bob) == ["the clock is right"]
    no_alarms(alice, bob)


class Years:
    """Alice, Bob with a clock that is three minutes fast, Carol with half an hour, and Dan."""

    def __init__(self, world: FakedTime) -> None:
        self.world = world
        self.alice, self.dan = world.newcomer("alice"), world.newcomer("dan")
        self.bob = world.newcomer("bob", ahead=3 * MINUTE)
        self.carol = world.newcomer("carol", ahead=30 * MINUTE)
        self.written: list[str] = []

    def write(self, author: Person, *command: str) -> None:
        """A command that sends; its last argument is the text."""
        self.written.append(command[-1])
        author.run(*command)

    def first_contacts(self, day: int, *known: Person) -> Person:
        """On that day somebody new writes to all, and all to the group."""
        self.world.day(day)
        new = self.world.newcomer(f"new{day}")
        to = [person.address for person in (self.alice, self.bob, self.carol, self.dan)]
        self.write(new, "send", *to, f"I am new on day {day}")
        for author in known:
            self.write(author, "group", "send", "team", f"{author.address} on day {day}")
        self.write(known[0], "send", new.address, f"welcome on day {day}")
        assert read(new) == [f"welcome on day {day}"]
        return new

    def all_have(self, *people: Person) -> None:
        """Each has read what others wrote, as long as it was not for one alone."""
        for person in people:
            others = {text for text in self.written if not text.startswith(person.address)}
            got = read(person)
            assert len(got) == len(set(got)), person.address
            assert {text for text in others if not text.startswith("welcome")} <= set(got)


def test_all_read_all_for_years_also_who_was_off_for_a_hundred_days(world: FakedTime) -> None:
    years = Years(world)
    alice, bob, carol, dan = years.alice, years.bob, years.carol, years.dan
    alice.run("group", "create", "team", bob.address, carol.address, dan.address)
    years.write(alice, "group", "send", "team", f"{alice.address} on day 0")
    years.all_have(bob, carol, dan)
    for day in (30, 60, 92):
        years.first_contacts(day, alice, carol)
        years.all_have(alice, bob, carol)
    years.first_contacts(100, dan, bob)
    years.all_have(alice, bob, carol, dan)
    years.first_contacts(400, carol, dan, alice)
    years.all_have(alice, bob, carol, dan)
    no_alarms(alice, bob, carol, dan)


def test_a_restored_folder_is_told_and_comes_back_to_its_group(world: FakedTime) -> None:
    """Each command connects for a moment only: none sees the minutes pass."""
    alice, bob, carol = (world.newcomer(name) for name in ("alice", "bob", "carol"))
    alice.run("group", "create", "team", bob.address, carol.address)
    carol.run("send", bob.address, "before")
    assert read(carol) == [] and read(bob) == ["before"]
    backup = world.root / "backup"
    shutil.copytree(carol.home, backup)
    world.day(30)
    carol.run("group", "send", "team", "by the copy")
    bob.run("group", "send", "team", "to the copy")
    assert read(carol) == ["to the copy"] and read(alice) == ["by the copy", "to the copy"]
    world.day(31)
    shutil.rmtree(carol.home)
    backup.rename(carol.home)
    carol.run("inbox")
    assert [alarm["code"] for alarm in carol.run_json("alarms")] == ["copy"]
    for _ in range(5):
        for person in (carol, alice, bob, carol):
            person.run("inbox")
        world.later(11 * MINUTE)
    carol.run("group", "send", "team", "back")
    bob.run("group", "send", "team", "welcome back")
    carol.run("send", bob.address, "to one")
    assert read(alice)[-2:] == ["back", "welcome back"]
    assert read(bob)[-2:] == ["back", "to one"]
    assert {"to the copy", "welcome back"} <= set(read(carol)), "what the copy had is sent again"
    no_alarms(alice, bob)
