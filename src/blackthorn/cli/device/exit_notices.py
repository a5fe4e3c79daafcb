"""Notices of a market's exit on the device: shown with a countdown, and told back to the server."""

from typing import Any

from blackthorn.cli import terminal
from blackthorn.cli.times import rfc3339
from blackthorn.device.account import exit_notices
from blackthorn.device.account.exit_notices import Notice
from blackthorn.errors import BlackthornError
from blackthorn.governance.exits import RUNNING
from blackthorn.link import frames as f
from blackthorn.mail.render.text import safe_line
from blackthorn.programs.device import requests
from blackthorn.programs.device.home import wall_ms
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.event_loop import run


def kept(program: DeviceProgram) -> list[Notice]:
    """What this device keeps."""
    with program.opened.vault.transaction() as records:
        return exit_notices.all_notices(records.settings)


def line(notice: Notice) -> str:
    """The countdown, for a terminal."""
    return safe_line(exit_notices.countdown(notice, wall_ms(), _day))


def document(notice: Notice) -> dict[str, Any]:
    """For JSON; dates are RFC 3339, null for none."""
    dates = ("read_only", "stop", "retrieval_end", "forwarding_end")
    moments = {name: getattr(notice, f"{name}_ms") for name in dates}
    return {
        "case": notice.exit,
        "market": notice.market or None,
        "state": notice.state,
        **{name: rfc3339(at_ms) if at_ms else None for name, at_ms in moments.items()},
        "days_left": exit_notices.days_left(notice, wall_ms()),
        "read": notice.read,
        "notice": exit_notices.countdown(notice, wall_ms(), _day),
        "text": notice.text,
    }


def tell(program: DeviceProgram, told: set[str] | None = None) -> None:
    """The countdowns, to standard error; those in `told` not again."""
    for notice in kept(program):
        shown = line(notice)
        if told is None or shown not in told:
            terminal.err.print(f"NOTICE {shown}", markup=False, soft_wrap=True, style="bold")
        if told is not None:
            told.add(shown)


def tell_server(program: DeviceProgram, what: str, value: str = "") -> str:
    """Tell what the person has done; the server's refusal, "" when it is durable.

    Raises UnavailableError.
    """

    async def ask_it() -> str:
        async with requests.connect(program) as ask:
            answer: f.ExitTold = await ask(f.TellExit(1, what, value), f.ExitTold)
            return answer.refusal

    return run(ask_it())


def tell_exported(program: DeviceProgram) -> None:
    """While this user's market is being left: his export was made. It never fails the export."""
    if not any(each.market and each.state in RUNNING for each in kept(program)):
        return
    try:
        refusal = tell_server(program, "exported")
    except BlackthornError as error:
        refusal = str(error)
    if refusal:
        note = f"Note: the server could not be told of the export: {safe_line(refusal)}"
        terminal.err.print(note, markup=False, soft_wrap=True)


def _day(at_ms: int) -> str:
    return rfc3339(at_ms)[:10]
