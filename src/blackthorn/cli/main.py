"""`blackthorn`: the table of all commands and families."""

import sys
from typing import Final

from typer import Exit, Option, Typer

from blackthorn.cli import terminal
from blackthorn.cli.lazy import LazyCommand, LazyGroup

_SERVER: Final = "blackthorn.cli.admin.server"
_CERTIFICATES: Final = "blackthorn.cli.admin.certificates"
_DNS: Final = "blackthorn.cli.admin.dns"
_LEDGER: Final = "blackthorn.cli.ledger"
_DEVICE: Final = "blackthorn.cli.device.device"
_ALIASES: Final = "blackthorn.cli.admin.aliases"
_DKIM: Final = "blackthorn.cli.admin.dkim"
_PROGRAMS: Final = "blackthorn.cli.app_password"
_MAIL: Final = "blackthorn.cli.mail"
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

_ON_SERVER: Final = "On the server's host, for its administrator"
_ON_DEVICE: Final = "On your device"
_OFFICERS: Final = "For officers, who decide on their devices"
_ANYONE: Final = "For anyone"
_TRIALS: Final = "To see it work"

COMMANDS: Final = {
    "init": LazyCommand(
        _SERVER,
        "Make a server's folder: settings, keys, database, ledger. Overwrites nothing.",
        _ON_SERVER,
    ),
    "serve": LazyCommand(
        _SERVER,
        "Serve until SIGTERM. The log goes to standard error; `ready` says when all ports listen.",
        _ON_SERVER,
    ),
    "user": LazyCommand(_SERVER, "Users and their activation codes.", _ON_SERVER),
    "alias": LazyCommand(_ALIASES, "Other addresses of users: aliases.", _ON_SERVER),
    "list": LazyCommand(
        _ALIASES, "Distribution lists: one sealed copy for each member.", _ON_SERVER
    ),
    "config": LazyCommand(_SERVER, "The server's settings.", _ON_SERVER),
    "certificate": LazyCommand(
        _CERTIFICATES, "The certificate of HTTPS and SMTP: names, end, renewal.", _ON_SERVER
    ),
    "dns": LazyCommand(_DNS, "The DNS records of your mail domain.", _ON_SERVER),
    "ledger": LazyCommand(
        _LEDGER, "The server's ledger: the public log of its users' keys.", _ON_SERVER
    ),
    "dkim": LazyCommand(_DKIM, "Keys by which mail that leaves is signed (DKIM).", _ON_SERVER),
    "activate": LazyCommand(
        _DEVICE, "Create this device's keys and activate it by a code.", _ON_DEVICE
    ),
    "send": LazyCommand(
        _DEVICE, "Send a text to one or several people, to each separately.", _ON_DEVICE
    ),
    "inbox": LazyCommand(
        _DEVICE, "Receive and print messages; `history` shows your own too.", _ON_DEVICE
    ),
    "history": LazyCommand(
        _DEVICE, "Print the stored messages of both sides, without connecting.", _ON_DEVICE
    ),
    "status": LazyCommand(_DEVICE, "Sync with the server and show the device status.", _ON_DEVICE),
    "group": LazyCommand(_DEVICE, "Conversations of several people under a name.", _ON_DEVICE),
    "mail": LazyCommand(_MAIL, "E-mail, sealed to this user.", _ON_DEVICE),
    "app-password": LazyCommand(
        _PROGRAMS,
        "Passwords by which your mail programs send mail, one for each.",
        _ON_DEVICE,
    ),
    "verify": LazyCommand(
        _DEVICE,
        "Show sixty digits and a QR code to compare identities with another person.",
        _ON_DEVICE,
    ),
    "device": LazyCommand(_DEVICE, "Your own devices.", _ON_DEVICE),
    "recovery": LazyCommand(
        _DEVICE, "The recovery key: 24 words to use when no device is left.", _ON_DEVICE
    ),
    "alarms": LazyCommand(
        _ALARMS, "Violations by the server or by others, with evidence.", _ON_DEVICE
    ),
    "notices": LazyCommand(
        _DEVICE,
        "Show the server's notices: your market's exit, and data of yours that an authority was "
        "given.",
        _ON_DEVICE,
    ),
    "export": LazyCommand(
        _EXPORT, "Export all your data: mail, messages, contacts, keys.", _ON_DEVICE
    ),
    "role": LazyCommand(_ROLE, "Officers: who decides on directives and markets.", _OFFICERS),
    "directive": LazyCommand(
        _DIRECTIVE, "Directives: a government's demands about single accounts.", _OFFICERS
    ),
    "market": LazyCommand(_MARKET, "Leave a market: plan, announce, stop, close.", _OFFICERS),
    "audit": LazyCommand(_AUDIT, "Audit a server's data and its ledger; anyone can.", _ANYONE),
    "report": LazyCommand(
        _AUDIT, "Make the transparency report of a period from the public ledger alone.", _ANYONE
    ),
    "witness": LazyCommand(
        _WITNESS, "Cosign the checkpoints of logs that only ever grow.", _ANYONE
    ),
    "demo": LazyCommand(
        _DEMO,
        "Demonstrate everything: three people, four devices, messages, mail, an audit, a search.",
        _TRIALS,
    ),
    "story": LazyCommand(
        _REPLAY,
        "Replay 2015: a demand refused, one answered, a market closed, and one that stays open.",
        _TRIALS,
    ),
    "simulate": LazyCommand(
        _SIMULATE,
        "Simulate an enterprise in memory for days or years, with faults; check what must hold.",
        _TRIALS,
    ),
}
"""All commands and families by who uses them, in the order of use: so `--help` shows them."""


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

        terminal.say(__version__)
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
