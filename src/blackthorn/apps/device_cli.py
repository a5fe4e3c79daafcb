"""Commands of a person's device: activate, send, inbox, status; groups and mail beside it.

Everything heavy is imported by the command that needs it.
"""

import os
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blackthorn.apps import device_group_cli, device_mail_cli, terminal
from blackthorn.apps.device_options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    KeyFileOption,
    local_time,
    parse_addresses,
    program,
    rfc3339,
    run,
)

if TYPE_CHECKING:
    from blackthorn.apps.device import DeviceProgram
    from blackthorn.device.intents import Outcome
    from blackthorn.ports.device_store import HistoryRecord

DEFAULT_PORT = 3101


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.command("activate")(activate)
    app.command("send")(send)
    app.command("inbox")(inbox)
    app.command("status")(status)
    app.add_typer(device_group_cli.groups, name="group")
    app.add_typer(device_mail_cli.mail, name="mail")


# --- activate -----------------------------------------------------------------------------


def activate(
    code: Annotated[
        str, typer.Argument(metavar="CODE-OR-URL", help="The activation code, or its URL.")
    ],
    home: HomeOption = DEFAULT_HOME,
    server: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT",
            envvar="BLACKTHORN_SERVER",
            help="Where the server is, unless the URL says it. Default: this machine.",
        ),
    ] = None,
    key_file: KeyFileOption = None,
    name: Annotated[str | None, typer.Option(help="What to call this device.")] = None,
) -> None:
    """Make this device's keys and prove the activation code, in both directions.

    A device is protected by a passphrase, which is asked for, or by a key file, which is made
    when it is missing. Run it again with the same code if it was interrupted.
    """
    from blackthorn.apps import device_activation
    from blackthorn.apps.device_home import Home, wall_ms
    from blackthorn.link.code import parse_invitation

    invitation = parse_invitation(code)
    host, port = _server(server)
    if invitation.host is not None and invitation.port is not None:
        host, port = invitation.host, invitation.port
    place = Home(home.expanduser(), key_file.expanduser() if key_file else None)
    wanted = device_activation.Activation(
        invitation.code, host, port, name or device_activation.own_name()
    )
    enrolment = run(device_activation.activate(place, wanted))
    terminal.out.print(f"This device is {enrolment.address}'s. PIN: {enrolment.pin}", markup=False)
    skew = abs(wall_ms() - enrolment.server_time) // 60_000
    if skew >= 5:
        terminal.err.print(f"Note: this device's clock and the server's are {skew} minutes apart.")


def _server(server: str | None) -> tuple[str, int]:
    from blackthorn.errors import UserError

    if server is None:
        return "127.0.0.1", int(os.environ.get("BLACKTHORN_LINK_PORT") or DEFAULT_PORT)
    host, colon, port = server.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"{server}: a server is given as HOST:PORT, such as 127.0.0.1:3101")
    return host.strip("[]"), int(port)


# --- send ---------------------------------------------------------------------------------


def send(
    words: Annotated[
        list[str], typer.Argument(metavar="ADDRESS... TEXT", help="To whom, and then the text.")
    ],
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Send a text to one person or to several, to each of them alone.

    What cannot be sent now is kept and sent later. Put -- before a text that begins with a dash.
    """
    from blackthorn.device import outbox
    from blackthorn.device.facts import DIRECT
    from blackthorn.errors import UserError

    if len(words) < 2:
        raise UserError("give at least one address, and then the text in quotes")
    addresses = list(dict.fromkeys(parse_addresses(words[:-1])))
    device = program(home, key_file)
    numbers = [
        device.wish(lambda turn, to=to: outbox.send_text(turn, DIRECT, to, words[-1]))  # type: ignore[misc]
        for to in addresses
    ]
    report(device, dict(zip(numbers, addresses, strict=True)), json)


def report(device: "DeviceProgram", wishes: dict[int, str], json: bool) -> None:
    """See to the wishes (number to what is shown for each) and print what became of them."""
    from blackthorn.errors import UserError

    outcomes = run(device.see_to(list(wishes)))
    failed = [number for number in wishes if outcomes[number].error and outcomes[number].final]
    if json:
        print_outcomes([outcomes[number] for number in wishes])
    else:
        for number, shown in wishes.items():
            outcome = outcomes[number]
            if not outcome.error:
                terminal.out.print(f"{shown}: accepted", markup=False)
            elif not outcome.final:
                text = f"{shown}: not sent yet ({outcome.error}). It is kept and will be sent."
                terminal.out.print(text, markup=False, soft_wrap=True)
    if failed:
        reasons = "; ".join(f"{wishes[number]}: {outcomes[number].error}" for number in failed)
        raise UserError(reasons)


def print_outcomes(outcomes: "list[Outcome]") -> None:
    """One JSON document: of one wish its own, of several all of them below `messages`."""
    documents = [_outcome(each) for each in outcomes]
    document = dict(documents[0])
    if len(documents) > 1:
        document["accepted"] = all(each["accepted"] for each in documents)
        document["messages"] = documents
    terminal.print_json(document)


def _outcome(outcome: "Outcome") -> dict[str, Any]:
    document: dict[str, Any] = {"id": outcome.message.hex(), "accepted": not outcome.error}
    if outcome.error:
        document["waiting"] = not outcome.final
        document["reason"] = outcome.error
    return document


# --- inbox --------------------------------------------------------------------------------


def inbox(
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Stay, and print what comes.")
    ] = False,
    last: Annotated[
        int | None, typer.Option(min=1, help="Print only so many of the newest.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Receive messages and print them.

    With --follow: first what was not printed before, then each message as it comes.
    """
    device = program(home, key_file)
    if follow:
        run(_follow(device, json))
    else:
        _look(device, last, json)


async def _follow(device: "DeviceProgram", json: bool) -> None:
    def lost(reason: str) -> None:
        terminal.err.print(f"{reason}. Trying again.", markup=False, soft_wrap=True)

    def changed() -> None:
        _print_new(device, json)

    changed()
    await device.follow(changed, lost)


def _print_new(device: "DeviceProgram", json: bool) -> None:
    """Print what was not shown before, then remember that it was."""
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


def _look(device: "DeviceProgram", last: int | None, json: bool) -> None:
    from blackthorn.errors import UnavailableError

    try:
        run(device.fetch())
    except (UnavailableError, TimeoutError) as error:
        reason = str(error) or "the server did not answer in time"
        note = f"{reason}. This is what is here already."
        terminal.err.print(note, markup=False, soft_wrap=True)
    with device.opened.vault.transaction() as records:
        lines = records.history.latest(last or (1_000_000 if json else 100))
    lines = [line for line in lines if line.standing == "received"]
    if json:
        terminal.print_json([_message(line) for line in lines])
    elif not lines:
        terminal.out.print("No messages.")
    for line in () if json else lines:
        _print_line(line)
    with device.opened.vault.transaction() as records:
        records.history.set_shown([line.number for line in lines if not line.shown])


def _message(line: "HistoryRecord") -> dict[str, Any]:
    return {
        "id": line.message.hex(),
        "conversation": line.name,
        "kind": line.kind,
        "from": line.sender,
        "text": line.text,
        "sent": rfc3339(line.sent_ms),
        "received": rfc3339(line.received_ms),
        "event": line.sort == "event",
    }


def _print_line(line: "HistoryRecord") -> None:
    from blackthorn.mail.text import safe_line, safe_text

    place = f" [{safe_line(line.name)}]" if line.kind == "group" else ""
    said = safe_text(line.text).replace("\n", "\n    ")
    who = f" {line.sender}:" if line.sort == "text" else " *"
    mark = " " if line.shown else "●"
    text = f"{mark} {local_time(line.sent_ms)}{place}{who} {said}"
    terminal.out.print(text, markup=False, soft_wrap=True)


# --- status -------------------------------------------------------------------------------


def status(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """Who this device is, whether the server is there, what waits, and what could not be read."""
    from blackthorn.apps.device_status import describe

    document = run(describe(program(home, key_file)))
    if json:
        terminal.print_json(document)
        return
    for name, value in document.items():
        terminal.out.print(f"{name.replace('_', ' '):22}{value}", markup=False, soft_wrap=True)
