"""The command `story` without its play: what it prints, its exit codes, a folder in the way."""

import json

import pytest
from typer.testing import CliRunner

from blackthorn.cli import main
from blackthorn.demo.replay_2015 import audit
from blackthorn.demo.replay_2015.audit import Outcome
from blackthorn.errors import UserError

COUNTS = {"users": 20, "audit": {"report": True}, "seconds": 1.0, "folder": "/left"}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list:
    """What was asked for; the outcome says what the test put into `asked[0]`."""
    found: list = [[]]

    def run_replay(out, cast, timeline) -> Outcome:
        found.append(cast)
        timeline.event(1_437_696_000_000, "a demand comes")
        with timeline.work("people", 2) as advance:
            advance(2)
        return Outcome(COUNTS, found[0])

    monkeypatch.setattr(audit, "run_replay", run_replay)
    return found


def test_json_is_one_object_and_the_seed_is_told_beside_it(asked, tmp_path) -> None:
    words = ["story", "--users", "20", "--seed", "5", "--dir", str(tmp_path / "new"), "--json"]
    done = CliRunner().invoke(main.app, words)
    assert done.exit_code == 0
    (document,) = [line for line in done.stdout.splitlines() if line.startswith("{")]
    assert json.loads(document) == {**COUNTS, "failures": []}
    assert (asked[1].users, asked[1].elsewhere, asked[1].seed) == (20, 500, 5)


def test_without_a_seed_every_story_is_another(asked, tmp_path) -> None:
    for name in ("one", "two"):
        CliRunner().invoke(main.app, ["story", "--dir", str(tmp_path / name)])
    assert asked[1].users == 5_000
    assert asked[1].seed != asked[2].seed


def test_what_does_not_hold_is_named_and_ends_with_one(asked, tmp_path) -> None:
    asked[0].append("rows of PK are left")
    done = CliRunner().invoke(main.app, ["story", "--dir", str(tmp_path / "new")])
    assert done.exit_code == 1
    assert "rows of PK are left" in done.output


def test_a_folder_that_holds_something_is_left_alone(asked, tmp_path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = CliRunner().invoke(main.app, ["story", "--dir", str(tmp_path)])
    assert isinstance(done.exception, UserError)
    assert len(asked) == 1 and [each.name for each in tmp_path.iterdir()] == ["mine"]
