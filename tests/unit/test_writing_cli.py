"""`blackthorn mail send` and its like: what is refused before anything is stored, and drafts."""

import io
import json
import sys
from pathlib import Path

import pytest

from blackthorn.errors import DiskError, UserError
from blackthorn.mail.compose import limits
from blackthorn.programs.device.letters import files
from tests.support.device_home import activated, invoke

BOB = "bob@acme.example"


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_text("Attack at dawn.\n")
    return path


def told(*words: str | Path) -> str:
    result = invoke(*words)
    assert result.exception is not None, result.output
    return str(result.exception)


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["mail", "send", "bob"], "bob: not an address"),
        (
            ["mail", "send", BOB, "--attach", "/nowhere/plan.pdf"],
            "/nowhere/plan.pdf cannot be read",
        ),
        (["mail", "send", BOB, "--attach", "/"], "/ is no file: put a folder into an archive"),
        (["mail", "send", BOB, "--attach", "/dev/zero"], "/dev/zero is no file"),
        (["mail", "draft", "send", "9"], "there is no draft 9"),
        (["mail", "send", BOB, "--subject", "\udcff"], "the subject is not UTF-8"),
        (["mail", "draft", "delete", "9"], "there is no draft 9"),
    ],
)
def test_bad_input_is_told_in_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Path, words: list[str], why: str
) -> None:
    activated(tmp_path, monkeypatch)
    more = ["--file", str(text)] if words[1] == "send" else []
    error = told(*words, *more)
    assert why in error and "\n" not in error


@pytest.mark.parametrize("size", [300, 65_536])
def test_a_name_longer_than_any_file_system_takes_is_told_shortly(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Path, size: int
) -> None:
    activated(tmp_path, monkeypatch)
    error = told("mail", "send", BOB, "--file", text, "--attach", "x" * size)
    assert "cannot be read: File name too long" in error and len(error) < 200
    long = told("mail", "send", "x" * size, "--file", text)
    assert len(long) < 300 and "not an address" in long


def test_too_many_and_too_large(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Path
) -> None:
    activated(tmp_path, monkeypatch)
    many = [f"p{number}@example.net" for number in range(101)]
    assert "at most 100 recipients, not 101" in told("mail", "send", *many, "--file", text)
    large = tmp_path / "large"
    with large.open("wb") as opened:
        opened.truncate(limits.MAX_COMPOSED_BYTES)
    assert "more than the 18 that a mail may have" in told(
        "mail", "send", BOB, "--file", text, "--attach", large
    )
    large.write_bytes(b"x" * (limits.MAX_TEXT_BYTES + 1))
    assert "attach it as a file" in told("mail", "send", BOB, "--file", large)
    large.write_bytes(b"\xff\xfe")
    assert "the text is not UTF-8" in told("mail", "send", BOB, "--file", large)
    large.write_bytes(b" \n")
    assert "there is no text to send" in told("mail", "send", BOB, "--file", large)
    assert json.loads(invoke("mail", "sent", "--json").output) == []


def test_a_draft_is_kept_and_deleted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Path
) -> None:
    activated(tmp_path, monkeypatch)
    saved = invoke("mail", "draft", "save", BOB, "-s", "the plan", "--file", text)
    assert saved.output == "draft 1: kept on this device\n"
    (entry,) = json.loads(invoke("mail", "draft", "list", "--json").output)
    assert (entry["number"], entry["to"], entry["subject"]) == (1, [BOB], "the plan")
    found = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path != text]
    assert not any(b"Attack at dawn" in data or b"the plan" in data for data in found)
    assert invoke("mail", "draft", "delete", "1").output == "draft 1: deleted\n"
    assert invoke("mail", "draft", "list").output == "No drafts.\n"


def test_the_text_comes_from_an_editor_whose_file_is_gone_afterwards(tmp_path: Path) -> None:
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\necho "$1" > "$0.seen"\necho written >> "$1"\n')
    script.chmod(0o700)
    assert files.edited([str(script)], "> quoted\n") == "> quoted\nwritten\n"
    seen = Path((tmp_path / "editor.seen").read_text().strip())
    assert not seen.exists() and not seen.parent.exists()
    with pytest.raises(UserError, match="the editor failed"):
        files.edited(["false"], "")
    with pytest.raises(DiskError, match="the editor cannot be used"):
        files.edited([str(tmp_path / "none")], "")


def test_standard_input_is_read_to_its_bound() -> None:
    assert files.read_text(io.BytesIO("grüße".encode())) == "grüße"
    with pytest.raises(UserError, match="2 MiB"):
        files.read_text(io.BytesIO(bytes(limits.MAX_TEXT_BYTES + 1)))


def test_raw_bytes_do_not_reach_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    activated(tmp_path, monkeypatch)
    monkeypatch.setattr("blackthorn.cli.terminal.is_terminal", lambda **_: True)
    assert "raw bytes could control your terminal" in told("mail", "raw", "1")


def test_nothing_is_deleted_without_a_yes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    activated(tmp_path, monkeypatch)
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    assert "--yes" in told("mail", "delete", "1")
