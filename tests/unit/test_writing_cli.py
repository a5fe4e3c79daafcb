"""`blackthorn mail send` and its like: what is refused before anything is stored, and drafts."""

import io
import json
import sys
from pathlib import Path

import pytest

from blackthorn.cli.device.writing.options import Given
from blackthorn.device.letters import limits as letter_limits
from blackthorn.device.operations import outbox
from blackthorn.device.operations.operation import outcome_of
from blackthorn.errors import DiskError, UserError
from blackthorn.mail.compose import limits
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.letters import files
from blackthorn.programs.device.program import DeviceProgram
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


def refuse(problem: str) -> bool:
    return False


@pytest.mark.parametrize("fault", [r"printf '\377'", "exit 1; echo"])
def test_a_text_that_cannot_be_used_yet_is_edited_again(tmp_path: Path, fault: str) -> None:
    script = tmp_path / "editor"
    script.write_text(
        f'#!/bin/sh\nif [ -e "$0.once" ]; then printf again > "$1"; else\n'
        f'touch "$0.once"; printf kept > "$1"; {fault} >> "$1"; fi\n'
    )
    script.chmod(0o700)
    asked: list[str] = []
    assert files.edited([str(script)], "", lambda problem: not asked.append(problem)) == "again"
    assert len(asked) == 1 and ("not UTF-8" in asked[0] or "editor failed" in asked[0])


def test_the_text_comes_from_an_editor_whose_file_is_gone_afterwards(tmp_path: Path) -> None:
    script = tmp_path / "editor"
    script.write_text('#!/bin/sh\necho "$1" > "$0.seen"\necho written >> "$1"\n')
    script.chmod(0o700)
    assert files.edited([str(script)], "> quoted\n", refuse) == "> quoted\nwritten\n"
    seen = Path((tmp_path / "editor.seen").read_text().strip())
    assert not seen.exists() and not seen.parent.exists()
    with pytest.raises(UserError, match="the editor failed"):
        files.edited(["false"], "", refuse)
    with pytest.raises(DiskError, match="the editor cannot be used"):
        files.edited([str(tmp_path / "none")], "", refuse)


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


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["mail", "send", BOB, "--subject", "\udcff"], "not UTF-8"),
        (["mail", "send", *(f"p{number}@example.net" for number in range(101))], "at most 100"),
        (["mail", "send", BOB], "0 drafts and mails on their way are kept"),
        (["mail", "draft", "save", BOB], "0 drafts and mails on their way are kept"),
        (["mail", "send", BOB, "--home", "/nowhere"], "/nowhere"),
        (["mail", "draft", "save", BOB, "--home", "/nowhere"], "/nowhere"),
    ],
)
def test_nothing_is_typed_in_vain(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], why: str
) -> None:
    """What can be refused before the person writes the text is refused then."""
    activated(tmp_path, monkeypatch)
    monkeypatch.setattr(letter_limits, "MAX_KEPT_LETTERS", 0)
    monkeypatch.setattr(Given, "_text", lambda *_: pytest.fail("asked for the text"))
    assert why in told(*words)


@pytest.mark.parametrize("typed", [True, False])
def test_a_typed_mail_that_cannot_be_sent_is_kept_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Path, typed: bool
) -> None:
    activated(tmp_path, monkeypatch)
    monkeypatch.setattr(Given, "typed", typed)
    monkeypatch.setattr(letter_limits, "MAX_BLIND_BYTES", 1)
    error = told("mail", "send", BOB, "--bcc", "carol@acme.example", "-s", "plan", "--file", text)
    assert "has room for 0" in error
    assert ("The mail is kept as draft 1: see `blackthorn mail draft show 1`" in error) == typed
    drafts = json.loads(invoke("mail", "draft", "list", "--json").output)
    assert [each["subject"] for each in drafts] == ["plan"] * typed


def test_a_mail_that_becomes_a_draft_again_is_told_with_its_number(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Path
) -> None:
    activated(tmp_path, monkeypatch)

    async def see_to(program: DeviceProgram, numbers: list[int], *_: object) -> object:
        with program.device.unit(wall_ms()) as unit:
            outbox.fail(unit, unit.records.outbox.get(numbers[0]), "no key is known for bob")
        with program.opened.vault.transaction() as records:
            return {numbers[0]: outcome_of(records, numbers[0])}

    monkeypatch.setattr(DeviceProgram, "see_to", see_to)
    error = told("mail", "send", BOB, "--file", text)
    assert "no key is known for bob. The mail is kept as draft 1: see" in error


def test_a_draft_is_shown_and_sent_to_further_people(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: Path
) -> None:
    activated(tmp_path, monkeypatch)
    save = ("mail", "draft", "save", BOB, "--bcc", "erin@acme.example", "-s", "the plan")
    invoke(*save, "--file", text, "--attach", text)
    shown = invoke("mail", "draft", "show", "1").output
    assert "To: bob@acme.example\nBcc: erin@acme.example\nSubject: the plan\n" in shown
    assert "    Attack at dawn.\n" in shown and "attachment 1: text.txt, text/plain" in shown
    document = json.loads(invoke("mail", "draft", "show", "1", "--json").output)
    assert (document["bcc"], document["text"]) == (["erin@acme.example"], "Attack at dawn.")
    assert "bob: not an address" in told("mail", "draft", "send", "1", "bob")
    sent = invoke("mail", "draft", "send", "1", "carol@acme.example", BOB, "erin@acme.example")
    assert sent.exception is None and "carol@acme.example: not yet sent" in sent.output
    (entry,) = json.loads(invoke("mail", "sent", "--json").output)
    assert entry["to"] == [BOB, "carol@acme.example"] and entry["bcc"] == ["erin@acme.example"]
    assert "there is no draft 1" in told("mail", "draft", "show", "1")
