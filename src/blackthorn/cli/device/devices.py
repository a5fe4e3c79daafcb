"""Commands for a person's own devices: add, link, list, revoke, and a reset that waits."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blackthorn.cli import terminal
from blackthorn.cli.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    KeyFileOption,
    ServerOption,
    program,
)
from blackthorn.cli.times import local_time, rfc3339
from blackthorn.programs.event_loop import run

if TYPE_CHECKING:
    from blackthorn.identity.chain import VerifiedChain
    from blackthorn.identity.statements import DeviceInfo
    from blackthorn.programs.device.home import Home
    from blackthorn.programs.device.pairing import Told
    from blackthorn.programs.device.program import DeviceProgram

devices = typer.Typer(help="Your own devices.", no_args_is_help=True)

Which = Annotated[
    str, typer.Argument(metavar="NAME|ID", help="Its name, or the beginning of its id.")
]


# --- add and link -------------------------------------------------------------------------


@devices.command("add")
def add(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """Add another device: shows a code for it, and waits ten minutes.

    The new device is given the code by `blackthorn device link`. It shows six digits; type them
    here (one line of standard input) so that nobody else can take its place. --json prints one
    object a line: {"code", "url"}, then {"joined"}, and at the end {"added", "id"}.
    """
    from blackthorn.link.activation.code import PAIR, new_code, render, render_url
    from blackthorn.programs.device import pairing
    from blackthorn.programs.device.home import random

    device = program(home, key_file)
    server = device.opened.server
    code = new_code(random)
    url = render_url(code, server.host, server.port, PAIR)
    if json:
        terminal.print_json({"code": render(code), "url": url})
    else:
        _show_code(render(code), url)
    added = run(pairing.add(device, code, _told(json, "joined")))
    if not json:
        terminal.out.print(f"{added.name} was added. It comes into your conversations.")
    left = run(_see_through(device))
    if json:
        terminal.print_json({"added": added.name, "id": added.id.hex(), "left": left})
    else:
        _say_left(left)


def _show_code(code: str, url: str) -> None:
    if sys.stdout.isatty():
        import segno

        segno.make(url, error="l", micro=False).terminal(sys.stdout, compact=True)
    terminal.out.print("On the new device:", markup=False)
    terminal.out.print(f"  blackthorn device link {code}", markup=False, soft_wrap=True)
    terminal.out.print("or by its URL:", markup=False)
    terminal.out.print(f"  blackthorn device link '{url}'", markup=False, soft_wrap=True)


def _told(json: bool, joined: str) -> "Told":
    """What is printed on the way; to a terminal with a countdown and progress."""
    from blackthorn.programs.device.pairing import Told

    shown = {"line": ""}

    def line(text: str) -> None:
        """One line that the next one replaces."""
        if not json and sys.stderr.isatty() and text != shown["line"]:
            shown["line"] = text
            sys.stderr.write(f"\r{text:<60}\r")
            sys.stderr.flush()

    def waiting(seconds: float) -> None:
        line(f"Waiting for the new device, {int(seconds) // 60}:{int(seconds) % 60:02} left")

    def digits(whose: str, compared: str) -> None:
        line("")
        document = {name: value for name, value in ((joined, whose), ("digits", compared)) if value}
        if json:
            terminal.print_json(document)
        elif compared and whose:
            text = f"This is to be {whose}'s device. It shows {compared[:3]} {compared[3:]}: type "
            terminal.out.print(f"{text}these digits on the other device.", markup=False)
        elif compared:
            text = f"Both devices show {compared[:3]} {compared[3:]}. Say so on the new one, too."
            terminal.out.print(text, markup=False)
        else:
            from blackthorn.mail.render.text import safe_line

            text = f"{safe_line(whose)} has proved the code."
            terminal.out.print(text, markup=False)

    def progress(left: int, total: int) -> None:
        if total:
            line(f"{total - left} of {total} handed over")

    def note(text: str) -> None:
        terminal.err.print(text, markup=False, soft_wrap=True)

    return Told(waiting, digits, progress, note)


@devices.command("link")
def link(
    code: Annotated[
        list[str],
        typer.Argument(metavar="CODE-OR-URL", help="What `blackthorn device add` shows."),
    ],
    home: HomeOption = DEFAULT_HOME,
    server: ServerOption = None,
    key_file: KeyFileOption = None,
    name: Annotated[str | None, typer.Option(help="What to call this device.")] = None,
    json: JsonOption = False,
) -> None:
    """Make this a device of a user who has one already, by the code that it shows.

    Asks for a passphrase or takes a key file like `blackthorn activate`. It shows six digits, to be
    typed on the other device, and is told yes (one line of standard input) when that has taken
    them. Run it again in the same home, with another code, if it was interrupted. --json prints one
    object a line: {"address", "digits"}, and at the end {"linked"}.
    """
    from blackthorn.link.activation.code import PAIR, parse_invitation
    from blackthorn.programs.device import pairing
    from blackthorn.programs.device.activation import own_name

    invitation = parse_invitation(" ".join(code), PAIR)
    host, port = server_address(server)
    if invitation.host is not None and invitation.port is not None:
        host, port = invitation.host, invitation.port
    place = home_of(home, key_file)
    wanted = pairing.Link(invitation.code, host, port, name or own_name())
    address = run(pairing.link(place, wanted, _told(json, "address")))
    if not json:
        terminal.out.print(f"This device is {address}'s.", markup=False)
    published = wait_published(place, quiet=json)
    if json:
        terminal.print_json({"linked": address, "published": published})


def server_address(server: str | None) -> tuple[str, int]:
    """Host and port as an option gives them. Raises UserError."""
    import os

    from blackthorn.errors import UserError

    if server is None:
        return "127.0.0.1", int(os.environ.get("BLACKTHORN_LINK_PORT") or DEFAULT_PORT)
    host, colon, port = server.rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise UserError(f"{server}: a server is given as HOST:PORT, such as 127.0.0.1:3101")
    return host.strip("[]"), int(port)


DEFAULT_PORT = 3101


def home_of(home: Path, key_file: Path | None) -> "Home":
    """The home of the options."""
    from blackthorn.programs.device.home import Home

    return Home(home.expanduser(), key_file.expanduser() if key_file else None)


# --- list ---------------------------------------------------------------------------------


@devices.command("list")
def list_devices(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """Your devices as your identity chain has them, those that are gone too.

    Exit code 6: the server was not reached, and what is printed is what was known before.
    """
    from blackthorn.errors import UnavailableError

    device = program(home, key_file)
    missed = ""
    try:
        run(device.fetch())
    except (UnavailableError, TimeoutError) as error:
        missed = str(error) or "the server did not answer in time"
    documents = _documents(device)
    if json:
        terminal.print_json(documents)
    elif not documents:
        terminal.out.print("Your identity is not in the ledger yet.")
    for each in () if json else documents:
        _print_device(each)
    if missed:
        raise UnavailableError(f"{missed.rstrip('.')}. Shown is what was known already")


def _documents(device: "DeviceProgram") -> list[dict[str, Any]]:
    from blackthorn.device.transparency import local_chain
    from blackthorn.programs.device.home import wall_ms

    with device.device.unit(wall_ms()) as unit:
        chain = local_chain.own(unit)
        me = unit.me.device
    if chain is None:
        return []
    since = _since(chain)
    found = [(each, "live") for each in chain.devices]
    found += [(each.device, each.reason or "revoked") for each in chain.former]
    if chain.pending is not None:
        found.append((chain.pending.device, "pending"))
    return [
        {
            "name": each.name,
            "id": each.id.hex(),
            "role": str(each.role),
            "since": rfc3339(since.get(each.id, 0)),
            "since_ms": since.get(each.id, 0),
            "this": each.id == me,
            "live": standing == "live",
            "standing": standing,
            "by_recovery_key": each.id in chain.recovered,
        }
        for each, standing in found
    ]


def _since(chain: "VerifiedChain") -> dict[bytes, int]:
    """When each device came, by its maker's clock."""
    from blackthorn.identity.statements import AddDevice, Genesis, Reset, Rotate, decode

    found: dict[bytes, int] = {}
    for data in chain.statements:
        statement = decode(data).statement
        if isinstance(statement.body, Genesis | AddDevice | Reset | Rotate):
            found.setdefault(statement.body.device.id, statement.time_ms)
    return found


def _print_device(each: dict[str, Any]) -> None:
    from blackthorn.mail.render.text import safe_line

    notes = ["this device"] if each["this"] else []
    notes += [str(each["role"])] if each["role"] != "personal" else []
    notes += ["added with the recovery key"] if each["by_recovery_key"] else []
    notes += [safe_line(str(each["standing"]))] if not each["live"] else []
    shown = f" ({', '.join(notes)})" if notes else ""
    when = local_time(int(each["since_ms"]))
    line = f"{str(each['id'])[:8]}  {when}  {safe_line(str(each['name']))}{shown}"
    terminal.out.print(line, markup=False, soft_wrap=True)


# --- revoke -------------------------------------------------------------------------------


@devices.command("revoke")
def revoke(
    which: Which,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    reason: Annotated[str, typer.Option(help="Why; your contacts' devices show it.")] = "revoked",
    json: JsonOption = False,
) -> None:
    """Let a device be yours no more: it gets nothing new, and your mail gets a new key.

    It may be interrupted at any time: whatever of it is left is done by your next command.
    """
    from blackthorn.cli.device.outcomes import report
    from blackthorn.device.operations import change_chain

    device = program(home, key_file)
    info = _find(device, which)
    number = device.enqueue(lambda unit: change_chain.enqueue_revocation(unit, info, reason))
    report(device, {number: (info.name, "revoked")}, json)
    left = run(_see_through(device))
    if not json:
        _say_left(left)


def _find(device: "DeviceProgram", which: str) -> "DeviceInfo":
    """The live device of that name, or of an id that begins so. Raises UserError."""
    from blackthorn.device.operations import change_chain
    from blackthorn.errors import UserError
    from blackthorn.programs.device.home import wall_ms

    with device.device.unit(wall_ms()) as unit:
        chain = change_chain.known_chain(unit)
    found = [each for each in chain.devices if each.name == which]
    if not found and len(which) >= 4:
        found = [each for each in chain.devices if each.id.hex().startswith(which.lower())]
    if not found:
        raise UserError(f"you have no live device {which} (see blackthorn device list)")
    if len(found) > 1:
        ids = ", ".join(each.id.hex()[:8] for each in found)
        raise UserError(f"several of your devices are called that; use the id of one: {ids}")
    return found[0]


# --- A reset that waits -------------------------------------------------------------------


@devices.command("reset-status")
def reset_status(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """Whether a reset of your identity waits, and until when it can be cancelled."""
    from blackthorn.device.transparency import local_chain
    from blackthorn.mail.render.text import safe_line
    from blackthorn.programs.device.home import wall_ms

    device = program(home, key_file)
    run(device.fetch())
    with device.device.unit(wall_ms()) as unit:
        chain = local_chain.own(unit)
    pending = chain.pending if chain is not None else None
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
        terminal.out.print("No reset of your identity waits.")
    else:
        since, end = local_time(pending.logged_ms), local_time(pending.effective_ms)
        text = (
            f"A reset by the device {safe_line(pending.device.name)} waits since {since}. On {end} "
            "that device will be your only one. If you did not ask for it: "
            "blackthorn device cancel-reset"
        )
        terminal.out.print(text, markup=False, soft_wrap=True)


@devices.command("cancel-reset")
def cancel_reset(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """Cancel a reset of your identity that waits. Your devices stay as they are."""
    from blackthorn.cli.device.outcomes import report
    from blackthorn.device.operations import change_chain

    device = program(home, key_file)
    run(device.fetch())
    number = device.enqueue(change_chain.enqueue_cancel)
    report(device, {number: ("the reset", "cancelled")}, json)


# --- Waiting ------------------------------------------------------------------------------


async def _see_through(device: "DeviceProgram") -> list[str]:
    """Stay until what follows from a change has come about, a minute at most; what is left."""
    from blackthorn.device.account import reconciler
    from blackthorn.programs.device.activation import until
    from blackthorn.programs.device.home import wall_ms

    left: list[str] = []

    def done() -> bool:
        nonlocal left
        with device.device.unit(wall_ms()) as unit:
            left = reconciler.remaining(unit)
        return not left

    await until(device, 60.0, done)
    return left


def _say_left(left: list[str]) -> None:
    if left:
        text = f"Still to be done, by your next commands: {', '.join(left)}."
        terminal.out.print(text, markup=False, soft_wrap=True)
    else:
        terminal.out.print("Everything is done.")


def wait_published(place: "Home", *, reset: bool = False, quiet: bool = False) -> bool:
    """Wait until the ledger shows a new device, and say so."""
    from blackthorn.programs.device.activation import published
    from blackthorn.programs.device.program import DeviceProgram

    if not quiet:
        terminal.err.print("Waiting for the ledger to show this device…")
    shown = run(published(DeviceProgram(place, place.open())))
    if quiet:
        return shown
    if not shown:
        terminal.out.print("The ledger does not show it yet: that goes on with your next command.")
    elif reset:
        terminal.out.print("The reset waits now (blackthorn device reset-status).")
    else:
        terminal.out.print("The ledger shows it.")
    return shown
