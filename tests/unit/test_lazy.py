"""`blackthorn` imports only the family of commands that it runs, and its help says the same."""

import json
import subprocess
import sys

import pytest
from typer.main import get_command

from blackthorn.cli import main

FAMILIES = ("admin", "audit", "device", "officer", "witness", "demo", "replay", "ledger")

LOADED = """
import json, sys
from blackthorn.cli.main import app
try:
    app(sys.argv[1:])
except SystemExit:
    pass
print(json.dumps([name for name in sys.modules if name.startswith(("blackthorn", "rich."))]))
"""


def loaded(*words: str) -> tuple[str, list[str]]:
    """What a command prints, and the modules that it has imported."""
    command = [sys.executable, "-c", LOADED, *words]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    *printed, modules = done.stdout.splitlines()
    return "\n".join(printed), json.loads(modules)


def families(modules: list[str]) -> set[str]:
    found = {name.split(".")[2] for name in modules if name.startswith("blackthorn.cli.")}
    return found & set(FAMILIES)


def test_the_help_imports_no_family() -> None:
    printed, modules = loaded("--help")
    assert "Overwrites nothing." in printed and "│ market " in printed
    assert not families(modules)
    assert not {"rich.markdown", "rich.traceback"} & set(modules)


@pytest.mark.parametrize(
    ("words", "family"),
    [
        (("config", "--help"), {"admin"}),
        (("send", "--help"), {"device"}),
        (("audit", "--help"), {"audit"}),
        (("witness", "--help"), {"witness"}),
        (("demo", "--help"), {"demo"}),
    ],
)
def test_a_command_imports_its_own_family(words: tuple[str, ...], family: set[str]) -> None:
    printed, modules = loaded(*words)
    assert "--help" in printed
    assert families(modules) == family


def test_the_table_says_what_the_commands_say() -> None:
    commands = get_command(main.app).commands  # type: ignore[attr-defined]
    assert list(commands) == list(main.COMMANDS)
    for name, lazy in main.COMMANDS.items():
        first = (commands[name].help or "").partition("\n\n")[0]
        assert " ".join(first.split()) == lazy.help


def test_an_unknown_command_is_refused_with_a_suggestion() -> None:
    command = [sys.executable, "-m", "blackthorn", "inbx"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "Did you mean 'inbox'?" in " ".join(done.stderr.replace("│", " ").split())


def test_help_wraps_each_paragraph_as_a_whole() -> None:
    """A line break inside a paragraph would show at any other width than the source's."""
    commands = get_command(main.app).commands  # type: ignore[attr-defined]
    waiting, paragraphs = [commands[name] for name in main.COMMANDS], 0
    while waiting:
        command = waiting.pop()
        waiting += getattr(command, "commands", {}).values()
        found = (command.help or "").split("\n\n")
        assert not any("\n" in paragraph for paragraph in found), command.name
        paragraphs += len(found)
    assert paragraphs > 80
