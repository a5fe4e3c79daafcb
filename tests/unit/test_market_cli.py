"""`blackthorn market`: a whole exit on the officers' devices, and every way it can turn."""

import hashlib
import json
from datetime import UTC, datetime

import pytest

from blackthorn.errors import UserError
from blackthorn.governance import exit_requests
from blackthorn.governance.inputs import DAY_MS
from tests.support.office_world import OfficeWorld, address

FACTS = {
    "receipts": "11" * 32,
    "users": 2,
    "notified": 2,
    "read": 1,
    "exported": 1,
    "moved": 0,
    "forwarded": 1,
    "unreachable": 0,
    "held": 0,
    "key": "22" * 32,
    "mails": 5,
    "parcels": 6,
    "samples": 4,
    "opened": 0,
    "statement": "33" * 32,
}


@pytest.fixture
def world(tmp_path, monkeypatch):
    made = OfficeWorld(tmp_path, monkeypatch)
    made.founded()
    (tmp_path / "users").write_text(f"{address('kim')}\n{address('Ann')}\n")
    (tmp_path / "order").write_bytes(b"Leave.")
    (tmp_path / "facts.json").write_text(json.dumps(FACTS))
    return made


def day(world, days: float) -> str:
    return (
        datetime.fromtimestamp(world.office.now_ms / 1000 + days * 86_400, UTC).date().isoformat()
    )


def planned(world, *more):
    words = ("market", "plan", "PK", "--reason", "It is so.", "--stop", day(world, 91))
    world.run("ann", *words, "--list", world.folder / "users", *more, "--yes")
    early = world.run("ann", "market", "approve", "PK", "--yes", error=UserError)
    assert "waits for another officer first: blackthorn market sign X-PK-1" in early
    told = world.run("bob", *words, "--yes")
    assert "is decided. Next: blackthorn market approve PK" in told


def announced(world):
    planned(world)
    world.both("ann", "bob", "market", "approve", "PK")
    world.both("ann", "bob", "market", "announce", "pk")


def state(world):
    return world.json("bob", "market", "status", "PK")["state"]


def test_a_plan_says_who_and_when(world):
    planned(world)
    status = world.json("ann", "market", "status", "PK")
    public = status["steps"][0]["public"]
    assert public["users"] == 2
    listed = f"{address('ann')}\n{address('kim')}\n".encode()
    assert public["list"] == hashlib.sha256(listed).hexdigest()
    assert status["dates"]["stop"].startswith(day(world, 91))
    assert "2 users" not in world.run("ann", "market", "list").splitlines()[0]
    assert world.json("ann", "market", "list")[0]["state"] == "draft"
    assert "X-PK-1\tdraft\t-\t2\t" in world.run("ann", "market", "list")


def test_dates_follow_from_the_stop_and_from_those_given():
    now, stop = 1_000 * DAY_MS, 1_090 * DAY_MS
    dates = exit_requests.planned_dates({"stop_ms": stop}, now)
    assert dates == {
        "announce_ms": now,
        "activations_ms": now,
        "read_only_ms": stop - 14 * DAY_MS,
        "stop_ms": stop,
        "retrieval_end_ms": stop + 30 * DAY_MS,
        "backups_end_ms": stop + 210 * DAY_MS,
        "forwarding_end_ms": stop + 365 * DAY_MS,
    }
    given = {"stop_ms": stop, "retrieval_end_ms": stop + 60 * DAY_MS, "read_only_ms": stop}
    dates = exit_requests.planned_dates(given, now)
    assert dates["backups_end_ms"] == stop + 240 * DAY_MS and dates["read_only_ms"] == stop
    soon = exit_requests.planned_dates({"stop_ms": now + DAY_MS}, now)
    assert soon["read_only_ms"] == now, "an exit without notice is read-only at once"


def test_the_server_says_who_is_concerned_or_why_not(world):
    words = ("market", "plan", "PK", "--reason", "R", "--stop", day(world, 91), "--yes")
    world.office.refusal = "the server is busy"
    assert world.run("ann", *words, error=UserError) == "the server is busy"
    world.office.refusal = ""
    world.run("ann", *words)
    world.run("bob", *words)
    assert world.json("ann", "market", "status", "PK")["steps"][0]["public"]["users"] == 2


@pytest.mark.parametrize("bad", ["*@acme.example\n", "ann\n", "\xff"])
def test_a_list_names_addresses(world, bad):
    (world.folder / "users").write_bytes(bad.encode("latin-1"))
    words = ("--list", world.folder / "users", "--reason", "R", "--stop", day(world, 91))
    world.run("ann", "market", "plan", "PK", *words, "--yes", error=UserError)


def test_too_short_a_notice_names_what_compels_it(world):
    words = ("market", "plan", "PK", "--reason", "R", "--stop", day(world, 10))
    words = (*words, "--list", world.folder / "users", "--yes")
    refused = world.run("ann", *words, error=UserError)
    assert "(--compelled FILE)" in refused and "[G8]" in refused
    told = world.run("ann", *words, "--no-notice", "--compelled", world.folder / "order")
    assert "plan waits for" in told
    world.run("bob", "market", "sign", "X-PK-1", "--yes")
    early = world.run("ann", "market", "stop", "PK", "--yes", error=UserError)
    assert early.strip().endswith("next is: blackthorn market approve PK")
    world.both("ann", "bob", "market", "approve", "PK")
    world.both("ann", "bob", "market", "announce", "PK")
    world.later(11)
    world.both("ann", "bob", "market", "stop", "PK")
    assert state(world) == "stopped"


def test_a_dry_run_says_whom_it_concerns_and_signs_nothing(world):
    planned(world)
    told = world.run("ann", "market", "approve", "PK", "--dry-run")
    assert "It concerns 2 users of PK" in told and "nothing was signed" in told
    assert world.office.pending == {}


def test_a_market_is_left_step_by_step_each_at_its_date(world):
    announced(world)
    told = world.both("ann", "bob", "market", "drain", "PK")
    assert f"Next, from {day(world, 77)} " in told and " on: blackthorn market drain PK" in told
    assert state(world) == "draining"
    early = world.run("ann", "market", "drain", "PK", "--yes", error=UserError)
    assert "[G9]" in early and "(read only, 20" in early and "newest entry is of 20" in early
    minutes = world.ledger.config.heartbeat_ms // 60_000
    assert f"try again within {minutes} minute" in early
    world.later(80)
    world.both("ann", "bob", "market", "drain", "PK")
    assert state(world) == "read-only"
    world.later(12)
    world.both("ann", "bob", "market", "stop", "PK")
    world.both("ann", "bob", "market", "stop", "PK")
    assert state(world) == "retrieval"
    world.later(31)
    prepared = world.both("ann", "bob", "market", "close", "PK")
    assert "fetch their receipts until the destruction" in prepared
    assert state(world) == "preparing"
    assert "--facts" in world.run("cus", "market", "close", "PK", "--yes", error=UserError)
    facts = ("--facts", world.folder / "facts.json")
    told = world.run("cus", "market", "close", "PK", *facts, "--yes")
    assert "irreversible" in told and "destroy waits for custodian" in told
    world.run("ann", "market", "close", "PK", *facts, "--yes", error=UserError)
    world.run("kim", "market", "close", "PK", *facts, "--yes")
    assert state(world) == "destroying"
    world.both("cus", "kim", "market", "close", "PK", *facts)
    assert state(world) == "closed"
    assert "X-PK-1" in world.run("ann", "market", "close", "PK", "--yes", error=UserError)


def test_one_document_of_numbers_serves_both_steps():
    facts = exit_requests.closure_fields("destroy", FACTS)
    assert facts["receipts"] == b"\x11" * 32 and "mails" not in facts


@pytest.mark.parametrize("change", [{"users": "2"}, {"key": "xy"}, {"read": None}, {"held": True}])
def test_numbers_of_a_closure_that_cannot_be_are_refused(change):
    with pytest.raises(UserError):
        exit_requests.closure_fields("destroy", {**FACTS, **change})


def test_numbers_that_are_missing_are_named():
    with pytest.raises(UserError, match="'samples'"):
        exit_requests.closure_fields("close", {k: v for k, v in FACTS.items() if k != "samples"})


def test_dates_move_and_the_market_stays_after_all(world):
    announced(world)
    document = ("--document", world.folder / "order")
    before = world.json("ann", "market", "status", "PK")["dates"]
    world.both("ann", "bob", "market", "extend", "PK", "--stop", day(world, 121), *document)
    after = world.json("ann", "market", "status", "PK")["dates"]
    assert after["stop"].startswith(day(world, 121)) and after["announce"] == before["announce"]
    assert after["retrieval_end"] > before["retrieval_end"]
    assert "[G8]" in world.run(
        *("ann", "market", "extend", "PK", "--stop", day(world, 100), *document, "--yes"),
        error=UserError,
    )
    world.both("ann", "bob", "market", "accelerate", "PK", "--stop", day(world, 61), *document)
    assert world.json("ann", "market", "status", "PK")["dates"]["stop"].startswith(day(world, 61))
    world.both("ann", "bob", "market", "rescind", "PK", *document)
    assert state(world) == "rescinded"


def test_a_change_says_which_date(world):
    announced(world)
    words = ("market", "extend", "PK", "--document", world.folder / "order", "--yes")
    assert "enter a new date" in world.run("ann", *words, error=UserError)


def test_a_hold_stops_every_step_until_it_is_released(world):
    announced(world)
    world.both("ann", "lea", "market", "hold", "PK", "--reason", "A court.")
    assert "held" in world.run("ann", "market", "status", "PK")
    assert "[G13]" in world.run("ann", "market", "drain", "PK", "--yes", error=UserError)
    world.both("ann", "lea", "market", "release", "PK", "--reason", "It is over.")
    world.both("ann", "lea", "market", "drain", "PK")
    assert state(world) == "draining"


@pytest.mark.parametrize("bad", ["XX", "Pakistan", "", "%"])
def test_a_market_is_a_country(world, bad):
    assert "ISO 3166-1" in world.run("ann", "market", "status", bad, error=UserError)


def test_a_market_that_is_not_being_left(world):
    assert "its service continues" in world.run("ann", "market", "status", "PK", error=UserError)
    assert "no exit" in world.run("ann", "market", "drain", "PK", "--yes", error=UserError)
    assert "No market" in world.run("ann", "market", "list")


def test_a_step_out_of_its_state_names_the_state(world):
    planned(world)
    assert "X-PK-1 is draft" in world.run("ann", "market", "stop", "PK", "--yes", error=UserError)
