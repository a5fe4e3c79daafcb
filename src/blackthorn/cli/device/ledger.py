"""`ledger check`: a person's device replays the public log of its enterprise.

`ledger trust` beside it is in `cli.device.trust`.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import typer

from blackthorn.cli import terminal
from blackthorn.cli.admin import ledger as ledger_cli
from blackthorn.cli.device import trust as device_trust_cli
from blackthorn.cli.options import DEFAULT_HOME, HomeOption, JsonOption, KeyFileOption, program
from blackthorn.cli.times import rfc3339
from blackthorn.programs.event_loop import run

if TYPE_CHECKING:
    from blackthorn.programs.device.program import DeviceProgram

CHECK_SECONDS: Final = 600.0
"""Time for a whole replay: a year of 20,000 users takes about a minute."""


def register(app: typer.Typer) -> None:
    """Add the device's commands to the family `ledger`."""
    ledger_cli.ledger.command("check")(check)
    ledger_cli.ledger.command("trust")(device_trust_cli.trust)


def check(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """On a device: replay the log up to the newest checkpoint, from where the last replay ended.

    The entries must make the checkpoint that witnesses have cosigned, and keep every rule of
    the map. What does not is an alarm. Exit code 4 then; 6: no connection. --json prints
    {"entries", "checked", "finding"}.
    """
    from blackthorn.cli.device.alarm_texts import tell
    from blackthorn.device.transparency.replay import replayed
    from blackthorn.errors import SecurityError, UnavailableError

    device = program(home, key_file)
    _with_progress(device, json)
    with device.opened.vault.transaction() as records:
        done = replayed(records)
    if device.device.replaying[0] or done is None:
        raise UnavailableError("the server did not give the whole log in time; try again")
    if json:
        finding = done.finding or None
        told = {"entries": done.size, "checked": rfc3339(done.at_ms), "finding": finding}
        terminal.print_json(told)
    tell(device)
    if done.finding:
        raise SecurityError(f"the ledger does not hold: {done.finding}")
    if not json:
        terminal.out.print(f"All {done.size} entries of the ledger keep its rules.")


def _with_progress(device: "DeviceProgram", json: bool) -> None:
    from rich.progress import Progress

    with Progress(console=terminal.err, transient=True, disable=json) as bar:
        task = bar.add_task("Replaying the ledger", total=None)
        run(_replay(device, lambda done, whole: bar.update(task, completed=done, total=whole)))


async def _replay(device: "DeviceProgram", progress: Callable[[int, int], None]) -> None:
    """Connect and replay. Raises UnavailableError when the server does not answer."""
    from blackthorn.errors import UnavailableError

    device.device.check_ledger()
    try:
        async with asyncio.timeout(CHECK_SECONDS), device.link(receive=False) as connection:
            while device.device.replaying[0]:
                await device.step(connection)
                progress(*device.device.replaying[1])
    except TimeoutError:
        raise UnavailableError("the server did not give the whole log in time") from None
