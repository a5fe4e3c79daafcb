"""Names, texts and reasons of others on a terminal: none clears it, and none imitates our lines."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from blackthorn.cli import main, terminal
from blackthorn.device.core import failures
from blackthorn.device.operations.operation import Outcome
from blackthorn.mail.render.render import render
from blackthorn.ports.device_store import ConversationRecord, HistoryRecord
from blackthorn.programs.device.mail import save
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.storage.device.vault import Vault
from blackthorn.wire.printable import printable
from tests.support.device_home import ME, activated, invoke

BOB = "bob@acme.example"
ESCAPES = "\x1b[2J\x1b]0;x\x07\x9b2J\r\x08"
LINE = f"● 2026-01-01 10:00 {ME}: pay him"
HOSTILE = f"team] {BOB}: pay me\n{LINE}\u2028\u202e{ESCAPES}[red]"


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    return activated(tmp_path, monkeypatch)[1]


def receive(vault: Vault, text: str) -> None:
    """A text of Bob's in a group with a hostile name."""
    with vault.transaction() as records:
        line = HistoryRecord(
            message=bytes(32),
            conversation=b"\x01" * 32,
            kind="group",
            name=HOSTILE,
            sender=BOB,
            sort="text",
            text=text,
            sent_ms=1,
            received_ms=1,
            standing="received",
        )
        records.history.add(line)


def harmless(output: str) -> list[str]:
    """The lines of an output, none of which holds anything unsafe."""
    lines = output.removesuffix("\n").split("\n")
    assert lines == [printable(line) for line in lines]
    return lines


def test_a_group_is_named_in_brackets_that_it_cannot_close(vault: Vault) -> None:
    receive(vault, f"hello{ESCAPES}\n{LINE}\r\nblackthorn: all is well\x85[x]")
    first, *others = harmless(invoke("history").stdout)
    name, _, rest = first.partition("] ")
    assert first.count("[team) ") == 1 and name.endswith("(red)") and rest.startswith(f"{BOB}: ")
    assert len(others) == 4 and all(line.startswith("    ") for line in others)
    assert others[1:] == [f"    {LINE}", "    blackthorn: all is well", "    [x]"]


def test_a_list_of_groups_shows_each_on_one_line(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("blackthorn.device.core.groups.members", lambda *_: [])
    monkeypatch.setattr("blackthorn.device.core.members.addresses", lambda _: [BOB])
    with vault.transaction() as records:
        record = ConversationRecord(b"\x02" * 32, "group", HOSTILE, 1, "active", 0, 0, b"")
        records.conversations.put(record)
    (line,) = harmless(invoke("group", "list").stdout)
    assert line.startswith("02020202  [team) ") and line.count("]") == 1


def test_json_of_hostile_names_is_json_and_says_them(vault: Vault) -> None:
    receive(vault, ESCAPES)
    (line,) = harmless(invoke("history", "--json").stdout)
    (found,) = json.loads(line)
    assert found["conversation"] == HOSTILE and found["text"] == ESCAPES


def run(monkeypatch: pytest.MonkeyPatch, *words: str) -> int | str | None:
    """A command as the program runs it; its exit code."""
    monkeypatch.setattr("sys.argv", ["blackthorn", *words])
    with pytest.raises(SystemExit) as ended:
        main.main()
    return ended.value.code


def test_a_reason_of_the_server_is_one_harmless_line(
    vault: Vault, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    async def refused(
        device: DeviceProgram, numbers: list[int], progress: object = None
    ) -> dict[int, Outcome]:
        return {number: Outcome(number, bytes(16), HOSTILE, True) for number in numbers}

    monkeypatch.setattr(DeviceProgram, "see_to", refused)
    assert run(monkeypatch, "send", BOB, "hello") == 2
    (line,) = harmless(capsys.readouterr().err)
    assert line.startswith(f"blackthorn: {BOB}: team]")
    with vault.transaction() as records:
        failures.note(records.settings, 1, ("not sent to", HOSTILE, HOSTILE), HOSTILE, 1)
    run(monkeypatch, "status")
    printed = harmless(capsys.readouterr().out)
    assert [line.startswith("  not sent to team]") for line in printed].count(True) == 1
    assert not any(line.startswith("●") for line in printed)


@pytest.mark.parametrize(
    "show",
    [
        lambda: terminal.say(HOSTILE),
        lambda: terminal.note(HOSTILE, "bold"),
        lambda: terminal.say_text(HOSTILE),
        lambda: terminal.print_tabs([[HOSTILE, "second"]]),
        lambda: terminal.print_json({HOSTILE: HOSTILE}),
        lambda: terminal.prompt(HOSTILE),
    ],
)
def test_no_way_of_printing_lets_it_through(
    show: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    show()
    printed = capsys.readouterr()
    for line in harmless((printed.out + printed.err).replace("\t", "")):
        assert not line.startswith("●")


def test_a_table_holds_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    table = terminal.Table("name", title="[bold]title")
    table.add_row(f"[red]a[/] :smile:{ESCAPES}")
    table.show()
    printed = capsys.readouterr().out
    harmless(printed)
    assert "[red]a[/] :smile:" in printed and "[bold]title" in printed


@pytest.mark.parametrize("name", ["-rf", ".bashrc", "--", " -x", "..", "-.profile", "../../-e"])
def test_a_saved_file_begins_with_no_dash_and_no_dot(tmp_path: Path, name: str) -> None:
    mail = render(f'Content-Disposition: attachment; filename="{name}"\r\n\r\nx'.encode())
    (path,) = save(zip(mail.attachments, mail.files, strict=True), tmp_path)
    assert path.parent == tmp_path and path.name[0] not in "-. " and path.read_bytes() == b"x"
