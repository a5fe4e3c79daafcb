"""Commands that show messages: `inbox` and `history`."""

from typing import Annotated, Any

from typer import Argument, Option

from blackthorn.cli import terminal, times
from blackthorn.cli.device import alarm_texts, exit_notices, outcomes
from blackthorn.cli.options import DeviceOptions, JsonOption, on_device, program, require_reached
from blackthorn.mail.render.text import safe_line, safe_text
from blackthorn.ports.device_store import HistoryRecord
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.event_loop import run

_ALL = 1_000_000
_LAST = 100
LastOption = Annotated[int | None, Option(min=1, help="Print only this many of the newest.")]


@on_device
def inbox(
    at: DeviceOptions,
    follow: Annotated[
        bool, Option("--follow", "-f", help="Wait for new messages and print them.")
    ] = False,
    last: LastOption = None,
    json: JsonOption = False,
) -> None:
    """Receive and print messages; `history` shows your own too.

    With --follow: print new messages, then each message as it arrives. Open alarms and market
    notices are printed on standard error first. Exit code 6: the server was not reached, and only
    stored messages are shown. --json prints an array of {"id", "conversation", "kind", "from",
    "text", "sent", "received", "event"}; with --follow one object a line. "kind" is "direct" or
    "group", times are RFC 3339, and an "event" is a line of the program itself, such as a new
    member.
    """
    device = program(at)
    if follow:
        run(_follow(device, json))
    else:
        _look(device, last, json)


async def _follow(device: DeviceProgram, json: bool) -> None:
    away, alarms, notices = False, set[int](), set[str]()

    def lost(reason: str) -> None:
        nonlocal away
        away = True
        terminal.note(f"{reason.rstrip('.')}. Trying again.")

    def changed() -> None:
        nonlocal away
        if away:
            away = False
            terminal.note("Connected again.")
        alarm_texts.show_open(device, alarms)
        exit_notices.show_all(device, notices)
        _print_new(device, json)
        outcomes.tell_failures(device)

    alarm_texts.show_open(device, alarms)
    exit_notices.show_all(device, notices)
    _print_new(device, json)
    await device.follow(changed, lost)


def _print_new(device: DeviceProgram, json: bool) -> None:
    with device.opened.vault.transaction() as records:
        lines = records.history.unshown(1000)
    for line in lines:
        if json:
            terminal.print_json(_message(line))
        else:
            _print_line(line)
    if lines:
        with device.opened.vault.transaction() as records:
            records.history.set_shown([line.number for line in lines])


def _look(device: DeviceProgram, last: int | None, json: bool) -> None:
    unreached = run(device.try_fetch())
    alarm_texts.show_open(device)
    exit_notices.show_all(device)
    with device.opened.vault.transaction() as records:
        lines = records.history.latest(last or (_ALL if json else _LAST))
    lines = [line for line in lines if line.standing == "received"]
    if json:
        terminal.print_json([_message(line) for line in lines])
    elif not lines:
        terminal.say("No messages.")
    for line in () if json else lines:
        _print_line(line)
    with device.opened.vault.transaction() as records:
        records.history.set_shown([line.number for line in lines if not line.shown])
    outcomes.tell_failures(device)
    require_reached(unreached)


@on_device
def history(
    conversation: Annotated[
        str | None, Argument(metavar="CONVERSATION", help="An address or a group's name.")
    ] = None,
    *,
    at: DeviceOptions,
    last: LastOption = None,
    json: JsonOption = False,
) -> None:
    """Print the stored messages of both sides, without connecting.

    Your own lines begin with →, or with their state: waiting, failed. --json adds "mine" and
    "standing" (received, accepted, waiting, failed) to the fields of `inbox --json`.
    """
    device = program(at)
    with device.opened.vault.transaction() as records:
        lines = records.history.latest(_ALL)
    if conversation is not None:
        wanted = conversation.strip().casefold()
        lines = [line for line in lines if line.name.casefold() == wanted]
    lines = lines[-(last or (_ALL if json else _LAST)) :]
    if json:
        me = device.opened.keys.address
        terminal.print_json(
            [
                _message(line) | {"mine": line.sender == me, "standing": line.standing}
                for line in lines
            ]
        )
        return
    if not lines:
        terminal.say("No messages.")
    for line in lines:
        _print_line(line)


def _message(line: HistoryRecord) -> dict[str, Any]:
    return {
        "id": line.message.hex(),
        "conversation": line.name,
        "kind": line.kind,
        "from": line.sender,
        "text": line.text,
        "sent": times.rfc3339(line.sent_ms),
        "received": times.rfc3339(line.received_ms),
        "event": line.sort == "event",
    }


def _print_line(line: HistoryRecord) -> None:
    place = f" [{safe_line(line.name)}]" if line.kind == "group" else ""
    words = safe_text(line.text).replace("\n", "\n    ")
    if line.standing == "received":
        who = f" {line.sender}:" if line.sort == "text" else " *"
    else:
        to = f" {line.name}" if line.kind == "direct" else ""
        standing = "" if line.standing == "accepted" else f" ({line.standing})"
        who = f" →{to}{standing}:"
    mark = " " if line.shown else "●"
    terminal.say(f"{mark} {times.local_time(line.sent_ms)}{place}{who} {words}")
