"""Real devices and the ledger of a real server: what they replay, what they are told, new terms."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.demo.deployment import Deployment, Person, wait_until


@pytest.fixture
def deployment(tmp_path: Path) -> Iterator[Deployment]:
    with Deployment(tmp_path) as made:
        made.initialise()
        made.start_server()
        yield made


def checked(person: Person) -> int:
    """Entries that a replay on the device has found to hold."""
    told = person.run_json("ledger", "check")
    assert told["finding"] is None
    return int(told["entries"])


def test_a_device_replays_the_ledger_of_a_real_server(deployment: Deployment) -> None:
    alice, _ = deployment.enrol("alice")
    first = checked(alice)
    deployment.enrol("bob")
    assert checked(alice) > first
    assert "keep its rules" in alice.run("ledger", "check")
    status = alice.run_json("status")
    assert status["alarms"] == [] and status["ledger_stale"] is False
    assert status["ledger"] == f"{checked(alice)} entries"
    assert "embedded in the server" in status["witnesses"]
    assert alice.run_json("alarms") == []
    assert "No open alarms." in alice.run("alarms")


def test_a_change_of_the_ledgers_pace_alarms_nobody(deployment: Deployment) -> None:
    """The new configuration is in the log: devices learn it there, and go on."""
    alice, _ = deployment.enrol("alice")
    checked(alice)
    deployment.stop_server()
    (settings,) = deployment.directory.glob("*.toml")
    text = settings.read_text(encoding="utf-8")
    changed = re.sub(r"(?m)^#? ?heartbeat_seconds = \d+", "heartbeat_seconds = 300", text)
    assert changed != text
    settings.write_text(changed, encoding="utf-8")
    deployment.start_server()
    bob, _ = deployment.enrol("bob")
    assert alice.run_json("send", bob.address, "under the new terms")["accepted"] is True
    wait_until(
        lambda: [each["text"] for each in bob.run_json("inbox")] == ["under the new terms"],
        20,
        "the text did not come",
    )
    assert alice.run_json("alarms") == [] and checked(alice) > 0
