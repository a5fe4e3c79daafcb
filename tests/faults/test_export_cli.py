"""What `blackthorn export` shows and asks: a bar or lines, and a passphrase twice."""

import getpass
import io
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from rich.console import Console

from blackthorn.cli import terminal
from blackthorn.cli.device import export
from blackthorn.cli.progress import ProgressBar
from blackthorn.device.export.manifest import Counts
from blackthorn.errors import UserError
from blackthorn.programs.device.export.export import ExportSummary
from blackthorn.wire.words import count


@pytest.mark.parametrize("at_terminal", [True, False])
def test_progress_is_a_bar_at_a_terminal_and_ten_lines_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch, at_terminal: bool
) -> None:
    printed = io.StringIO()
    console = Console(file=printed, force_terminal=at_terminal, width=100)
    monkeypatch.setattr(terminal, "err", console)
    with ProgressBar() as bar:
        for number in range(1, 1_001):
            bar.show("mails", number, 1_000)
        bar.show("messages", 1, 0)
    if at_terminal:
        assert "\x1b[" in printed.getvalue() and "1000/1000" in printed.getvalue()
    else:
        lines = [f"{number}/1000 mails" for number in range(100, 1_001, 100)]
        assert printed.getvalue().splitlines() == lines


@pytest.mark.parametrize("number, nouns", [(1, "conversation, 1 contact and 1 key"), (2, "keys")])
def test_one_is_not_said_in_the_plural(
    capsys: pytest.CaptureFixture[str], number: int, nouns: str
) -> None:
    counts = Counts(number, number, number, number, number, 0)
    export._print(ExportSummary(Path("out"), "a@acme.example", counts, []))
    printed = capsys.readouterr().out
    assert f"{nouns} to out." in printed
    assert f"Exported {count(number, 'mail')}, {count(number, 'message')} in {number}" in printed


def typed(monkeypatch: pytest.MonkeyPatch, *answers: str) -> None:
    left: Iterator[str] = iter(answers)
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(getpass, "getpass", lambda prompt: next(left))


def test_a_passphrase_is_asked_for_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    typed(monkeypatch, "correct horse battery", "correct horse battery")
    assert export.ask_passphrase(None).expose() == b"correct horse battery"
    typed(monkeypatch, "correct horse battery", "correct horse")
    with pytest.raises(UserError, match="differ"):
        export.ask_passphrase(None)
    typed(monkeypatch, "short", "short")
    with pytest.raises(UserError, match="at least 12"):
        export.ask_passphrase(None)


@pytest.mark.parametrize("content", [b"", b"\nsecond line is none of it\n", b"\xff\xfe" * 12])
def test_a_passphrase_file_without_one_is_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "passphrase"
    file.write_bytes(content)
    with pytest.raises(UserError):
        export.ask_passphrase(file)
