"""Commands of the family `directive` that answer one, and those that show them."""

from pathlib import Path
from typing import Annotated

import typer

from blackthorn.cli import terminal
from blackthorn.cli.officer.options import (
    DEFAULT_HOME,
    DirectiveArgument,
    DryRunOption,
    HomeOption,
    JsonOption,
    KeyFileOption,
    YesOption,
    open_decisions,
)


def add_to(directive: typer.Typer) -> None:
    """Add these commands to the family."""
    directive.command("produce")(produce)
    directive.command("deliver")(deliver)
    directive.command("refuse")(refuse)
    directive.command("show")(show)
    directive.command("list")(list_directives)


def produce(
    name: DirectiveArgument,
    to: Annotated[
        Path | None, typer.Option(metavar="CERT", help="Seal it to the authority's certificate.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the package goes; a new file.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Fetch the package, check every hash, list what is in it, and sign its manifest.

    Custodian and another person. Once both have signed and the ledger shows it, the same fetches
    the finished package, with signature and proof; --to seals it to an OpenPGP certificate and
    writes only what is sealed.
    """
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import package

    device, office = open_decisions(home, key_file)
    case = offices.directive_of(office, name)
    output = offices.OutputOptions(json, yes, dry_run)
    package.produce(device, office, case, to, out, output)


def deliver(
    name: DirectiveArgument,
    delivered: Annotated[
        str | None, typer.Option(metavar="DATE", help="When. Default: now.")
    ] = None,
    receipt: Annotated[Path | None, typer.Option(help="The authority's receipt, hashed.")] = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Say that the authority has the package. Custodian and another person."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms
    from blackthorn.programs.device.home import wall_ms

    device, office = open_decisions(home, key_file)
    form = forms.deliver(offices.directive_of(office, name), delivered, receipt, wall_ms())
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


def refuse(
    name: DirectiveArgument,
    reason: Annotated[
        str,
        typer.Option(
            help="no-such-capability, not-genuine, not-lawful, disproportionate, "
            "no-such-account or closed-market."
        ),
    ],
    letter: Annotated[
        Path | None, typer.Option(help="Your own letter, instead of the one that is made.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where the letter goes. Default: ID.txt")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Refuse it by a reasoned letter, whose hash is signed. Legal and another person.

    The letter is made from what was decided, and is the same for both; nobody is named in it.
    """
    import hashlib

    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms
    from blackthorn.cli.officer.fields import hash_of
    from blackthorn.cli.officer.package import write_letter

    device, office = open_decisions(home, key_file)
    case = offices.directive_of(office, name)
    output = offices.OutputOptions(json, yes, dry_run)
    if letter is not None:
        offices.decide(device, office, forms.refuse(case, reason, hash_of(letter)), output)
        return
    domain = str(device.opened.keys.address).rpartition("@")[2]
    text = forms.letter(case, reason, domain)
    form = forms.refuse(case, reason, hashlib.sha256(text).digest())
    offices.check_open(office, form)
    if not dry_run:
        write_letter(out or Path(f"{case.id}.txt"), text, json=json)
    offices.decide(device, office, form, output)


def show(
    name: DirectiveArgument,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show a directive: every step with its officers, its accounts, and what waits."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import show as office_show

    _, office = open_decisions(home, key_file)
    case = offices.directive_of(office, name, waiting=True)
    if json:
        terminal.print_json(office_show.case_document(office, case))
    else:
        office_show.case(office, case)


def list_directives(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """List the directives with state, accounts, gag, deadline and what waits."""
    from blackthorn.cli.officer import show as office_show
    from blackthorn.programs.device.home import wall_ms

    _, office = open_decisions(home, key_file)
    found = office.cases.directives
    if json:
        terminal.print_json([office_show.case_document(office, each) for each in found])
        return
    rows = [office_show.directive_row(office, each, wall_ms()) for each in found]
    office_show.table(office_show.DIRECTIVE_TITLES, rows, "There are no directives.")
    for case in (office.cases.next_directive(), "canary"):
        office_show.say_waiting(office, case)
