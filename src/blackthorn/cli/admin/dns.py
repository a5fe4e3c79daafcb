"""Commands of the mail domain's records: print, check."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

from typer import Exit, Option, Typer

from blackthorn.cli import terminal
from blackthorn.cli.options import JsonOption, ServerDirectory
from blackthorn.wire.words import count

if TYPE_CHECKING:
    from blackthorn.mail.dns.setup import Setup
    from blackthorn.programs.server.configuration import Configuration

AddressOption = Annotated[
    list[str] | None,
    Option(metavar="IP", help="A public address of the server; may be given several times."),
]

dns = Typer(help="The DNS records of your mail domain.", no_args_is_help=True)

_STYLES: Final = {"good": "green", "note": "dim", "warning": "yellow", "error": "red"}


def register(app: Typer) -> None:
    app.add_typer(dns, name="dns")


@dns.command("print")
def print_zone(
    directory: ServerDirectory, address: AddressOption = None, json: JsonOption = False
) -> None:
    """Print the records to paste into the zone: MX, SPF, DKIM, DMARC, MTA-STS and more."""
    from dataclasses import asdict

    from blackthorn.mail.dns.zone import zone, zone_text

    _, setup = _setup(directory, address)
    if json:
        terminal.print_json([asdict(each) for each in zone(setup)])
        return
    for line in zone_text(setup).splitlines():
        terminal.say(line, "dim" if line.startswith(";") else None)


@dns.command("check")
def check(
    directory: ServerDirectory, address: AddressOption = None, json: JsonOption = False
) -> None:
    """Ask for the records, and say what is wrong and how to mend it. Exit code 1 for any error."""
    import asyncio
    from dataclasses import asdict

    from blackthorn.edges.dns.resolver import DnsResolver
    from blackthorn.mail.dns.facts import Finding
    from blackthorn.programs.server.zone.asking import ask_policy, check_domain

    settings, setup = _setup(directory, address)

    async def ask() -> list[Finding]:
        return await check_domain(setup, DnsResolver(settings.dns.addresses()), ask_policy)

    findings = asyncio.run(ask())
    errors = sum(each.level == "error" for each in findings)
    if json:
        terminal.print_json([asdict(each) for each in findings])
    else:
        table = terminal.Table("", "what", "name", "finding", "how to mend it")
        for each in findings:
            level = (str(each.level), _STYLES[each.level])
            table.add_row(level, each.topic, each.name, each.text, each.mend)
        table.show()
        warnings = sum(each.level == "warning" for each in findings)
        told = f"{count(errors, 'error')}, {count(warnings, 'warning')} for {setup.domain}."
        terminal.say(told, "red" if errors else "green")
    if errors:
        raise Exit(1)


def _setup(directory: Path, addresses: list[str] | None) -> tuple["Configuration", "Setup"]:
    import os

    from blackthorn.programs.server import configuration
    from blackthorn.programs.server.zone.setup import make_setup

    settings = configuration.load(directory, os.environ)
    domain = settings.enterprise.domain
    return settings, make_setup(
        domain,
        settings.tls,
        settings.mta_sts,
        directory,
        addresses or (),
        bool(settings.submission.host),
    )
