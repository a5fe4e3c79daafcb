"""Tell an officer which decisions wait for their signature."""

from typing import Final

from blackthorn.cli import terminal
from blackthorn.device.transparency.decisions import PendingDecision
from blackthorn.edges.link.client import InterceptedError
from blackthorn.errors import SecurityError, UnavailableError
from blackthorn.governance import ledger_case, officers
from blackthorn.programs.device import officer
from blackthorn.programs.device.program import DeviceProgram

_FAMILIES: Final = {officers.CASE: "role", ledger_case.CASE: "ledger"}


def family(case: str) -> str:
    """The family of commands for a case."""
    if case in _FAMILIES:
        return _FAMILIES[case]
    return "market" if case.startswith("X-") else "directive"


async def show_waiting(device: DeviceProgram) -> list[PendingDecision]:
    """Print on standard error what waits for this user's signature; what it is.

    Another user costs the server one question. Nothing is told of a server that is not reached.
    """
    try:
        found = await officer.unsigned(device)
    except (UnavailableError, InterceptedError):  # the command itself says so
        return []
    except SecurityError as error:
        terminal.note(f"The officers' decisions could not be verified: {error}", "bold red")
        return []
    for waiting in found:
        terminal.note(line(waiting), "bold")
    return found


def line(waiting: PendingDecision) -> str:
    case, action = waiting.signed.statement.case, waiting.signed.statement.action
    command = f"blackthorn {family(case)} sign {case} --dry-run"
    return f"A decision waits for your signature: {case} ({action}). See `{command}`."
