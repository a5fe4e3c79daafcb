"""Commands of the family `device`."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option, Typer

from blackthorn.cli import options, terminal
from blackthorn.cli.device.outcomes import NEXT_COMMANDS, report
from blackthorn.cli.device.pairing import TerminalDialogue
from blackthorn.cli.device.published import wait_published
from blackthorn.cli.times import local_time, rfc3339
from blackthorn.device.operations import change_chain
from blackthorn.errors import UserError
from blackthorn.mail.render.text import safe_line
from blackthorn.programs.device import pairing, program
from blackthorn.programs.device.own_devices import OwnDevice
from blackthorn.programs.event_loop import run
from blackthorn.wire.printable import bracketed

devices = Typer(help="Your own devices.", no_args_is_help=True)

_CERTIFICATE_ENDS = (
    "Your certificate for other programs ends with the device, which knew its key. For a new one: "
    "blackthorn mail certificate add --compatible"
)

Which = Annotated[str, Argument(metavar="NAME|ID", help="Its name, or the beginning of its id.")]


@devices.command("add")
@options.on_device
def add(at: options.DeviceOptions, json: options.JsonOption = False) -> None:
    """Add another device: shows a code for it once the server is reached, and waits ten minutes.

    Enter the code on the new device with `blackthorn device link`. Then type its six digits here
    (one line of standard input), so that nobody else can take its place. --json prints one object a
    line: {"code", "url"}, then {"joined"}, and at the end {"added", "id"}.
    """
    from blackthorn.link.activation.code import PAIR, new_code, render, render_url
    from blackthorn.programs.device.home import random

    device = options.program(at)
    server = device.opened.server
    code = new_code(random)
    url = render_url(code, server.host, server.port, PAIR)
    dialogue = TerminalDialogue(json=json, code=render(code), url=url)
    added = run(pairing.add(device, code, dialogue))
    if not json:
        terminal.say(f"{added.name} was added. It is joining your conversations.")
    remaining = _finish_changes(device, quiet=json)
    if json:
        terminal.print_json({"added": added.name, "id": added.id.hex(), "left": remaining})


@devices.command("link")
def link(
    code: Annotated[
        list[str] | None,
        Argument(metavar="CODE-OR-URL", help="What `blackthorn device add` shows. Default: ask."),
    ] = None,
    home: options.HomeOption = options.DEFAULT_HOME,
    server: options.ServerOption = None,
    key_file: options.KeyFileOption = None,
    name: options.NameOption = None,
    json: options.JsonOption = False,
) -> None:
    """Link this device to a user who already has one, by the code that it shows.

    Asks for a passphrase or takes a key file like `blackthorn activate`. It shows six digits: type
    them on the other device, and answer yes here (one line of standard input) once it has accepted
    them. If it was interrupted, run it again in the same home with another code. --json prints one
    object a line: {"address", "digits"}, and at the end {"linked"}.
    """
    from blackthorn.cli.device.texts import code_text
    from blackthorn.link.activation.code import PAIR, parse_invitation

    dialogue = TerminalDialogue(json=json)
    invitation = parse_invitation(code_text(code, dialogue), PAIR)
    place = options.home_of(home, key_file)
    with options.reaching(server, invitation) as (host, port):
        wanted = pairing.Link(invitation.code, host, port, options.device_name(name, home))
        opened = run(pairing.link(place, wanted, dialogue))
    address = opened.keys.address
    if not json:
        terminal.say(f"This device is {address}'s.")
    published = wait_published(place, opened, quiet=json)
    if json:
        terminal.print_json({"linked": address, "published": published})


@devices.command("list")
@options.on_device
def list_devices(at: options.DeviceOptions, json: options.JsonOption = False) -> None:
    """List your devices as your identity chain has them, including former ones.

    The time is that of the ledger when the device was added. The ledger's time is that of its
    newest entry, so it may be some minutes earlier than your clock.
    Exit code 6: the server was not reached, and only stored data is shown.
    """
    from blackthorn.programs.device import own_devices

    device = options.program(at)
    unreached = run(device.try_fetch())
    found = own_devices.list_devices(device)
    if json:
        terminal.print_json([_document(own) for own in found])
    elif not found:
        terminal.say("Your identity is not in the ledger yet.")
    for own in () if json else found:
        _print_device(own)
    options.require_reached(unreached)


@devices.command("passphrase")
@options.on_device
def passphrase(
    at: options.DeviceOptions,
    new_file: Annotated[
        Path | None,
        Option(metavar="FILE", help="A file whose first line is the new passphrase: do not ask."),
    ] = None,
) -> None:
    """Change the passphrase that unlocks this device. Its messages and keys stay as they are.

    The old one is asked for first. If it is interrupted, either the old or the new one unlocks the
    device. Somebody who has the old passphrase and an old copy of this folder can still read that
    copy, and the folder as it is now: then revoke the device, and link a new one.
    """
    options.home_of(at.home, at.key_file).change_passphrase(new_file)
    terminal.say("The passphrase is changed.")


@devices.command("settings")
@options.on_device
def settings(
    at: options.DeviceOptions,
    name: Annotated[str | None, Argument(help="The setting to change.")] = None,
    value: Annotated[int | None, Argument(help="Its new value, a whole number.")] = None,
    json: options.JsonOption = False,
) -> None:
    """Show this device's settings, or change one by its name and value.

    They hold for this device only, from now on: nothing that was deleted comes back, and keys are
    renewed no later than the new value says, counted from now.
    --json prints a list of {"name", "value", "unit", "default", "least", "most", "meaning"}.
    """
    from blackthorn.device.core.preferences import find
    from blackthorn.programs.device import own_settings

    device = options.program(at)
    if name is not None:
        chosen = find(name)
        if value is None:
            raise UserError(f"give the new value of {name} as well, in {chosen.unit}")
        own_settings.change(device, chosen, value)
    found = own_settings.values(device)
    if json:
        terminal.print_json([{**asdict(known), "value": value} for known, value in found])
    for known, value in () if json else found:
        default = "" if value == known.default else f", default {known.default:,}"
        bounds = f" ({known.least:,} to {known.most:,}{default})"
        terminal.say(f"{known.name:18}{value:>6,} {known.unit}{bounds}")
        if name is None:
            terminal.say(f"  {known.meaning}")


def _document(device: OwnDevice) -> dict[str, Any]:
    return {
        "name": device.info.name,
        "id": device.info.id.hex(),
        "role": str(device.info.role),
        "since": rfc3339(device.since_ms),
        "since_ms": device.since_ms,
        "this": device.this,
        "live": device.state == "live",
        "standing": device.state,
        "reason": device.reason,
        "by_recovery_key": device.by_recovery_key,
    }


def _print_device(device: OwnDevice) -> None:
    role, state = str(device.info.role), device.state
    notes = ["this device"] if device.this else []
    notes += [role] if role != "personal" else []
    notes += ["added with the recovery key"] if device.by_recovery_key else []
    notes += [state] if state != "live" else []
    if device.reason not in ("", state):
        notes[-1] += f": {safe_line(device.reason)}"
    shown = f" ({', '.join(notes)})" if notes else ""
    when = local_time(device.since_ms)
    terminal.say(f"{device.info.id.hex()[:8]}  {when}  {bracketed(device.info.name)}{shown}")


@devices.command("revoke")
@options.on_device
def revoke(
    which: Which,
    at: options.DeviceOptions,
    reason: Annotated[str, Option(help="The reason, which your contacts see.")] = "revoked",
    json: options.JsonOption = False,
) -> None:
    """Revoke a device: it gets nothing new, and your mail gets a new key.

    Your certificate for other programs ends with it: make and import a new one. It may be
    interrupted at any time: your next send, inbox or status completes it.
    """
    from blackthorn.programs.device import own_devices

    device = options.program(at)
    info = own_devices.find(device, which)
    ends = own_devices.has_compatible(device)
    number = device.enqueue(lambda unit: change_chain.enqueue_revocation(unit, info, reason))
    report(device, {number: (info.name, "revoked")}, json)
    if ends and not json:
        terminal.note(_CERTIFICATE_ENDS)
    _finish_changes(device, quiet=json)


@devices.command("reset-status")
@options.on_device
def reset_status(at: options.DeviceOptions, json: options.JsonOption = False) -> None:
    """Show whether a reset of your identity is pending, and how long it can be cancelled."""
    from blackthorn.programs.device.own_devices import pending_reset

    device = options.program(at)
    run(device.fetch())
    pending = pending_reset(device)
    if json:
        document: dict[str, Any] = {"pending": pending is not None}
        if pending is not None:
            document |= {
                "device": pending.device.name,
                "asked": rfc3339(pending.logged_ms),
                "effective": rfc3339(pending.effective_ms),
            }
        terminal.print_json(document)
    elif pending is None:
        terminal.say("No reset of your identity is pending.")
    else:
        since, end = local_time(pending.logged_ms), local_time(pending.effective_ms)
        terminal.say(
            f"A reset by the device {safe_line(pending.device.name)} waits since {since}. On {end} "
            "that device will be your only one. If you did not ask for it: "
            "blackthorn device cancel-reset"
        )


@devices.command("cancel-reset")
@options.on_device
def cancel_reset(at: options.DeviceOptions, json: options.JsonOption = False) -> None:
    """Cancel a pending reset of your identity. Your devices stay as they are."""
    device = options.program(at)
    run(device.fetch())
    number = device.enqueue(change_chain.enqueue_cancel)
    report(device, {number: ("the reset", "cancelled")}, json)


def _finish_changes(device: program.DeviceProgram, *, quiet: bool) -> list[str]:
    """Wait until a change is complete, and print the remaining steps."""
    from blackthorn.programs.device.own_devices import finish_changes

    remaining = run(finish_changes(device))
    if quiet:
        return remaining
    if remaining:
        terminal.say(f"Still to be done, {NEXT_COMMANDS}: {', '.join(remaining)}.")
    else:
        terminal.say("Done.")
    return remaining
