"""`blackthorn`: one command for the server, the device, the administrator and the auditor.

Each family of commands registers itself from a module of its own; nothing is decided here.
"""

import sys

import typer

from blackthorn import __version__
from blackthorn.apps import (
    audit_cli,
    closure_cli,
    demo_cli,
    device_alarms_cli,
    device_cli,
    device_ledger_cli,
    directive_cli,
    export_cli,
    ledger_cli,
    market_cli,
    report_cli,
    role_cli,
    server_cli,
    story_cli,
    terminal,
    witness_cli,
)

app = typer.Typer(
    name="blackthorn",
    help="Secure enterprise e-mail and messaging in which the server can read nothing.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
)

for family in (
    server_cli,
    ledger_cli,
    device_cli,
    device_alarms_cli,
    device_ledger_cli,
    export_cli,
    audit_cli,
    report_cli,
    closure_cli,
    witness_cli,
    role_cli,
    directive_cli,
    market_cli,
    demo_cli,
    story_cli,
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
    """Entry point: exit codes are in `apps.terminal`."""
    sys.exit(terminal.run(app))
