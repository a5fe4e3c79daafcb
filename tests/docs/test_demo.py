"""`blackthorn demo --json`, also with `--mail`, does what the README says, as it is promised."""

import json
import subprocess

import pytest

from blackthorn.demo.deployment import clean_environment, command_line

pytestmark = pytest.mark.thorough


def test_the_demo_holds() -> None:
    done = subprocess.run(
        command_line("demo", "--json"),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=900,  # no measure: other work may keep the machine busy
        check=False,
    )
    assert done.returncode == 0, done.stderr
    counted = json.loads(done.stdout)
    assert list(counted) == [
        "messages",
        "mail",
        "ledger",
        "removed_member_read",
        "canaries",
        "seconds",
    ]
    messages, mail, canaries = counted["messages"], counted["mail"], counted["canaries"]
    assert list(messages) == ["sent", "received"]
    assert messages["sent"] == messages["received"] >= 15
    assert mail == {"accepted": 3, "opened": 3}
    assert counted["ledger"]["audited"] >= 10 and counted["ledger"]["alarms"] == 0
    assert counted["removed_member_read"] == 0
    assert list(canaries) == ["planted", "found"]
    assert canaries["planted"] >= 20 and canaries["found"] == 0
    assert counted["seconds"] > 0
    assert "14/14" in done.stderr


def test_the_demo_of_mail_holds() -> None:
    done = subprocess.run(
        command_line("demo", "--mail", "--json"),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=900,  # no measure
        check=False,
    )
    assert done.returncode == 0, done.stderr
    measured = json.loads(done.stdout)
    rows = measured["mails"]
    assert all(row["holds"] and row["disk"] == "no text" for row in rows)
    seen = [row["wire"] for row in rows]
    assert seen == ["nothing", "sealed", "sealed", "clear", "nothing", "clear"]
    assert list(measured["servers"]) == ["acme.example", "globex.example"]
    assert all(each["planted"] == 11 for each in measured["servers"].values())
    assert "10/10" in done.stderr
