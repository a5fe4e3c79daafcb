"""Attacks on simulated lives: each raises its alarm, and the same lives without them raise none."""

import time

import pytest

from blackthorn.simulation.schedule import Event, Schedule
from blackthorn.simulation.simulate import Outcome, live
from tests.scenarios.test_simulation import DAY, HOUR, USERS
from tests.scenarios.test_simulation_classes import TEAM
from tests.support.attacked_life import ATTACKS, AttackedLife

LAPTOP = (
    (HOUR, "bob.1", "link", "bob.2"),
    (2 * HOUR, "bob.2", "group-text", "team"),
)

STORIES = {
    "copy": (
        (HOUR, "bob.1", "attack", "use_copy"),
        (2 * HOUR, "bob.1", "text", "alice"),
    ),
    "clone": (
        (HOUR, "bob.1", "attack", "use_copy"),
        (2 * HOUR, "bob.1", "text", "alice"),
        (3 * DAY, "bob.1", "attack", "use_copy"),
        (3 * DAY + HOUR, "bob.1", "group-text", "team"),
    ),
    "clone of who is added again": (
        (HOUR, "bob.1", "attack", "add_copy_again", "alice.1"),
        (HOUR + 60, "carol.1", "text", "alice"),
        (HOUR + 120, "carol.1", "text", "alice"),
        (2 * HOUR, "alice.1", "group-text", "team"),
    ),
    "false-hello": (
        (HOUR, "bob.1", "attack", "change_hello"),
        (2 * HOUR, "bob.1", "text", "alice"),
    ),
    "set-back": (
        (HOUR, "bob.1", "attack", "keep_hello"),
        *((HOUR + minute, "bob.1", "connect") for minute in (60, 120, 180)),
        (2 * HOUR, "bob.1", "attack", "set_back"),
        (3 * HOUR, "bob.1", "text", "alice"),
    ),
    "revoked-device-active": (
        *LAPTOP,
        (3 * HOUR, "bob.2", "attack", "withhold_text"),
        (3 * HOUR, "bob.2", "lose"),
        (4 * HOUR, "bob.1", "revoke", "bob.2"),
        (5 * HOUR, "alice.1", "attack", "deliver_withheld"),
        (6 * HOUR, "alice.1", "group-text", "team"),
    ),
    "forked": (
        (120, "alice.1", "add", "team", "erin"),
        (HOUR, "dave.1", "attack", "lead_away", "carol.1"),
        (HOUR + 60, "alice.1", "link", "alice.2"),
        (2 * HOUR, "bob.1", "group-text", "team"),
        (2 * DAY, "carol.1", "group-text", "team"),
    ),
    "key-package-reuse": (
        (HOUR, "alice.1", "attack", "repeat_packages"),
        (2 * HOUR, "alice.1", "create", "first", "erin"),
        (3 * HOUR, "alice.1", "create", "second", "erin"),
    ),
}


def lived(story: str, *, attacked: bool) -> tuple[AttackedLife, Outcome]:
    events = [Event(at, who, what, args) for at, who, what, *args in (*TEAM, *STORIES[story])]
    kept = [event for event in events if attacked or event.what != "attack"]
    life = AttackedLife(Schedule(1, USERS, tuple(kept)))
    return life, live(life, time.process_time())


@pytest.mark.parametrize("story", STORIES)
def test_an_attack_raises_its_alarm_and_loses_nothing(story: str) -> None:
    life, outcome = lived(story, attacked=True)
    assert {code for _, code in life.raised} - {"copy"} == {story.partition(" ")[0]} - {"copy"}
    assert ("copy" in {code for _, code in life.raised}) == (story in ("copy", "clone"))
    assert outcome.violations == []


@pytest.mark.parametrize("story", STORIES)
def test_without_the_attack_nothing_is_raised(story: str) -> None:
    life, outcome = lived(story, attacked=False)
    assert life.raised <= {("bob.1", "own-device")} and outcome.violations == []


def test_each_attack_is_in_a_story() -> None:
    used = {
        args[0] for events in STORIES.values() for _, _, what, *args in events if what == "attack"
    }
    assert used == set(ATTACKS)
