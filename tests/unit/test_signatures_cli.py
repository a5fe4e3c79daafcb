"""Officers are told by `status` and `inbox` that a decision waits for their signature."""

import json
from pathlib import Path

import pytest

from blackthorn.errors import UnavailableError
from blackthorn.link import frames as f
from blackthorn.programs.device.program import DeviceProgram
from tests.support.office_world import OfficeWorld, address

BOB = address("bob")
FOUND = (
    "A decision waits for your signature: officers (found). See "
    "`blackthorn role sign officers --dry-run`."
)


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> OfficeWorld:
    world = OfficeWorld(tmp_path, monkeypatch)

    async def fetched(device: DeviceProgram) -> str:
        return ""

    monkeypatch.setattr(DeviceProgram, "try_fetch", fetched)
    return world


def told(world: OfficeWorld, name: str, *words: str) -> str:
    """What a command prints on standard error."""
    world.run(name, *words)
    return world.errors


def test_a_founder_is_told_of_the_founding_and_who_has_signed_is_not(world: OfficeWorld) -> None:
    said = world.run("ann", "role", "found", BOB, "--yes")
    assert "The other officers are told by their next `blackthorn status`" in said
    assert FOUND in told(world, "bob", "status")
    assert "waits" not in told(world, "ann", "status")
    (waiting,) = world.json("bob", "status")["decisions_to_sign"]
    assert waiting == {"case": "officers", "action": "found"}
    world.run("bob", "role", "found", address("ann"), "--yes")
    assert "waits" not in told(world, "bob", "status")


def test_only_who_may_sign_is_told(world: OfficeWorld) -> None:
    world.founded()
    world.run("ann", "role", "appoint", address("kim"), "--role", "legal", "--yes")
    assert "officers (appoint)" in told(world, "bob", "status")
    assert "waits" not in told(world, "lea", "status")
    assert "waits" not in told(world, "cus", "status")


def test_the_inbox_tells_founders_and_officers_who_may_sign(world: OfficeWorld) -> None:
    said = world.run("ann", "role", "found", BOB, "--yes")
    assert "`blackthorn status` or `blackthorn inbox`" in said
    assert FOUND in told(world, "bob", "inbox", "--last", "1")
    world.run("bob", "role", "found", address("ann"), "--yes")
    assert "waits" not in told(world, "bob", "inbox")
    world.run("ann", "role", "appoint", address("kim"), "--role", "legal", "--yes")
    assert "officers (appoint)" in told(world, "bob", "inbox", "--last", "1")
    assert json.loads(world.run("bob", "inbox", "--json")) == []
    assert "waits" not in told(world, "kim", "inbox")


def test_what_cannot_be_verified_is_told_and_hides_nothing(world: OfficeWorld) -> None:
    world.founded()
    world.run("bob", "role", "list")
    world.office.decisions.pop()
    assert "could not be verified: the server shows an earlier history" in told(
        world, "bob", "status"
    )
    assert "address" in world.printed


def test_who_is_no_officer_is_told_nothing(world: OfficeWorld) -> None:
    world.founded()
    refusal = f.Decisions(1, [], [], [], 0, False, "only officers see decisions")
    world.monkeypatch.setattr(world.office, "answer", lambda frame: refusal)
    assert told(world, "kim", "status") == ""
    assert world.json("kim", "status")["decisions_to_sign"] == []


def test_without_a_server_nothing_is_asked(world: OfficeWorld) -> None:
    async def unreached(device: DeviceProgram) -> str:
        return "no server"

    world.monkeypatch.setattr(DeviceProgram, "try_fetch", unreached)
    world.monkeypatch.setattr(world.office, "answer", None)
    world.run("bob", "status", error=UnavailableError)
