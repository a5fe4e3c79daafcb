"""The server's notices, and the commands of `market` for the users of that market."""

from pathlib import Path
from typing import Annotated

from typer import Argument, Option, Typer

from blackthorn.cli import options, terminal
from blackthorn.errors import UnavailableError, UserError
from blackthorn.programs.device import market_exit
from blackthorn.programs.event_loop import run


def add_to(market: Typer) -> None:
    for command in (forward, receipt):
        market.command(command.__name__, rich_help_panel="For the users of that market")(command)
    market.command("notice", hidden=True)(notices)  # its name in notices that servers have sent


@options.on_device
def notices(at: options.DeviceOptions, json: options.JsonOption = False) -> None:
    """Show the server's notices: your market's exit, and data of yours that an authority was given.

    The server is told that you have read them. Exit code 6: the server was not reached, and only
    stored notices are shown.
    """
    from blackthorn.cli.device import exit_notices

    device, unreached, reported = options.program(at), "", False
    try:
        reported = not run(market_exit.report(device, "read"))
    except UnavailableError as error:
        unreached = str(error)
    found = market_exit.notices(device)
    if json:
        terminal.print_json([exit_notices.document(kept) for kept in found])
    elif not found:
        terminal.say("There are no notices.")
    for kept in () if json else found:
        terminal.say_text(kept.text)  # in the user's language, and first
        terminal.say(exit_notices.heading(kept))
        terminal.say("")
    options.require_reached(unreached)
    if reported:
        market_exit.set_read(device)


@options.on_device
def forward(
    address: Annotated[
        str | None, Argument(metavar="ADDRESS", help="Your new mail address, elsewhere.")
    ] = None,
    none: Annotated[bool, Option("--none", help="Remove the address.")] = False,
    *,
    at: options.DeviceOptions,
) -> None:
    """Set the new address that senders are told once the service in your market has ended.

    The server then answers mail with `551 … please try <ADDRESS>` until forwarding ends; it does
    not pass mail on.
    """
    if (address is None) != none:
        raise UserError("give your new address, or --none to remove it")
    value = str(options.parse_addresses([address])[0]) if address is not None else ""
    if refusal := run(market_exit.report(options.program(at), "forward", value)):
        raise UserError(refusal)
    terminal.say(f"Senders will be told {value or 'no address'}.")


@options.on_device
def receipt(
    out: Annotated[Path, Option("--out", metavar="FILE", help="A new file.")],
    at: options.DeviceOptions,
) -> None:
    """Write your receipt of the closure, which locates your entry in its published tree.

    A device that connects while the closure is prepared fetches it by itself: then the file can be
    written when the service has ended, too.
    """
    data, fresh = run(market_exit.fetch_receipt(options.program(at)))
    options.write_new(out, data)
    if not fresh:
        terminal.note("The server was not reached: this device has fetched the receipt before.")
    terminal.say(f"Your receipt is in {out}. Keep it.")
