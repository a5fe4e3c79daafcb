"""Wait until the ledger shows a new device."""

from typing import TYPE_CHECKING

from blackthorn.cli import terminal
from blackthorn.cli.device.outcomes import NEXT_COMMANDS
from blackthorn.programs.event_loop import run

if TYPE_CHECKING:
    from blackthorn.programs.device.home import Home, Opened


def wait_published(
    home: "Home", opened: "Opened", *, reset: bool = False, quiet: bool = False
) -> bool:
    """Wait up to a minute; whether the ledger shows the device."""
    from blackthorn.programs.device.activation import published
    from blackthorn.programs.device.program import DeviceProgram

    if not quiet:
        terminal.note("Waiting for the ledger to show this device…")
    shown = run(published(DeviceProgram(home, opened)))
    if quiet:
        return shown
    if not shown:
        terminal.say(f"The ledger does not show it yet: that goes on {NEXT_COMMANDS}.")
    elif reset:
        terminal.say("The reset waits now (blackthorn device reset-status).")
    else:
        terminal.say("The ledger shows it.")
    return shown
