"""Notices of an exit on the device: kept, counted down, and forgotten when they no longer hold."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from rich.console import Console
from typer.testing import CliRunner

from blackthorn.cli import main, terminal
from blackthorn.cli.device import exit_notices as shown
from blackthorn.cli.device import outcomes
from blackthorn.device.account import exit_notices, limits
from blackthorn.device.account.exit_notices import Notice, countdown, days_left
from blackthorn.device.operations.operation import Outcome
from blackthorn.errors import UnavailableError, UserError
from blackthorn.link.frames import MarketNotice
from blackthorn.programs.device import market_exit
from blackthorn.simulation.memory import memory_vault
from tests.support.closures import closed

DAY = 24 * 3_600_000
STOP = 1_451_433_600_000  # 2015-12-30
TEXT = "The service ends.\nExport."


def said(name: str = "X-PK-1", state: str = "announced", *, read: bool = False) -> MarketNotice:
    return MarketNotice(
        name, state, STOP - 14 * DAY, STOP, STOP + 30 * DAY, STOP + 365 * DAY, TEXT, read
    )


def notice(state: str) -> Notice:
    with memory_vault().transaction() as records:
        exit_notices.keep(records.settings, said(state=state))
        return exit_notices.all_notices(records.settings)[0]


def day(at_ms: int) -> str:
    return {STOP: "2015-12-30", STOP + 30 * DAY: "2016-01-29"}[at_ms]


@pytest.mark.parametrize(
    ("state", "line"),
    [
        ("announced", "service in PK stops on 2015-12-30, in 12 days; export: "),
        ("draining", "service in PK stops on 2015-12-30, in 12 days; export: "),
        ("read-only", "service in PK is read-only and stops on 2015-12-30, in 12 days; export: "),
        ("stopped", "service in PK has ended; see: "),
        ("retrieval", "can be fetched until 2016-01-29, in 42 days; export: "),
        ("preparing", "can be fetched until 2016-01-29, in 42 days; export: "),
        ("preparing", "FOLDER; receipt: blackthorn market receipt --out FILE"),
        ("rescinded", "service in PK continues"),
        ("another", "service in PK has ended; see: "),
    ],
)
def test_the_countdown_says_what_ends_when(state: str, line: str) -> None:
    assert line in countdown(notice(state), STOP - 12 * DAY, day)


def test_above_its_own_text_a_notice_names_no_command_for_it() -> None:
    ended = notice("stopped")
    assert shown.line(ended) == f"{shown.heading(ended)}; see: blackthorn notices"


@pytest.mark.parametrize(
    ("now_ms", "days"),
    [
        (STOP - 12 * DAY, 12),
        (STOP - 12 * DAY + 1, 12),
        (STOP - 11 * DAY, 11),
        (STOP - 1, 1),
        (STOP, 0),
        (STOP + 400 * DAY, 0),
    ],
)
def test_days_that_have_begun_count(now_ms: int, days: int) -> None:
    assert days_left(notice("announced"), now_ms) == days


def test_after_the_last_day_nothing_is_promised() -> None:
    line = countdown(notice("retrieval"), STOP + 30 * DAY, day)
    assert "ended on 2016-01-29, it may be destroyed already; export: " in line
    assert "can be fetched" not in line


@pytest.mark.parametrize(
    ("state", "why"),
    [
        ("announced", ""),
        ("draining", ""),
        ("read-only", "the service in PK, your market, is read-only; see: blackthorn notices"),
        ("stopped", "the service in PK, your market, has ended; see: blackthorn notices"),
        ("preparing", "the service in PK, your market, has ended; see: blackthorn notices"),
        ("rescinded", ""),
    ],
)
def test_a_user_of_an_ended_market_is_told_that_it_is_their_own(state: str, why: str) -> None:
    with memory_vault().transaction() as records:
        exit_notices.keep(records.settings, said("D-000001", "retrieval"))
        exit_notices.keep(records.settings, said(state=state))
        assert exit_notices.sending_ended(records.settings) == why


def test_one_day_is_no_days() -> None:
    assert ", in 1 day;" in countdown(notice("announced"), STOP - DAY, day)
    assert days_left(notice("stopped"), STOP) is None


def test_the_newest_word_of_a_case_is_kept() -> None:
    with memory_vault().transaction() as records:
        settings = records.settings
        exit_notices.keep(settings, said(read=True))
        exit_notices.keep(settings, said(state="read-only"))
        exit_notices.keep(settings, said("D-000001", "produced"))
        kept = exit_notices.all_notices(settings)
        assert [(each.exit, each.state, each.read) for each in kept] == [
            ("D-000001", "produced", False),
            ("X-PK-1", "read-only", False),
        ]


def test_so_many_are_kept_and_no_more() -> None:
    with memory_vault().transaction() as records:
        for number in range(limits.MAX_KEPT_NOTICES + 5):
            exit_notices.keep(records.settings, said(f"D-{number:06d}"))
        assert len(exit_notices.all_notices(records.settings)) == limits.MAX_KEPT_NOTICES


def test_what_the_server_does_not_say_again_has_ended() -> None:
    with memory_vault().transaction() as records:
        settings = records.settings
        for name in ("X-PK-1", "X-DE-1", "D-000001"):
            exit_notices.keep(settings, said(name))
        exit_notices.keep_only(settings, {"X-DE-1"})
        assert [each.exit for each in exit_notices.all_notices(settings)] == ["D-000001", "X-DE-1"]


def test_what_was_read_stays_while_there_is_something_to_count_down() -> None:
    with memory_vault().transaction() as records:
        settings = records.settings
        exit_notices.keep(settings, said())
        exit_notices.keep(settings, said("X-DE-1", "rescinded"))
        exit_notices.keep(settings, said("D-000001", "produced"))
        exit_notices.set_read(settings)
        kept = exit_notices.all_notices(settings)
        assert [(each.exit, each.read) for each in kept] == [("X-PK-1", True)]


# --- Commands -------------------------------------------------------------------------------


class Opened:
    def __init__(self) -> None:
        self.vault = memory_vault()
        self.keys = SimpleNamespace(address="u1@acme.example")


class Program:
    """A device with a vault and no server; `told` is what it was to tell."""

    def __init__(self, *notices: MarketNotice) -> None:
        self.opened = Opened()
        self.told: list[tuple[str, str]] = []
        self.answer: str | Exception = ""
        with self.opened.vault.transaction() as records:
            for each in notices:
                exit_notices.keep(records.settings, each)

    async def see_to(self, numbers: list[int], progress: object = None) -> dict[int, Outcome]:
        return {
            number: Outcome(number, bytes(16), "no key packages", number == 1) for number in numbers
        }

    async def report(self, program: object, what: str, value: str = "") -> str:
        self.told.append((what, value))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def device(monkeypatch: pytest.MonkeyPatch) -> Program:
    program = Program(said())
    monkeypatch.setattr(market_exit, "report", program.report)
    monkeypatch.setattr("blackthorn.programs.device.home.wall_ms", lambda: STOP - 12 * DAY)
    monkeypatch.setattr("blackthorn.cli.options.program", lambda at: program)
    return program


def run(*words: str) -> tuple[int, str]:
    result = CliRunner().invoke(main.app, list(words))
    return result.exit_code, result.output


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("out", "err"):
        monkeypatch.setattr(terminal, name, Console(width=200, stderr=name == "err"))


def test_notices_shows_and_tells_that_it_was_read(device: Program) -> None:
    code, output = run("notices")
    assert code == 0
    assert "service in PK stops on 2015-12-30, in 12 days; export: blackthorn export" in output
    assert output.lstrip().startswith("The service ends."), "the user's language stands first"
    assert device.told == [("read", "")]
    assert market_exit.notices(device)[0].read


def test_notices_as_json(device: Program) -> None:
    code, output = run("notices", "--json")
    (document,) = json.loads(output)
    assert code == 0
    assert document["market"] == "PK" and document["state"] == "announced"
    assert document["stop"].startswith("2015-12-30") and document["days_left"] == 12
    assert document["text"] == TEXT


def test_notices_without_a_server_shows_what_is_here(device: Program) -> None:
    device.answer = UnavailableError("no server")
    result = CliRunner().invoke(main.app, ["notices"])
    assert isinstance(result.exception, UnavailableError)
    assert "in 12 days" in result.output
    assert not market_exit.notices(device)[0].read


def test_market_forward_names_an_address_or_none(device: Program) -> None:
    assert run("market", "forward", "Me@new.example")[0] == 0
    assert run("market", "forward", "--none")[0] == 0
    assert device.told == [("forward", "me@new.example"), ("forward", "")]
    for wrong in ([], ["me@new.example", "--none"], ["nobody"]):
        assert run("market", "forward", *wrong)[0] != 0
    device.answer = "the service in your market is not ending: there is nothing to report"
    assert run("market", "forward", "me@new.example")[0] != 0
    assert len(device.told) == 3


def test_an_export_is_told_only_while_the_market_is_left_and_never_fails(
    device: Program, capsys: pytest.CaptureFixture[str]
) -> None:
    shown.report_export(device)
    assert device.told == [("exported", "")]
    device.answer = UnavailableError("no server")
    shown.report_export(device)
    assert "no server" in capsys.readouterr().err
    elsewhere = Program(said(state="rescinded"), said("D-000001", "produced"))
    shown.report_export(elsewhere)
    assert not elsewhere.told


def test_the_receipt_is_written_once(
    device: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from contextlib import asynccontextmanager

    from blackthorn.link import frames as f
    from blackthorn.programs.device import requests

    mine = closed().placed[1].encode()
    answers = [f.ReceiptPart(1, mine), f.ReceiptPart(1, b"", "not prepared yet")]

    @asynccontextmanager
    async def conversation(program: object):
        async def ask(frame: f.FetchReceipt, kind: type[f.ReceiptPart]) -> f.ReceiptPart:
            return answers[0]

        yield ask

    monkeypatch.setattr(requests, "connect", conversation)
    file = tmp_path / "receipt"
    assert run("market", "receipt", "--out", str(file))[0] == 0
    assert file.read_bytes() == mine
    told = CliRunner().invoke(main.app, ["market", "receipt", "--out", str(file)]).exception
    assert str(told) == f"{file} is there already: nothing was written; give another name"
    assert file.read_bytes() == mine
    answers.pop(0)
    other = ["market", "receipt", "--out", str(tmp_path / "other")]
    early = str(CliRunner().invoke(main.app, other).exception)
    assert early.startswith("not prepared yet: it is made when the closure is prepared, after 2016")
    for wrong in (closed().placed[2].encode(), b"receipt"):
        answers[0] = f.ReceiptPart(1, wrong)
        assert run("market", "receipt", "--out", str(tmp_path / "other"))[0] != 0
    assert not (tmp_path / "other").exists()


def test_a_receipt_that_the_device_has_is_written_without_a_server(
    device: Program, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from blackthorn.programs.device import requests

    def unreached(program: object) -> None:
        raise UnavailableError("no server")

    monkeypatch.setattr(requests, "connect", unreached)
    file = tmp_path / "receipt"
    refused = CliRunner().invoke(main.app, ["market", "receipt", "--out", str(file)])
    assert isinstance(refused.exception, UnavailableError) and not file.exists()
    with device.opened.vault.transaction() as records:
        records.settings.put("market-receipt", b"mine")
    code, output = run("market", "receipt", "--out", str(file))
    assert code == 0 and file.read_bytes() == b"mine"
    assert "The server was not reached: this device has fetched the receipt before." in output


@pytest.mark.parametrize(
    ("now_ms", "says"),
    [(STOP - 180_000, ", in less than a day; "), (STOP + 1, ", which is past; ")],
)
def test_minutes_before_and_after_a_date_no_day_is_counted(now_ms: int, says: str) -> None:
    assert says in countdown(notice("announced"), now_ms, day)


def test_what_is_not_sent_names_the_end_of_the_own_market_alone() -> None:
    lines = []
    for state in ("announced", "stopped"):
        with pytest.raises(UserError) as caught:
            outcomes.report(Program(said(state=state)), {1: ("bob", "sent")}, False)  # type: ignore[arg-type]
        lines.append(str(caught.value))
    why = "the service in PK, your market, has ended; see: blackthorn notices"
    assert lines == ["bob: no key packages", why]


def test_what_waits_in_an_ended_market_is_not_said_to_be_sent_next(
    capsys: pytest.CaptureFixture[str],
) -> None:
    lines = []
    for state in ("announced", "stopped"):
        outcomes.report(Program(said(state=state)), {2: ("bob", "sent")}, False)  # type: ignore[arg-type]
        lines.append(" ".join(capsys.readouterr().out.split()))
    assert "will be sent with your next send" in lines[0]
    assert "will be sent" not in lines[1]
    assert "It is kept; but the service in PK, your market, has ended" in lines[1]
