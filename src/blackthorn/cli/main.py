"""`blackthorn`: one command for the server, the device, the administrator and the auditor.

Each family of commands registers itself from a module of its own; nothing is decided here.
"""

import sys

import typer

from blackthorn import __version__
from blackthorn.cli import demo, ledger, replay, terminal
from blackthorn.cli.admin import server
from blackthorn.cli.audit import audit, closure, report
from blackthorn.cli.device import alarms, device, export
from blackthorn.cli.officer import directive, market, role
from blackthorn.cli.witness import witness

app = typer.Typer(
    name="blackthorn",
    help="Secure enterprise e-mail and messaging in which the server can read nothing.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

for family in (
    server,
    device,
    alarms,
    ledger,
    export,
    audit,
    report,
    closure,
    witness,
    role,
    directive,
    market,
    demo,
    replay,
):
    family.register(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        terminal.out.print(__version__)
        raise typer.Exit


@app.callback()
def root(
    version: bool = typer.Option(
        False, "--version", callback=_print_version, is_eager=True, help="Print the version."
    ),
) -> None:
    """Secure enterprise e-mail and messaging in which the server can read nothing."""


def main() -> None:
    """Entry point: exit codes are in `cli.terminal`."""
    sys.exit(terminal.run(app))
