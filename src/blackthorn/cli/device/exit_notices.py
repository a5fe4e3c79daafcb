"""Notices of a market's exit as text with a countdown, and as JSON."""

from typing import Any

from blackthorn.cli import terminal, times
from blackthorn.device.account import exit_notices
from blackthorn.device.account.exit_notices import Notice
from blackthorn.errors import BlackthornError
from blackthorn.mail.render.text import safe_line
from blackthorn.programs.device import home, market_exit
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.event_loop import run


def line(notice: Notice) -> str:
    return safe_line(exit_notices.countdown(notice, home.wall_ms(), _day))


def heading(notice: Notice) -> str:
    """The line above the notice's own text: it refers to no other command for it."""
    return line(notice).removesuffix(f"; {exit_notices.MORE}")


def document(notice: Notice) -> dict[str, Any]:
    """The JSON document; dates are RFC 3339 or null."""
    dates = ("read_only", "stop", "retrieval_end", "forwarding_end")
    moments = {name: getattr(notice, f"{name}_ms") for name in dates}
    return {
        "case": notice.exit,
        "market": notice.market or None,
        "state": notice.state,
        **{name: times.rfc3339(at_ms) if at_ms else None for name, at_ms in moments.items()},
        "days_left": exit_notices.days_left(notice, home.wall_ms()),
        "read": notice.read,
        "notice": exit_notices.countdown(notice, home.wall_ms(), _day),
        "text": notice.text,
    }


def show_all(program: DeviceProgram, shown: set[str] | None = None) -> None:
    """Print the countdowns on standard error, except those in `shown`."""
    for notice in market_exit.notices(program):
        text = line(notice)
        if shown is None or text not in shown:
            terminal.note(f"NOTICE {text}", "bold")
        if shown is not None:
            shown.add(text)


def report_export(program: DeviceProgram) -> None:
    """Report the export to the server during an exit; a failure is only noted."""
    if not market_exit.is_leaving(program):
        return
    try:
        refusal = run(market_exit.report(program, "exported"))
    except BlackthornError as error:
        refusal = str(error)
    if refusal:
        terminal.note(f"Note: the server could not be told of the export: {safe_line(refusal)}")


def _day(at_ms: int) -> str:
    return times.rfc3339(at_ms)[:10]
