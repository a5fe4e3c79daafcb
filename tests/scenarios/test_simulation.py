"""Simulated lives: small schedules by hand, whose outcome is known."""

import pytest

from blackthorn.cli.simulate import processes
from blackthorn.simulation import traffic
from blackthorn.simulation.schedule import SERVER, Event, Schedule
from blackthorn.simulation.simulate import Outcome, simulate

HOUR = 3_600
DAY = 86_400
USERS = ("alice", "bob", "carol", "dave", "erin")


def lived(*events: tuple, seed: int = 1) -> Outcome:
    """The outcome of a schedule for four users: (seconds, who, what, arguments...)."""
    made = [Event(at, who, what, args) for at, who, what, *args in events]
    return simulate(Schedule(seed, USERS, tuple(made)))


def test_people_who_come_and_go_read_everything() -> None:
    outcome = lived(
        (10, "alice.1", "create", "team", "bob", "carol", "dave"),
        (60, "bob.1", "group-text", "team"),
        (HOUR, "bob.1", "leave"),
        (2 * HOUR, "alice.1", "text", "bob"),
        (2 * HOUR, "carol.1", "group-text", "team"),
        (3 * DAY, "bob.1", "connect"),
    )
    assert outcome.violations == []
    assert outcome.texts == outcome.accepted == 9


def test_mail_is_opened_by_all_devices_whatever_becomes_of_them() -> None:
    """A revocation replaces the key: devices that come later, or were off line, get all keys."""
    outcome = lived(
        (600, "alice.1", "mail-key"),
        (700, "alice.1", "link", "alice.2"),
        (900, "alice.1", "link", "alice.3"),
        (HOUR, SERVER, "mail", "alice"),
        (2 * HOUR, "alice.2", "leave"),
        (3 * HOUR, "alice.1", "revoke", "alice.3"),
        (DAY, SERVER, "mail", "alice"),
        (DAY + 60, SERVER, "mail", "bob"),
        (2 * DAY, "alice.2", "connect"),
        (3 * DAY, "alice.2", "link", "alice.4"),
    )
    assert outcome.violations == []
    assert outcome.mails == 2, "nobody accepts mail for Bob, who has no key"


def test_what_waits_for_a_user_outlasts_a_move_between_markets() -> None:
    """The move stops after a step, the server ends; parcels and mail come before it goes on."""
    texts = [(2 * HOUR + 10 * n, "bob.1", "text", "alice") for n in range(12)]
    later = [(4 * HOUR + 10 * n, "carol.1", "text", "alice") for n in range(6)]
    outcome = lived(
        (600, "alice.1", "mail-key"),
        (HOUR, "alice.1", "leave"),
        *texts,
        (3 * HOUR, SERVER, "mail", "alice"),
        (3 * HOUR + 1, SERVER, "market", "alice", "XA", 1),
        (3 * HOUR + 2, SERVER, "server-crash", "before"),
        *later,
        (5 * HOUR, SERVER, "mail", "alice"),
        (5 * HOUR + 1, SERVER, "market", "alice", "XA", 0),
        (6 * HOUR, SERVER, "market", "alice", "XB", 2),
        (7 * HOUR, "alice.1", "connect"),
    )
    assert outcome.violations == []
    assert (outcome.mails, outcome.accepted >= 18) == (2, True)


def test_who_is_added_while_a_reset_waits_may_be_out_once_it_takes_effect() -> None:
    """The devices that were added go with it, and after a reset nobody is added unasked."""
    outcome = lived(
        (10, "alice.1", "create", "team", "dave"),
        (DAY, "bob.1", "reset", "bob.2"),
        (2 * DAY, "dave.1", "add", "team", "bob"),
        (6 * DAY, "alice.1", "group-text", "team"),
    )
    assert outcome.violations == []


def test_who_is_left_alone_in_a_group_suspects_nothing() -> None:
    """S5: another device of theirs, which nobody has any more, is silent for good."""
    days = [(day * DAY, "alice.2", what) for day in range(3, 21) for what in ("leave", "connect")]
    outcome = lived(
        (10, "alice.1", "state-recovery"),
        (20, "alice.1", "create", "team", "bob"),
        (HOUR, "alice.1", "recover", "alice.2"),
        (DAY, "alice.2", "remove", "team", "bob"),
        *days,
    )
    assert outcome.violations == []


def test_a_folder_that_is_put_back_comes_back_to_a_group_that_has_changed() -> None:
    """Nobody but who adds it again was there before: the person says yes to Dave, who is new."""
    outcome = lived(
        (10, "carol.1", "create", "team", "alice"),
        (HOUR, "carol.1", "keep"),
        (HOUR + 60, "carol.1", "cut"),
        (2 * HOUR, "alice.1", "add", "team", "bob"),
        (2 * HOUR + 900, "alice.1", "add", "team", "dave"),
        (3 * HOUR, "alice.1", "remove", "team", "bob"),
        (4 * HOUR, "carol.1", "restore"),
        (5 * HOUR, "dave.1", "group-text", "team"),
    )
    assert outcome.violations == []


@pytest.mark.parametrize("ahead", [90 * DAY, -2 * HOUR])
def test_a_device_whose_clock_is_wrong_puts_nobody_out(ahead: int) -> None:
    """By its clock what the ledger says is too old or yet to come: it cannot look up who is new."""
    outcome = lived(
        (10, "alice.1", "create", "team", "bob", "carol"),
        (20, "carol.1", "state-recovery"),
        (HOUR, "bob.1", "clock", ahead),
        (HOUR + 60, "alice.1", "link", "alice.2"),
        (2 * HOUR, "carol.1", "recover", "carol.2"),
        (3 * HOUR, "bob.1", "group-text", "team"),
        (4 * HOUR, "alice.1", "group-text", "team"),
        (6 * HOUR, "bob.1", "clock", 0),
    )
    assert outcome.violations == []


def test_a_simulation_is_exact() -> None:
    events = (
        (10, "alice.1", "create", "team", "bob", "carol"),
        (20, "carol.1", "hold", "down"),
        (30, "bob.1", "link", "bob.2"),
        (700, "alice.1", "group-text", "team"),
        (800, "carol.1", "release"),
        (DAY, "bob.2", "crash", 3, "after"),
        (DAY, "alice.1", "text", "bob"),
    )
    first, second = (lived(*events, seed=7) for _ in range(2))
    assert first.violations == second.violations == []
    assert (first.deliveries, first.drawn) == (second.deliveries, second.drawn)


def test_sets_have_one_order_in_all_processes() -> None:
    """Python draws it anew for each process, and devices go through sets of names."""
    with processes(1) as one, processes(1) as other:
        assert one.apply(hash, ("alice",)) == other.apply(hash, ("alice",))


@pytest.mark.parametrize("seed", [2, 3, 4])
def test_random_lives_hold(seed: int) -> None:
    """A slice of `make simulate`: days of traffic with absences, crashes and broken connections."""
    outcome = simulate(traffic.schedule(seed, 10))
    assert outcome.violations == []
    assert outcome.accepted > 20


@pytest.mark.thorough
def test_random_lives_hold_with_many_people() -> None:
    outcome = simulate(traffic.schedule(10, 3))
    assert outcome.violations == []
    assert len(outcome.schedule.users) == 30
