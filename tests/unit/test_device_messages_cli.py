"""`inbox`, `history` and `send` as commands: what is shown, what is not, and what a pipe gives."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from blackthorn.cli import terminal
from blackthorn.cli.device.inbox import tell_lacking
from blackthorn.device.limits import MAX_MESSAGE_BYTES
from blackthorn.errors import UnavailableError, UserError
from blackthorn.ports.device_store import ConversationRecord, HistoryRecord, UndecryptableRecord
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.storage.device.vault import Vault
from tests.support.device_home import ME, activated, invoke

BOB = "bob@acme.example"
TEAM, OTHER = bytes([0xAB] * 32), bytes([0xCD] * 32)


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Vault:
    return activated(tmp_path, monkeypatch)[1]


def write(
    vault: Vault, *texts: str, mine: bool = False, group: bytes = b"", name: str = BOB
) -> None:
    """Lines of the history: of Bob's to me or to a group, or mine."""
    with vault.transaction() as records:
        for text in texts:
            number = len(records.history.latest(-1))
            records.history.add(
                HistoryRecord(
                    message=number.to_bytes(32, "big"),
                    conversation=group or b"\x01" * 32,
                    kind="group" if group else "direct",
                    name=name,
                    sender=ME if mine else BOB,
                    sort="text",
                    text=text,
                    sent_ms=number,
                    received_ms=number,
                    standing="accepted" if mine else "received",
                )
            )


def inbox(*options: object) -> tuple[list[str], str]:
    """The printed lines, and standard error; the server is never there."""
    result = invoke("inbox", *options)
    assert isinstance(result.exception, UnavailableError)
    return result.stdout.splitlines(), result.stderr


def history(*options: object) -> tuple[list[str], str]:
    result = invoke("history", *options)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines(), result.stderr


def test_what_is_not_shown_is_told_and_can_be_shown(vault: Vault) -> None:
    write(vault, *(f"line {number}" for number in range(130)))
    write(vault, "my own", mine=True)
    lines, told = inbox()
    assert len(lines) == 100 and lines[-1].endswith("line 129")
    assert "30 older messages are not shown: --all shows all, --last N the newest N." in told
    lines, told = history()
    assert len(lines) == 100 and lines[-1].endswith("my own") and "31 older messages" in told
    lines, told = inbox("--all")
    assert len(lines) == 130 and "not shown" not in told
    for last, said in ((120, "10 older messages are"), (129, "1 older message is")):
        lines, told = inbox("--last", last)
        assert len(lines) == last and f"{said} not shown: --all shows" in told
    assert len(history("--all")[0]) == 131
    assert len(json.loads(history("--json")[0][0])) == 131


def test_what_could_not_be_opened_is_told_with_the_messages(vault: Vault) -> None:
    write(vault, "one that could")
    assert "opened" not in inbox()[1] and "missing" not in inbox()[1]
    with vault.transaction() as records:
        records.parcels.set_aside(UndecryptableRecord(b"d", 7, "its keys are gone", 5))
    lines, told = inbox("--json")
    assert len(json.loads(lines[0])) == 1
    assert "1 message could not be opened yet: see `blackthorn status`." in told
    with vault.transaction() as records:
        records.parcels.set_aside(UndecryptableRecord(b"e", 8, "its keys are gone", 5))
        records.peers.add_gaps(b"c", b"device", [3], 0)
    assert "2 messages could not be opened yet and 1 message is missing: see" in inbox()[1]


def test_a_follower_is_told_when_all_is_open_again(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes: list[str] = []
    monkeypatch.setattr(terminal, "note", notes.append)
    device = cast("DeviceProgram", SimpleNamespace(opened=SimpleNamespace(vault=vault)))
    with vault.transaction() as records:
        records.parcels.set_aside(UndecryptableRecord(b"d", 7, "its keys are gone", 5))
    told = tell_lacking(device)
    assert tell_lacking(device, told) == told
    with vault.transaction() as records:
        records.parcels.forget_undecryptable_before(10**15)
    assert tell_lacking(device, told) == ""
    assert tell_lacking(device) == ""
    assert notes == [
        "1 message could not be opened yet: see `blackthorn status`.",
        "No message is closed or missing any more.",
    ]


def test_status_says_in_lines_why_messages_could_not_be_opened(vault: Vault) -> None:
    assert "not opened" not in invoke("status").stdout
    with vault.transaction() as records:
        records.parcels.set_aside(UndecryptableRecord(b"d", 7, "its keys are gone", 5))
    shown = invoke("status").stdout
    assert (
        "  1 not opened: its keys are gone\n" in shown and "ask the sender to write again" in shown
    )
    assert "{" not in shown
    assert json.loads(invoke("status", "--json").stdout)["why_not_opened"] == {
        "its keys are gone": 1
    }


def test_a_text_that_was_not_sent_says_why(vault: Vault) -> None:
    write(vault, "hello", "again", mine=True)
    with vault.transaction() as records:
        first, second = records.history.latest(2)
        records.history.set_standing(first.message, "failed", "there is no user bob here")
        records.history.set_standing(second.message, "waiting")
    lines, _ = history()
    assert lines[0].endswith(f" → {BOB} (not sent: there is no user bob here): hello")
    assert lines[1].endswith(f" → {BOB} (waiting): again")
    first_json, second_json = json.loads(history("--json")[0][0])
    assert (first_json["standing"], first_json["why"]) == ("failed", "there is no user bob here")
    assert (second_json["standing"], second_json["why"]) == ("waiting", "")


def test_a_text_that_waits_says_why(vault: Vault) -> None:
    assert isinstance(invoke("send", BOB, "hello").exception, UserError | None)
    with vault.transaction() as records:
        (row,) = records.outbox.all()
        records.outbox.update(replace(row, problem="the server has no room"))
    lines, _ = history()
    assert lines[0].endswith(f" → {BOB} (waiting: the server has no room): hello")


def test_what_only_a_later_program_can_read_does_not_hide_the_history(vault: Vault) -> None:
    assert isinstance(invoke("send", BOB, "hello").exception, UserError | None)
    with vault.transaction() as records:
        (row,) = records.outbox.all()
        records.outbox.update(replace(row, operation=b"of a later release"))
    assert history()[0][0].endswith(f" → {BOB} (waiting): hello")


def test_an_own_line_begins_with_its_recipient(vault: Vault) -> None:
    write(vault, "to one", mine=True)
    write(vault, "to all", mine=True, group=TEAM, name="team")
    lines, _ = history()
    assert lines[0].endswith(f" → {BOB}: to one") and lines[1].endswith(" → [team]: to all")


def test_a_text_without_quotes_and_a_mistyped_domain_are_told(vault: Vault) -> None:
    error = invoke("send", BOB, "Lunch", "at", "noon").exception
    assert "Lunch is no address: put the text in quotes" in str(error)
    error = invoke("send", "bob@acme.exmaple", "hello").exception
    assert f"did you mean {BOB}?" in str(error)
    assert "did you mean" not in str(invoke("send", "x@outside.example", "hello").exception)


def test_the_last_of_the_inbox_is_the_last_of_others(vault: Vault) -> None:
    write(vault, "of Bob")
    write(vault, "my own", mine=True)
    lines, _ = inbox("--last", 1)
    assert len(lines) == 1 and lines[0].endswith("of Bob")
    assert inbox("--last", 1, "--json")[0][0].count('"text"') == 1


def test_groups_of_one_name_are_told_apart(vault: Vault) -> None:
    write(vault, "in one", group=TEAM, name="team")
    write(vault, "alone", group=bytes([0xEF] * 32), name="board")
    before, _ = history()
    assert "abababab" not in before[0]
    write(vault, "in the other", group=OTHER, name="Team")
    lines, _ = history()
    assert "[team] abababab " in lines[0] and "[Team] cdcdcdcd " in lines[2]
    assert "[board] bob@" in lines[1]
    assert [line.endswith("in the other") for line in history("cdcdcdcd")[0]] == [True]
    write(vault, "named after an id", group=b"\x01" * 32, name="cdcdcdcd")
    assert [line.split()[-1] for line in history("cdcdcdcd")[0]] == ["other", "id"]
    assert len(history("TEAM")[0]) == 2
    found = json.loads(history("--json")[0][0])
    assert [line["conversation_id"] for line in found][::2] == [TEAM.hex(), OTHER.hex()]
    assert inbox()[0][0].endswith("in one") and "abababab" in inbox()[0][0]


def test_a_conversation_that_there_is_not_is_said(vault: Vault) -> None:
    write(vault, "in one", group=TEAM, name="team")
    for unknown in ("bob", "bob@outside.example", "abababa", ""):
        error = invoke("history", unknown).exception
        assert isinstance(error, UserError)
        assert f"there is no conversation {unknown!r}" in str(error)
    with vault.transaction() as records:
        kept = ConversationRecord(OTHER, "group", "quiet", 1, "active", 0, 0, b"")
        records.conversations.put(kept)
    for known in ("Quiet", "cdcdcdcd"):
        assert history(known)[0] == ["No messages."]


@pytest.mark.parametrize(
    "words", [("send", BOB, "x@outside.example"), ("group", "create", "team", "x@outside.example")]
)
def test_nothing_is_sent_out_of_the_organisation(vault: Vault, words: tuple[str, ...]) -> None:
    text = ("a text",) if words[0] == "send" else (BOB,)
    error = invoke(*words, *text).exception
    assert isinstance(error, UserError)
    assert "x@outside.example is not of acme.example: messages stay within" in str(error)
    with vault.transaction() as records:
        assert records.outbox.all() == [] and records.history.latest(-1) == []


@pytest.mark.parametrize("to", [("send", BOB), ("group", "send", "team")])
def test_a_text_may_come_by_standard_input(
    vault: Vault, to: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    enqueued: list[str] = []

    def note(unit: object, kind: str, name: str, text: str) -> int:
        enqueued.append(text)
        raise UserError("noted")

    monkeypatch.setattr("blackthorn.device.operations.send_text.enqueue", note)
    for given, text in ((b"two\nlines\n", "two\nlines"), ("ä".encode(), "ä"), (b"-", "-")):
        assert str(invoke(*to, "-", given=given).exception) == "noted"
        assert enqueued.pop() == text
    whole = b"x" * MAX_MESSAGE_BYTES + b"\n"
    invoke(*to, "-", given=whole)
    assert len(enqueued.pop()) == MAX_MESSAGE_BYTES
    for given, told in ((whole + b"\n", "longer than"), (b"\xff\xfe", "not UTF-8 text")):
        assert told in str(invoke(*to, "-", given=given).exception)
    assert not enqueued


def test_follow_with_all_or_last_is_refused(vault: Vault) -> None:
    for options in (("--all", "--json"), ("--last", "3")):
        result = invoke("inbox", "--follow", *options)
        assert isinstance(result.exception, UserError) and "leave --all and --last" in str(
            result.exception
        )


def test_a_colleague_without_messages_is_no_mistake(vault: Vault) -> None:
    lines, told = history("Carol@acme.example")
    assert lines == [] and "Nothing was written with carol@acme.example yet" in told
    refused = invoke("history", "carol").exception
    assert isinstance(refused, UserError) and "such as carol@acme.example," in str(refused)


def test_a_follower_is_told_of_closed_messages_only_once_all_was_received(
    vault: Vault, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    async def follow(
        device: DeviceProgram, changed: Callable[[], None], lost: Callable[[str], None]
    ) -> None:
        with vault.transaction() as records:
            records.parcels.set_aside(UndecryptableRecord(b"d", 7, "its keys are gone", 5))
        for drained in (False, True):
            monkeypatch.setattr(type(device.device), "drained", drained)
            changed()
            seen.append("; ".join(notes))
        raise UserError("enough")

    notes: list[str] = []
    monkeypatch.setattr(terminal, "note", lambda text, style=None: notes.append(text))
    monkeypatch.setattr(DeviceProgram, "follow", follow)
    assert str(invoke("inbox", "--follow").exception) == "enough"
    assert seen == ["", "1 message could not be opened yet: see `blackthorn status`."]
