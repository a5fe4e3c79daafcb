"""`blackthorn story` at fifty people: its counts hold, and what it leaves is checked from outside.

The story is played once, in a process of its own; each test then changes a copy of one file.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from blackthorn.demo.deployment import clean_environment, command_line

USERS, ELSEWHERE, SEED = 50, 20, 2015


def blackthorn(*words: object, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command_line(*map(str, words)),
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )


@dataclass(frozen=True)
class Played:
    """What one run printed, and its folder."""

    folder: Path
    counts: dict
    told: str

    @property
    def ledger(self) -> Path:
        return self.folder / "server"

    @property
    def statement(self) -> Path:
        return self.folder / "X-PK-1.json"


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Played]:
    folder = tmp_path_factory.mktemp("story") / "out"
    done = blackthorn(
        *("story", "--users", USERS, "--elsewhere", ELSEWHERE, "--seed", SEED),
        *("--dir", folder, "--json"),
    )
    assert done.returncode == 0, done.stderr
    yield Played(folder, json.loads(done.stdout), done.stderr)


def test_all_that_was_promised_is_counted(played: Played) -> None:
    counts = played.counts
    assert counts["failures"] == []
    assert (counts["users"], counts["elsewhere"], counts["markets"]) == (USERS, ELSEWHERE + 5, 4)
    assert (counts["demands_refused"], counts["directives_answered"]) == (1, 1)
    assert (counts["accounts_named"], counts["accounts_with_data"]) == (2, 2)
    assert counts["notified"] + counts["unreachable"] == USERS
    assert USERS > counts["read"] > counts["exported"] > counts["moved"] > 0
    assert counts["forwarded"] > 0 and counts["unreachable"] > 0 and counts["held"] == 0
    assert counts["mails_deleted"] > 3 * (counts["notified"] - counts["moved"])
    assert 0 < counts["parcels_deleted"] <= 2 * (counts["notified"] - counts["moved"])
    assert re.fullmatch("[0-9a-f]{64}", counts["key_fingerprint"])
    assert counts["samples"] > 0 and counts["samples_opened"] == 0
    assert counts["others_opened_after_closure"] >= 5 * (ELSEWHERE + counts["moved"])
    assert counts["signatures"] == 2 * counts["decisions"] - 2, "a demand is received by one"
    assert counts["audit"] == {"report": True, "closure": True}
    assert counts["ledger_entries"] > 2 * USERS


def test_in_the_second_run_service_goes_on(played: Played) -> None:
    second = played.counts["second_run"]
    assert second["state"] == "rescinded" and second["mail_delivered_after"] is True
    assert second["opened_after"] >= 5 * second["users"]


def test_the_timeline_is_told_in_order_with_its_seed(played: Played) -> None:
    assert f"seed {SEED}" in played.told
    days = ["24 Jul 2015", "10 Aug 2015", "30 Nov 2015", "30 Dec 2015", "31 Dec 2015"]
    assert [played.told.index(day) for day in days] == sorted(map(played.told.index, days))
    assert "no such capability" in (
        " ".join((played.folder / "letter-of-refusal.txt").read_text().split())
    )


def test_nothing_of_the_market_is_left_on_disk(played: Played) -> None:
    keys = played.ledger / "market-keys"
    assert sorted(each.name for each in keys.iterdir()) == [
        *("AE.key", "CA.key", "GB.key", "PK.destroyed"),
    ]


def audited(played: Played, what: str, target: Path) -> subprocess.CompletedProcess[str]:
    return blackthorn("audit", what, target, "--ledger", played.ledger)


def test_what_it_publishes_verifies_by_the_commands_for_it(played: Played) -> None:
    for what, target in (("report", played.folder / "report"), ("closure", played.statement)):
        done = audited(played, what, target)
        assert done.returncode == 0, done.stderr
    done = blackthorn("export", "verify", played.folder / "export-of-one")
    assert done.returncode == 0, done.stderr


def test_a_person_finds_his_receipt_in_the_statement(played: Played) -> None:
    receipt = played.folder / "receipt-of-one.cbor"
    command = ("audit", "closure", played.statement, "--ledger", played.ledger)
    done = blackthorn(*command, "--receipt", receipt, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["receipt"]["mails"] > 3
    damaged = played.folder.parent / "receipt.cbor"
    damaged.write_bytes(receipt.read_bytes().replace(b"X-PK-1", b"X-PK-2", 1))
    assert blackthorn(*command, "--receipt", damaged).returncode == 4


@pytest.mark.parametrize("number", ["received", "refused", "accounts_named"])
def test_one_changed_number_of_the_report_is_found(
    played: Played, tmp_path: Path, number: str
) -> None:
    folder = Path(shutil.copytree(played.folder / "report", tmp_path / "report"))
    file = folder / "2015H2.json"
    value = json.loads(file.read_text())
    value["totals"][number] += 1
    file.write_text(json.dumps(value))
    done = audited(played, "report", folder)
    assert done.returncode == 4, done.stdout


def flipped_leaf(text: str) -> str:
    leaf = json.loads(text)["statement"]["receipts"]["leaves"][0]
    return text.replace(leaf, ("1" if leaf[0] == "0" else "0") + leaf[1:])


def one_more_deleted(text: str) -> str:
    return re.sub(r'("mails": ?)(\d+)', lambda found: f"{found[1]}{int(found[2]) + 1}", text)


@pytest.mark.parametrize("change", [flipped_leaf, one_more_deleted])
def test_one_changed_row_of_the_statement_is_found(played: Played, tmp_path: Path, change) -> None:
    text = played.statement.read_text()
    changed = change(text)
    assert changed != text
    file = tmp_path / "X-PK-1.json"
    file.write_text(changed)
    done = audited(played, "closure", file)
    assert done.returncode == 4, done.stdout
