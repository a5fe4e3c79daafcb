"""Every `blackthorn` command in a console block of the documents is one the program takes."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from blackthorn.cli import main as cli
from tests.docs.pages import ROOT, code_blocks, documents, named


def console_commands(text: str) -> list[str]:
    """The command lines in console blocks, continuation lines joined, prompts removed."""
    lines: list[str] = []
    for block in code_blocks(text, "console", "sh"):
        joined = block.replace("\\\n", " ")
        lines += [line.strip().removeprefix("$ ") for line in joined.splitlines()]
    return [line for line in lines if line]


def blackthorn_words(line: str) -> list[str] | None:
    """The words after `blackthorn` in a line, or None when it runs something else."""
    words = shlex.split(line, comments=True)
    while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
        words.pop(0)
    return words[1:] if words and Path(words[0]).name == "blackthorn" else None


def check(words: list[str]) -> None:
    """Parse the words as the program would; raises when a command or flag is not known."""
    command: Any = get_command(cli.app)
    context = command.context_class(command, info_name="blackthorn")
    while hasattr(command, "commands"):
        if not words and command.invoke_without_command:
            return
        assert words, f"{command.name} needs a command"
        assert words[0] in command.commands, f"no command {words[0]!r}"
        command = command.commands[words[0]]
        context = command.context_class(command, info_name=words[0], parent=context)
        words = words[1:]
    values, left_over, _ = command.make_parser(context).parse_args(args=list(words))
    assert not left_over, f"{command.name} does not take {left_over}"
    for parameter in command.params:
        if parameter.param_type_name == "argument" and parameter.required:
            assert values.get(parameter.name), f"{command.name} needs {parameter.name}"


def all_commands() -> list[tuple[str, str]]:
    """Every Blackthorn command line in the documents, with the document's name."""
    return [
        (named(document), line)
        for document in documents()
        for line in console_commands(document.read_text(encoding="utf-8"))
        if blackthorn_words(line) is not None
    ]


@pytest.mark.parametrize(("document", "line"), all_commands())
def test_a_printed_command_is_known(document: str, line: str) -> None:
    words = blackthorn_words(line)
    assert words is not None
    check(words)


def test_the_walk_through_uses_every_part() -> None:
    page = {line for name, line in all_commands() if name == "docs/first-five-minutes.md"}
    first_words = {" ".join((blackthorn_words(line) or [])[:2]) for line in page}
    used = " ".join(sorted(first_words))
    for part in ("init", "serve", "user add", "activate", "send", "inbox", "group create", "mail"):
        assert part in used, f"the walk-through never uses {part!r}"


def test_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    named_targets = set(re.findall(r"\bmake ([a-z-]+)", " ".join(console_commands(readme))))
    assert {"demo", "test"} <= named_targets <= targets


def test_an_unknown_flag_would_be_noticed() -> None:
    with pytest.raises(Exception, match="no-such-flag"):
        check(["demo", "--no-such-flag"])
