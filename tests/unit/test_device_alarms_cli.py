"""`blackthorn alarms`: what a person sees of an alarm, its file, and going on deliberately."""

import json

import pytest

from blackthorn.cli import terminal
from blackthorn.device.transparency import alarms
from blackthorn.errors import UserError
from tests.support.device_home import activated, invoke

BOB = "bob@acme.example"


@pytest.fixture
def home(tmp_path, monkeypatch):
    """An activated device on disk, with three alarms."""
    place, vault, ledger = activated(tmp_path, monkeypatch)
    with vault.transaction() as records:
        file = alarms.evidence_of(records, "stale", {"first": ledger.note(), "seen_ms": 5})
        alarms.raise_alarm(records, "bad-chain", BOB, "[I20] \x1b[31mred", 5_000)
        alarms.raise_alarm(records, "rollback", alarms.LEDGER, "an older one", 6_000, file)
        alarms.raise_alarm(records, "reset-pending", BOB, "Bob asked", 7_000)
    vault.close()
    return place


def run(*words, error=None):
    result = invoke(*words)
    if error is not None:
        assert isinstance(result.exception, error), result.output
        return str(result.exception)
    assert result.exception is None, (result.output, result.exception)
    return result.output


def listed(*words):
    return json.loads(run("alarms", *words, "--json"))


@pytest.fixture(autouse=True)
def plain(monkeypatch):
    """Consoles that write to whatever standard output is now."""
    from rich.console import Console

    monkeypatch.setattr(terminal, "out", Console(highlight=False, width=200))
    monkeypatch.setattr(terminal, "err", Console(highlight=False, stderr=True, width=200))


@pytest.mark.usefixtures("home")
def test_open_alarms_are_listed_with_what_they_mean_and_stop():
    told = run("alarms")
    assert "This person's identity chain breaks its rules (bob@acme.example)." in told
    assert "Nothing is sent to bob@acme.example until you run: blackthorn alarms accept 1" in told
    assert "blackthorn alarms export 2 FILE" in told and "export 1" not in told
    assert "accept 3" not in told, "a notice stops nothing"
    assert "\x1b[31m" not in told, "what others have written is made safe"


@pytest.mark.usefixtures("home")
def test_programs_get_all_of_it():
    found = listed()
    assert [each["number"] for each in found] == [1, 2, 3]
    assert [each["effect"] for each in found] == ["stops", "stops", "tells"]
    assert found[1]["about"] == "the ledger" and found[1]["evidence"] > 0
    assert found[0]["code"] == "bad-chain" and found[0]["since"] == "1970-01-01T00:00:05.000Z"


@pytest.mark.usefixtures("home")
def test_an_alarm_is_accepted_only_when_its_person_says_so():
    assert "--yes" in run("alarms", "accept", 1, error=UserError)
    assert len(listed()) == 3
    assert "Alarm 1 is accepted." in run("alarms", "accept", 1, "--yes")
    assert [each["number"] for each in listed()] == [2, 3]
    everything = listed("--all")
    assert [each["accepted"] for each in everything] == [True, False, False]
    assert "there is no alarm 9" in run("alarms", "accept", 9, "--yes", error=UserError)


def test_an_alarm_that_has_ended_is_shown_with_its_date_among_all(home):
    with home.unlock().transaction() as records:
        first, *_ = records.directory.alarms()
        alarms.end(records, {first.code}, first.address, first.fact, 1_900_000_000_000)
    assert [each["number"] for each in listed()] == [2, 3]
    assert [bool(each["ended"]) for each in listed("--all")] == [True, False, False]
    assert "Ended on 2030-03-17" in run("alarms", "--all")
    assert "1 accepted or ended alarm is not shown" in run("alarms")


def test_evidence_is_written_once_and_verifies(home, tmp_path):
    file = tmp_path / "evidence.json"
    assert "bytes" in run("alarms", "export", 2, file)
    assert "has signed a tree of 3 entries" in run("audit", "evidence", file)
    kept = file.read_bytes()
    assert "is there already: nothing was written; give another name" in run(
        "alarms", "export", 2, file, error=UserError
    )
    assert file.read_bytes() == kept
    assert "no evidence" in run("alarms", "export", 1, tmp_path / "none", error=UserError)


@pytest.mark.usefixtures("home")
def test_every_kind_can_be_shown():
    from blackthorn.cli.device.alarm_texts import document, lines
    from blackthorn.ports.device_store import AlarmRecord

    for code in [*alarms.KINDS, "of-another-version"]:
        for address in (BOB, alarms.LEDGER):
            alarm = AlarmRecord(code, address, "text", 5, b"", number=1)
            assert document(alarm)["meaning"] and lines(alarm)[0].endswith(".")
