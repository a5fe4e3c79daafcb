"""The simulator's own parts: schedules from seeds, and the reduction of failing ones."""

from blackthorn.simulation import traffic
from blackthorn.simulation.schedule import Event, Schedule
from blackthorn.simulation.shrinking import shrink


def test_a_seed_decides_its_schedule() -> None:
    assert traffic.schedule(5, 30) == traffic.schedule(5, 30) != traffic.schedule(6, 30)


def test_a_schedule_has_the_traffic_that_was_promised() -> None:
    drawn = [traffic.schedule(seed, 40) for seed in range(1, 10)]
    people = sum(len(schedule.users) for schedule in drawn)
    texts = sum(event.what in ("text", "group-text") for made in drawn for event in made.events)
    changes = sum(event.what in ("add", "remove") for made in drawn for event in made.events)
    assert 1.8 < texts / people / 40 < 2.2
    assert 0.07 < changes / people / 40 < 0.13
    assert all(3 <= len(schedule.users) <= 8 for schedule in drawn)
    assert len(traffic.schedule(10, 1).users) == 30


def test_events_are_in_order_and_every_absence_ends() -> None:
    schedule = traffic.schedule(3, 60)
    assert [event.at for event in schedule.events] == sorted(event.at for event in schedule.events)
    for begins, ends in (("leave", "connect"), ("hold", "release")):
        assert all(
            any(later.who == event.who and later.what == ends for later in schedule.events[at:])
            for at, event in enumerate(schedule.events)
            if event.what == begins
        )


def test_a_schedule_shrinks_to_the_events_that_matter() -> None:
    events = tuple(Event(at, "alice.1", "restart", (at,)) for at in range(100))
    tried = []

    def fails(shorter: Schedule) -> bool:
        tried.append(shorter)
        return {17, 60} <= {event.at for event in shorter.events}

    found = shrink(Schedule(1, ("alice",), events), fails)
    assert [event.at for event in found.events] == [17, 60]
    assert len(tried) < 100


def test_a_reduction_stops_with_what_it_has() -> None:
    events = tuple(Event(at, "alice.1", "restart") for at in range(64))
    found = shrink(
        Schedule(1, ("alice",), events), lambda shorter: len(shorter.events) > 10, tries=2
    )
    assert 10 < len(found.events) < 64


def test_an_event_reads_as_a_line() -> None:
    event = Event(86_400 * 3 + 3_661, "bob.2", "add", ("group 1", "carol"))
    assert str(event) == "day   3 01:01:01 bob.2 add group 1 carol"
