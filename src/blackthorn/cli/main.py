"""`blackthorn`: the table of all commands and families."""

import sys
from typing import Final

from typer import Exit, Option, Typer

from blackthorn.cli import terminal
from blackthorn.cli.lazy import LazyCommand, LazyGroup

_SERVER: Final = "blackthorn.cli.admin.server"
_LEDGER: Final = "blackthorn.cli.ledger"
_DEVICE: Final = "blackthorn.cli.device.device"
_ALARMS: Final = "blackthorn.cli.device.alarms"
_EXPORT: Final = "blackthorn.cli.device.export"
_AUDIT: Final = "blackthorn.cli.audit.audit"
_WITNESS: Final = "blackthorn.cli.witness.witness"
_ROLE: Final = "blackthorn.cli.officer.role"
_DIRECTIVE: Final = "blackthorn.cli.officer.directive"
_MARKET: Final = "blackthorn.cli.officer.market"
_DEMO: Final = "blackthorn.cli.demo"
_REPLAY: Final = "blackthorn.cli.replay"
_SIMULATE: Final = "blackthorn.cli.simulate"

COMMANDS: Final = {
    "init": LazyCommand(
        _SERVER, "Make a server's folder: settings, keys, database, ledger. Overwrites nothing."
    ),
    "serve": LazyCommand(
        _SERVER,
        "Serve until SIGTERM. The log goes to standard error; `ready` says when all ports listen.",
    ),
    "activate": LazyCommand(_DEVICE, "Create this device's keys and activate it by a code."),
    "send": LazyCommand(_DEVICE, "Send a text to one or several people, to each separately."),
    "inbox": LazyCommand(_DEVICE, "Receive and print messages; `history` shows your own too."),
    "history": LazyCommand(_DEVICE, "Print the stored messages of both sides, without connecting."),
    "status": LazyCommand(_DEVICE, "Sync with the server and show the device status."),
    "verify": LazyCommand(
        _DEVICE, "Show sixty digits and a QR code to compare identities with another person."
    ),
    "report": LazyCommand(
        _AUDIT, "Make the transparency report of a period from the public ledger alone."
    ),
    "demo": LazyCommand(
        _DEMO,
        "Demonstrate everything: three people, four devices, messages, mail, an audit, a search.",
    ),
    "story": LazyCommand(
        _REPLAY,
        "Replay 2015: a demand refused, one answered, a market closed, and one that stays open.",
    ),
    "simulate": LazyCommand(
        _SIMULATE,
        "Simulate an enterprise in memory for days or years, with faults; check what must hold.",
    ),
    "user": LazyCommand(_SERVER, "Users and their activation codes."),
    "config": LazyCommand(_SERVER, "The server's settings."),
    "ledger": LazyCommand(_LEDGER, "The server's ledger: the public log of its users' keys."),
    "group": LazyCommand(_DEVICE, "Conversations of several people under a name."),
    "mail": LazyCommand(_DEVICE, "E-mail, sealed to this user."),
    "device": LazyCommand(_DEVICE, "Your own devices."),
    "recovery": LazyCommand(_DEVICE, "The recovery key: 24 words to use when no device is left."),
    "alarms": LazyCommand(_ALARMS, "Violations by the server or by others, with evidence."),
    "export": LazyCommand(_EXPORT, "Export all your data: mail, messages, contacts, keys."),
    "audit": LazyCommand(_AUDIT, "Audit a server's data and its ledger; anyone can."),
    "witness": LazyCommand(_WITNESS, "Cosign the checkpoints of logs that only ever grow."),
    "role": LazyCommand(_ROLE, "Officers: who decides on directives and markets."),
    "directive": LazyCommand(
        _DIRECTIVE, "Directives: a government's demands about single accounts."
    ),
    "market": LazyCommand(_MARKET, "Leave a market: plan, announce, stop, close."),
}
"""All commands, then all families, in the order of `--help`."""


class Blackthorn(LazyGroup):
    """The command `blackthorn` itself."""

    table = COMMANDS


app = Typer(
    cls=Blackthorn,
    name="blackthorn",
    help="Secure enterprise e-mail and messaging in which the server can read nothing.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from blackthorn import __version__

        terminal.out.print(__version__)
        raise Exit


@app.callback()
def root(
    version: bool = Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Secure enterprise e-mail and messaging in which the server can read nothing."""


def main() -> None:
    """Entry point; `programs.entry` has the exit codes."""
    sys.exit(terminal.run(app))
