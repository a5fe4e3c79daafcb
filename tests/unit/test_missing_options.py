"""What a command needs and did not get is named at once, whatever the command."""

from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from blackthorn.cli import main


def commands(group: Any = None, path: tuple[str, ...] = ()) -> list[tuple[tuple[str, ...], Any]]:
    """All commands with their words."""
    group = group or get_command(main.app)
    found = []
    for name, command in group.commands.items():
        words = (*path, name)
        found += commands(command, words) if hasattr(command, "commands") else [(words, command)]
    return found


def needs(command: Any) -> list[str]:
    return [one.get_error_hint() for one in command.params if one.required]


NEEDING = [(words, needs(command)) for words, command in commands() if needs(command)]


@pytest.fixture(autouse=True)
def wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "400")
    for name in ("BLACKTHORN_DIR", "BLACKTHORN_HOME"):
        monkeypatch.delenv(name, raising=False)


def told(*words: str) -> str:
    result = CliRunner().invoke(main.app, list(words))
    assert result.exit_code == 2
    return result.output


@pytest.mark.parametrize(("words", "needed"), NEEDING, ids=lambda value: " ".join(value))
def test_all_that_is_missing_is_named_at_once(words: tuple[str, ...], needed: list[str]) -> None:
    assert f" {', '.join(needed)}." in told(*words)


def test_what_was_given_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    said = told("market", "plan", "PK", "--stop", "2030-01-01")
    assert "Missing option '--reason'." in said
    said = told("directive", "receive", "--country", "PK")
    assert "Missing options '--kind', '--authority'," in said and "--country" not in said
    assert "Missing arguments 'NAME', 'ADDRESS...'." in told("group", "create")
    monkeypatch.setenv("BLACKTHORN_DIR", "/nowhere")
    assert "Missing argument 'ADDRESS'." in told("user", "add")


def test_the_variable_that_stands_for_what_is_missing_is_named() -> None:
    assert "DIR may be the variable BLACKTHORN_DIR." in told("serve").replace("'", "")
    assert "BLACKTHORN_DIR" in told("user", "add")
    assert "variable" not in told("group", "create")
