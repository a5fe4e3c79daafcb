"""Commands of the family `alarms`."""

from pathlib import Path
from typing import Annotated

from typer import Abort, Argument, Context, Option, Typer

from blackthorn.cli import terminal
from blackthorn.cli.device.alarm_texts import lines
from blackthorn.cli.options import (
    AgreeOption,
    DeviceOptions,
    JsonOption,
    on_device,
    program,
    write_new,
)
from blackthorn.errors import UserError
from blackthorn.wire.words import count

alarms = Typer(
    help="Violations by the server or by others, with evidence.", invoke_without_command=True
)

NumberArgument = Annotated[int, Argument(metavar="NUMBER", help="The alarm's number.")]


def register(app: Typer) -> None:
    app.add_typer(alarms, name="alarms")


@alarms.callback()
@on_device
def show(
    context: Context,
    at: DeviceOptions,
    everything: Annotated[
        bool, Option("--all", help="Show accepted and ended alarms too.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List the open alarms: meaning, blocked operations, and whether there is evidence.

    An alarm ends by itself when its cause does, such as a reset that was cancelled.
    --json prints an array of {"number", "code", "about", "meaning", "text", "since", "effect",
    "accepted", "ended", "evidence"}; "ended" is a time or null, "evidence" the size of its file,
    0 without one.
    """
    if context.invoked_subcommand is not None:
        return
    from blackthorn.cli.device.alarm_texts import document, lines

    with program(at).opened.vault.transaction() as records:
        known = records.directory.alarms()
    found = [alarm for alarm in known if everything or alarm.is_open]
    if json:
        terminal.print_json([document(alarm) for alarm in found])
        return
    if not found:
        terminal.say("No alarms." if everything else "No open alarms.")
    for alarm in found:
        for line in lines(alarm):
            terminal.say(line)
    if len(found) < len(known):
        hidden = count(
            len(known) - len(found), "accepted or ended alarm is", "accepted or ended alarms are"
        )
        terminal.note(f"{hidden} not shown: --all shows all.")


@alarms.command("export")
@on_device
def export(
    number: NumberArgument,
    file: Annotated[Path, Argument(metavar="FILE", help="Where to write the evidence.")],
    at: DeviceOptions,
) -> None:
    """Write an alarm's evidence as a file that anyone can verify without a server.

    `blackthorn audit evidence FILE` verifies it. It has public keys and the server's statements
    about the person, but no secrets.
    """
    from blackthorn.device.transparency.alarms import find

    with program(at).opened.vault.transaction() as records:
        alarm = find(records, number)
    if not alarm.evidence:
        raise UserError(f"alarm {number} has no evidence that others could verify")
    write_new(file, alarm.evidence)
    terminal.say(
        f"{file}: {len(alarm.evidence)} bytes. blackthorn audit evidence FILE verifies it."
    )


@alarms.command("accept")
@on_device
def accept(number: NumberArgument, at: DeviceOptions, yes: AgreeOption = False) -> None:
    """Accept an alarm: it no longer blocks sending, but stays in the list."""
    from blackthorn.device.transparency import alarms as device_alarms

    vault = program(at).opened.vault
    with vault.transaction() as records:
        alarm = device_alarms.find(records, number)
    for line in lines(alarm):
        terminal.say(line)
    if not terminal.confirm("Accept this alarm?", yes=yes):
        raise Abort
    with vault.transaction() as records:
        device_alarms.accept(records, number)
    terminal.say(f"Alarm {number} is accepted.")
