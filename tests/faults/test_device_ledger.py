"""Real devices and the ledger of a real server: what they replay, what they are told, new terms."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from blackthorn.demo.deployment import (
    Deployment,
    Person,
    StepFailedError,
    free_ports,
    wait_until,
)
from tests.support.witness_process import WitnessProcess, make_witness


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
    assert status["ledger_entries"] == checked(alice)
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


def test_a_policy_is_accepted_only_when_its_witnesses_have_cosigned(
    deployment: Deployment, tmp_path: Path
) -> None:
    """And its digest is the one that the administrator sees on the server."""
    alice, _ = deployment.enrol("alice")
    pinned = alice.run_json("ledger", "trust")
    assert pinned["differs"] is False
    assert pinned["digest"] == administrators_digest(deployment)
    deployment.stop_server()
    folder, port = tmp_path / "witness", free_ports(1)[0]
    policy = deployment.administer("ledger", "policy", str(deployment.directory))
    vkey = make_witness(folder, policy.split()[1])
    url, quorum = f"http://127.0.0.1:{port}", ("--quorum", "2")
    add = ("ledger", "witness", "add", str(deployment.directory), vkey, url, *quorum)
    with pytest.raises(StepFailedError, match="failed with 2") as unasked:
        deployment.administer(*add)
    assert "cannot be reached" in unasked.value.detail
    deployment.administer(*add, "--offline")
    deployment.start_server()
    with pytest.raises(StepFailedError, match="failed with 1"):  # the witness does not answer
        deployment.administer("ledger", "status", str(deployment.directory))
    shown = alice.run("ledger", "trust")
    assert "not cosigned by witness.example/w yet" in shown and "blackthorn ledger status" in shown
    with pytest.raises(StepFailedError, match="failed with 2") as refused:
        alice.run("ledger", "trust", "--accept", "--yes")
    assert "not cosigned by witness.example/w" in refused.value.detail
    assert alice.run_json("ledger", "trust")["quorum"] == pinned["quorum"]
    assert alice.run_json("status")["alarms"] == []
    with WitnessProcess(folder, port=port):
        wait_until(lambda: "not cosigned" not in alice.run("ledger", "trust"), 30, "no cosignature")
        accepted = alice.run_json("ledger", "trust", "--accept", "--yes")
        assert accepted["accepted"] is True
        assert accepted["digest"] == administrators_digest(deployment) != pinned["digest"]
        assert alice.run_json("ledger", "trust")["differs"] is False
        assert alice.run_json("status")["alarms"] == []


def administrators_digest(deployment: Deployment) -> str:
    printed = deployment.administer("ledger", "status", str(deployment.directory), "--json")
    digest = json.loads(printed)["digest"]
    assert re.fullmatch("[0-9a-f]{64}", digest)
    return str(digest)
