"""Every figure by hand, from decisions that were really signed and a log that was really read."""

from dataclasses import asdict
from typing import Any

import pytest

from blackthorn.governance import warrant_canary
from blackthorn.report.counting import NUMBERS, OUTCOMES
from blackthorn.report.figures import Figures, compute, periods
from blackthorn.report.period import parse_period
from tests.support import runs
from tests.support.governance_world import DAY_MS, JULY_2015_MS, World

SECOND_HALF = parse_period("2015H2")


def figures(world: World, period: str = "2015H2") -> Figures:
    return compute(world.stand(), parse_period(period))


def row(found: Figures, country: str, kind: str = "production") -> dict[str, Any]:
    """The numbers of a row that are not zero."""
    [counts] = [each.counts for each in found.rows if (each.country, each.kind) == (country, kind)]
    return {name: value for name, value in asdict(counts).items() if value}


def test_a_directive_is_counted_as_it_goes_its_way() -> None:
    world = World()
    case = world.receive("PK", accounts=1, unknown=1)
    world.epoch(1)
    received = {"received": 1, "accounts_named": 2, "accounts_unknown": 1}
    assert row(figures(world), "PK") == {**received, "in_process": 1}
    world.verify(case)
    world.assess(case)
    world.epoch(2)
    decided = {
        "decided": 1,
        "hours_to_decision_median": 24,
        "hours_to_decision_longest": 24,
    }
    assert row(figures(world), "PK") == {**received, **decided, "in_process": 1}
    world.deliver(case, with_data=1)
    world.epoch()
    assert row(figures(world), "PK") == {
        **received,
        **decided,
        "complied_in_whole": 1,
        "accounts_with_data": 1,
    }


@pytest.mark.parametrize(
    ("decision", "categories", "with_data", "expected"),
    [
        ("comply", ["account-facts", "sealed-mail"], 2, "complied_in_whole"),
        ("comply", ["account-facts"], 2, "complied_in_part"),
        ("partial", ["account-facts", "sealed-mail"], 1, "complied_in_part"),
        ("comply", ["account-facts", "sealed-mail"], 0, "no_data"),
        ("no-data", [], 0, "no_data"),
    ],
)
def test_what_was_delivered_decides(
    decision: str, categories: list[str], with_data: int, expected: str
) -> None:
    world = World()
    case = world.receive("DE")
    world.verify(case)
    world.assess(case, decision)
    world.deliver(case, with_data, categories)
    world.epoch()
    totals = asdict(figures(world).totals)
    assert [name for name in OUTCOMES if totals[name]] == [expected]
    assert totals["accounts_with_data"] == with_data


def test_refused_forged_and_contested_are_told_apart() -> None:
    world = World()
    demand = world.receive("PK", "technical-capability")
    world.refuse(demand, "no-such-capability")
    forged = world.receive("US", "emergency")
    world.verify(forged, "forged")
    contested = world.receive("GB")
    world.verify(contested)
    world.decide(contested, "contest", {"court": "High Court", "filed_ms": world.now_ms})
    world.epoch(1)
    found = figures(world)
    decided = {"received": 1, "decided": 1}
    assert row(found, "PK", "technical-capability") == {**decided, "refused": 1}
    assert row(found, "US", "emergency") == {**decided, "forged": 1, "accounts_named": 2}
    in_court = {"received": 1, "accounts_named": 2, "ever_contested": 1}
    assert row(found, "GB") == {**in_court, "contested": 1}
    world.assess(contested, "no-data")
    world.epoch()
    assert row(figures(world), "GB") == {
        **in_court,
        "no_data": 1,
        "decided": 1,
        "hours_to_decision_median": 24,
        "hours_to_decision_longest": 24,
    }


def test_the_time_to_decide_is_the_lower_median_and_the_longest() -> None:
    world = World()
    for days in (1, 2, 9, 30):
        case = world.receive("DE")
        world.epoch(days)
        world.refuse(case)
        world.epoch()
    totals = figures(world).totals
    assert (totals.decided, totals.refused) == (4, 4)
    assert (totals.hours_to_decision_median, totals.hours_to_decision_longest) == (48, 720)


def test_a_gagged_directive_is_counted_at_once_and_known_when_the_gag_ends() -> None:
    world = World()
    world.sealed = True
    case = world.receive("US", gag_until_ms=world.now_ms + 90 * DAY_MS)
    world.epoch(1)
    world.verify(case)
    order = {"until_ms": world.now_ms + 200 * DAY_MS, "order": bytes(32)}
    world.decide(case, "extend-gag", order)
    world.epoch(250)
    found = figures(world)
    hidden = {"received": 1, "not_yet_disclosable": 1, "gags_ordered": 1, "gags_in_force": 1}
    assert row(found, "ZZ", "sealed") == hidden
    assert {name: value for name, value in asdict(found.totals).items() if value} == hidden
    assert (found.sealed_steps, found.directives) == (3, ())
    assert list(found.by_country) == ["ZZ"], "its country is not told"

    world.reveal()
    world.epoch()
    found = figures(world)
    assert row(found, "ZZ", "sealed") == {}
    assert row(found, "US") == {
        "received": 1,
        "in_process": 1,
        "accounts_named": 2,
        "gags_ordered": 1,
        "gags_ended": 1,
        "gag_extensions": 1,
    }
    assert found.sealed_steps == 0
    [told] = found.directives
    assert [step["logged_ms"] - JULY_2015_MS for step in told["steps"]] == [0, DAY_MS, DAY_MS]


def test_a_sealed_directive_is_of_the_period_in_which_the_ledger_took_it() -> None:
    world = World()
    world.sealed = True
    earlier = JULY_2015_MS - DAY_MS
    world.receive("US", received_ms=earlier, gag_until_ms=world.now_ms + DAY_MS)
    world.epoch(2)
    assert figures(world).totals.not_yet_disclosable == 1
    world.reveal()
    world.epoch()
    assert figures(world).totals.received == 0
    assert figures(world, "2015H1").totals.received == 1
    assert [each.name for each in periods(world.stand())] == ["2015H1", "2015H2"]


def test_periods_part_what_was_received_at_their_bounds() -> None:
    world = World()
    for received in (JULY_2015_MS - 1, JULY_2015_MS, SECOND_HALF.end_ms - 1, SECOND_HALF.end_ms):
        world.receive("DE", received_ms=received)
    world.epoch()
    counted = {
        name: figures(world, name).totals.received
        for name in ("2015H1", "2015H2", "2015Q2", "2015Q3", "2015Q4", "2015", "2016", "2014")
    }
    assert counted == {
        "2015H1": 1,
        "2015H2": 2,
        "2015Q2": 1,
        "2015Q3": 1,
        "2015Q4": 1,
        "2015": 3,
        "2016": 1,
        "2014": 0,
    }
    halves = [(each["period"], each["received"]) for each in figures(world).half_years]
    assert halves == [("2015H1", 1), ("2015H2", 2), ("2016H1", 1)]


def test_an_empty_ledger_tells_zeros_of_every_kind() -> None:
    world = World(found=False)
    world.epoch()
    found = figures(world)
    kinds = ["production", "preservation", "emergency", "removal", "blocking"]
    expected = [("ZZ", kind) for kind in [*kinds, "technical-capability", "sealed"]]
    assert [(each.country, each.kind) for each in found.rows] == expected
    for each in found.rows:
        assert not any(asdict(each.counts).values())
    assert not any(asdict(found.totals).values())


def test_a_country_that_was_ever_seen_has_its_zeros() -> None:
    world = World()
    world.receive("PK")
    world.epoch()
    found = figures(world, "2014H1")
    assert list(found.by_country) == ["PK"]
    assert found.by_country["PK"].received == 0


def test_a_correction_is_told_and_changes_no_number() -> None:
    world = World()
    case = world.receive("DE", authority="Distrct Court")
    world.epoch()
    before = asdict(figures(world).totals)
    world.decide(case, "correct", {"corrects": 1, "note": "It is the District Court."})
    world.epoch()
    found = figures(world)
    assert asdict(found.totals) == {**before, "corrections": 1}
    [told] = found.directives
    assert told["corrections"] == [{"corrects": 1, "note": "It is the District Court."}]
    assert told["authority"] == "Distrct Court"


def test_a_statement_that_has_lapsed_is_absent_and_never_false() -> None:
    world = World()
    world.epoch()

    def states() -> dict[str, str]:
        return {each["name"]: each["state"] for each in figures(world).canary["statements"]}

    absent = dict.fromkeys(warrant_canary.STATEMENTS, "absent")
    assert states() == absent
    until = world.now_ms + 30 * DAY_MS
    declared = {"statements": ["keys", "feed"], "valid_until_ms": until}
    world.decide("canary", "declare", declared)
    world.epoch(29)
    world.epoch(1)
    assert states() == {**absent, "keys": "stated", "feed": "stated"}
    assert figures(world).canary["valid_until_ms"] == until
    world.epoch()
    assert states() == absent
    told = figures(world).canary
    assert (told["declared_ms"], told["valid_until_ms"], told["officers"]) == (None, None, [])


def plan(world: World) -> dict[str, Any]:
    day = world.now_ms
    return {
        "market": "PK",
        "reason": "Open access is demanded.",
        "directive": "",
        "users": 5000,
        "list": bytes(32),
        "announce_ms": day,
        "activations_ms": day,
        "read_only_ms": day + 20 * DAY_MS,
        "stop_ms": day + 31 * DAY_MS,
        "retrieval_end_ms": day + 62 * DAY_MS,
        "backups_end_ms": day + 100 * DAY_MS,
        "forwarding_end_ms": day + 200 * DAY_MS,
        "no_notice": 0,
        "compelled": None,
    }


def test_an_exit_is_told_with_its_dates_its_people_and_its_end() -> None:
    world = World()
    first = plan(world)
    for action, public in (("plan", first), ("approve", {}), ("announce", {})):
        world.decide("X-PK-1", action, public)
    world.epoch(1)
    [told] = figures(world).exits
    assert (told["market"], told["state"], told["users"]) == ("PK", "announced", 5000)
    assert told["dates"]["stop_ms"] == first["stop_ms"] and told["counts"] is None
    dates = {name: first[name] + 30 * DAY_MS for name in told["dates"]}
    world.decide("X-PK-1", "extend", {**dates, "document": bytes(32)})
    world.epoch(1)
    assert figures(world).exits[0]["dates"] == dates
    world.decide("X-PK-1", "rescind", {"document": bytes(32)})
    world.epoch()
    [told] = figures(world).exits
    assert told["state"] == "rescinded"
    actions = [step["action"] for step in told["steps"]]
    assert actions == ["plan", "approve", "announce", "extend", "rescind"]
    assert figures(world, "2015H1").exits == ()
    assert figures(world, "2016H1").exits == (), "it had ended before"
    assert "PK" in figures(world).by_country


def test_rows_add_up_whatever_is_decided() -> None:
    """A walk of random decisions: outcomes add up in every row, rows to totals, always."""
    world = World(runs.seed())
    chance = world.chance
    for _ in range(40):
        world.sealed = chance.random() < 0.2
        gag = world.now_ms + 40 * DAY_MS if world.sealed else 0
        kind = chance.choice(["production", "emergency", "removal", "technical-capability"])
        case = world.receive(chance.choice(["PK", "DE", "US"]), kind, gag_until_ms=gag)
        if kind == "technical-capability":
            world.refuse(case, "no-such-capability")
        elif (end := chance.randrange(6)) == 1:
            world.verify(case, "forged")
        elif end == 2:
            world.refuse(case)
        elif end > 2:
            world.verify(case)
            world.assess(case, chance.choice(["comply", "partial", "no-data"]))
            if end > 3:
                world.deliver(case, chance.randrange(3))
        world.epoch(chance.randrange(10))
        if chance.random() < 0.1:
            world.reveal()
            world.epoch()
    received = 0
    for name in ("2015H2", "2016H1"):
        found = figures(world, name)
        for counts in (*(each.counts for each in found.rows), found.totals):
            assert counts.received == sum(getattr(counts, outcome) for outcome in OUTCOMES)
            assert counts.gags_ordered == counts.gags_in_force + counts.gags_ended
        for number in NUMBERS[:-2]:
            total = getattr(found.totals, number)
            assert total == sum(getattr(each.counts, number) for each in found.rows), number
            assert total == sum(getattr(each, number) for each in found.by_kind.values()), number
        received += found.totals.received
    assert received == 40
