"""Commands of a user's device: activate, send, status; the other modules have the rest."""

from functools import partial
from typing import Annotated

from typer import Argument, Option, Typer

from blackthorn.cli import options, terminal
from blackthorn.cli.device import devices, groups, inbox, market, recovery, verify
from blackthorn.errors import UnavailableError, UserError
from blackthorn.mail.render.text import safe_line
from blackthorn.programs.event_loop import run


def register(app: Typer) -> None:
    app.command("activate")(activate)
    app.command("send")(send)
    app.command("inbox")(inbox.inbox)
    app.command("history")(inbox.history)
    app.command("status")(status)
    app.add_typer(groups.groups, name="group")
    app.add_typer(devices.devices, name="device")
    app.add_typer(recovery.recovery, name="recovery")
    app.command("verify")(verify.verify)
    app.command("notices")(market.notices)


def activate(
    code: Annotated[
        list[str] | None,
        Argument(metavar="CODE-OR-URL", help="The activation code, or its URL. Default: ask."),
    ] = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    server: options.ServerOption = None,
    key_file: options.KeyFileOption = None,
    name: options.NameOption = None,
    reset: Annotated[
        bool, Option("--reset", help="Ask for a new identity, when every device is lost.")
    ] = False,
) -> None:
    """Create this device's keys and activate it by a code.

    The device is unlocked by a passphrase, which is asked for, or by a key file, which is created
    if it is missing. Without a terminal, set BLACKTHORN_PASSPHRASE_FILE to a file whose first line
    is the passphrase. If the command was interrupted, run it again with the same code.
    """
    from blackthorn.cli.device.prompts import LinePrompt
    from blackthorn.cli.device.published import wait_published
    from blackthorn.cli.device.texts import code_text
    from blackthorn.link.activation.code import parse_invitation
    from blackthorn.programs.device import activation
    from blackthorn.programs.device.home import wall_ms

    invitation = parse_invitation(code_text(code, LinePrompt()))
    place, name = options.home_of(home, key_file), options.device_name(name, home)
    with options.reaching(server, invitation) as (host, port):
        wanted = activation.Activation(invitation.code, host, port, name, reset)
        enrolment, opened = run(activation.activate(place, wanted))
    terminal.say(f"This device is {enrolment.address}'s. PIN: {enrolment.pin}")
    wait_published(place, opened, reset=reset)
    skew = abs(wall_ms() - enrolment.server_time) // 60_000
    if skew >= 5:
        terminal.note(f"Note: this device's clock and the server's are {skew} minutes apart.")


@options.on_device
def send(
    words: Annotated[
        list[str],
        Argument(metavar="ADDRESS... TEXT", help="To whom, then the text, or - to read it."),
    ],
    at: options.DeviceOptions,
    json: options.JsonOption = False,
) -> None:
    """Send a text to one or several people, to each separately.

    They are of this organisation; others are reached by `blackthorn mail send`.
    Other users of this machine can see arguments: with - the text is read from standard input.
    A text that cannot be sent now is stored and sent later. Put -- before one that begins with a
    dash.
    --json prints {"id", "accepted", "waiting", "reason", "messages"}: "messages" has one object
    for each person, with "about", "note" and the other keys. A note names devices for which the
    server could not keep the text, and why.
    """
    from blackthorn.cli.device.outcomes import report
    from blackthorn.cli.device.texts import message_text
    from blackthorn.device.core.group_metadata import DIRECT
    from blackthorn.device.operations import send_text

    if len(words) < 2:
        raise UserError("give at least one address, and then the text in quotes")
    unquoted = next((word for word in words[1:-1] if "@" not in word), None)
    if unquoted is not None and "@" in words[0]:
        raise UserError(f"{safe_line(unquoted)} is no address: put the text in quotes")
    addresses = list(dict.fromkeys(options.parse_addresses(words[:-1])))
    text = message_text(words[-1])
    device = options.program(at)
    numbers = device.enqueue_all(
        [partial(send_text.enqueue, kind=DIRECT, name=to, text=text) for to in addresses]
    )
    operations = {number: (str(to), "sent") for number, to in zip(numbers, addresses, strict=True)}
    report(device, operations, json)


@options.on_device
def status(at: options.DeviceOptions, json: options.JsonOption = False) -> None:
    """Sync with the server and show the device status.

    Failed messages are listed once and then deleted from the list. Exit code 6: no connection.
    """
    from blackthorn.cli.device import exit_notices
    from blackthorn.cli.device.alarm_texts import show_open
    from blackthorn.cli.device.outcomes import failure_line
    from blackthorn.cli.device.signatures import show_waiting
    from blackthorn.cli.device.status import document, undecryptable_lines
    from blackthorn.device.core import failures
    from blackthorn.programs.device.status import fetch_status

    device = options.program(at)
    status = run(fetch_status(device))
    waiting = [] if status.unreached else run(show_waiting(device))
    shown, failed = document(device, status, waiting), status.vault.failures
    if json:
        terminal.print_json(shown)
    else:
        show_open(device)
        exit_notices.show_all(device)
        counts = {"failed": len(failed)}
        lists = ("alarms", "market_notices", "decisions_to_sign")
        counts |= {name: len(shown[name]) for name in lists}
        shown.pop("why_not_opened", None)
        for name, value in (shown | counts).items():
            told = ("no", "yes")[value] if isinstance(value, bool) else value
            terminal.say(f"{name.replace('_', ' '):22}{told}")
        for failure in failed:
            terminal.say(f"  {failure_line(failure)}")
        for line in undecryptable_lines(status):
            terminal.say(line)
    with device.opened.vault.transaction() as records:
        failures.forget(records.settings, [failure.number for failure in failed])
    if status.unreached:
        raise UnavailableError(status.unreached)
