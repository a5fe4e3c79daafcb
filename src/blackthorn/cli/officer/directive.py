"""Commands of the family `directive`: what authorities ask for, and what two people decide.

There is no option by which all users, a keyword or a live feed could be asked for.
"""

from pathlib import Path
from typing import Annotated

import typer

from blackthorn.cli import terminal
from blackthorn.cli.officer import directive_answer, options
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

directive = typer.Typer(
    help="Directives: a government's demands about single accounts.", no_args_is_help=True
)
directive.command("sign")(options.sign)
directive_answer.add_to(directive)


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.add_typer(directive, name="directive")


@directive.command("receive")
def receive(
    kind: Annotated[
        str,
        typer.Option(
            help="production, preservation, emergency, removal, blocking, technical-capability."
        ),
    ],
    country: Annotated[str, typer.Option(metavar="CC", help="Whose authority, such as PK.")],
    authority: Annotated[str, typer.Option(help="Its name.")],
    basis: Annotated[str, typer.Option(help="The law on which it relies.")],
    process: Annotated[str, typer.Option(help="The legal process, such as court order.")],
    channel: Annotated[str, typer.Option(help="How it came, such as post or portal.")],
    received: Annotated[str, typer.Option(metavar="DATE", help="When it came.")],
    document: Annotated[Path, typer.Option(help="The demand itself; only its hash is signed.")],
    account: Annotated[
        list[str] | None, typer.Option(metavar="ADDRESS", help="An account. Again for each.")
    ] = None,
    unknown: Annotated[int, typer.Option(min=0, help="Names in it that are no account.")] = 0,
    category: Annotated[
        list[str] | None,
        typer.Option(
            help="account-facts, sealed-mail, waiting-parcels, identity-chain, ledger-entries."
        ),
    ] = None,
    begin: Annotated[
        str | None, typer.Option("--from", metavar="DATE", help="The period's first day.")
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", metavar="DATE", help="The period's last day.")
    ] = None,
    gag_until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Until when the law bars disclosure.")
    ] = None,
    case_number: Annotated[str, typer.Option(help="Not published.")] = "",
    signatory: Annotated[str, typer.Option(help="Who signed it. Not published.")] = "",
    contact: Annotated[str, typer.Option(help="The contact it brings. Not published.")] = "",
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Write down a demand that has come. It gets the next number; one person does it.

    A demand for access to people who are not named one by one is of the kind
    technical-capability: it names no account and can only be refused.
    """
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms

    demand = forms.Demand(
        *(kind, country, authority, basis, process, channel, received, document),
        *(account or [], unknown, category or [], begin, end, gag_until),
        *(case_number, signatory, contact),
    )
    output = offices.OutputOptions(json, yes, dry_run)
    device, office = open_decisions(home, key_file)
    domain = str(device.opened.keys.address).rpartition("@")[2]
    offices.decide(device, office, forms.receive(office, demand, domain), output)


@directive.command("verify")
def verify(
    name: DirectiveArgument,
    contact: Annotated[str, typer.Option(help="Where you asked. Not published.")],
    source: Annotated[str, typer.Option(help="Where you found that contact. Not published.")],
    method: Annotated[
        str, typer.Option(help="call-back, portal-key or mlat-central-authority.")
    ] = "call-back",
    result: Annotated[str, typer.Option(help="genuine or forged.")] = "genuine",
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Say whether the authority has confirmed it, asked at a contact the demand did not bring.

    A .gov address proves nothing: such accounts are stolen and sold.
    """
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms

    device, office = open_decisions(home, key_file)
    case = offices.directive_of(office, name)
    form = forms.verify(office, case, method, result, contact, source)
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


@directive.command("assess")
def assess(
    name: DirectiveArgument,
    decision: Annotated[str, typer.Option(help="comply, partial or no-data.")],
    grounds: Annotated[str, typer.Option(help="Why it is lawful and in proportion. Published.")],
    deadline: Annotated[
        str | None, typer.Option(metavar="DATE", help="Until when it is answered.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Decide whether it is lawful and in proportion. Legal and another person."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms

    device, office = open_decisions(home, key_file)
    case = offices.directive_of(office, name)
    form = forms.assess(case, decision, grounds, deadline)
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


@directive.command("approve")
def approve(
    name: DirectiveArgument,
    category: Annotated[
        list[str] | None,
        typer.Option(help="Only these categories. Again for each; default: those asked for."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Agree to what is produced. Legal and custodian."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms

    device, office = open_decisions(home, key_file)
    case = offices.directive_of(office, name)
    form = forms.approve(case, category or [])
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


@directive.command("contest")
def contest(
    name: DirectiveArgument,
    court: Annotated[str, typer.Option(help="Before which court.")],
    filed: Annotated[str, typer.Option(metavar="DATE", help="When it was filed.")],
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Challenge it before a court. Legal and another person."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms

    device, office = open_decisions(home, key_file)
    form = forms.contest(offices.directive_of(office, name), court, filed)
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


@directive.command("extend-gag")
def extend_gag(
    name: DirectiveArgument,
    until: Annotated[str, typer.Option(metavar="DATE", help="The later day.")],
    order: Annotated[Path, typer.Option(help="The order that says so; its hash is signed.")],
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Put off disclosure because the law demands it, a year at the most."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms

    device, office = open_decisions(home, key_file)
    form = forms.extend_gag(offices.directive_of(office, name), until, order)
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


@directive.command("lift-gag")
def lift_gag(
    name: DirectiveArgument,
    order: Annotated[Path | None, typer.Option(help="The order that lifts it, if any.")] = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """End the gag: every step of it is published."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms

    device, office = open_decisions(home, key_file)
    form = forms.lift_gag(offices.directive_of(office, name), order)
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


@directive.command("correct")
def correct(
    name: DirectiveArgument,
    step: Annotated[int, typer.Option(help="The number of the step that was wrong.")],
    note: Annotated[str, typer.Option(help="What is right. Published.")],
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Say that an earlier step was wrong; it stays, and this says what is right."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms

    device, office = open_decisions(home, key_file)
    form = forms.correct(offices.directive_of(office, name), step, note)
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


@directive.command("canary")
def canary(
    statement: Annotated[
        list[str] | None,
        typer.Option(help="keys, equipment, feed, content, weakened or devices. Again for each."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="DATE", help="Until when it is stated.")
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """State what has never been done, until a day; without options, show what is stated.

    Owner and legal sign it. Nothing renews it: what is not stated anew lapses.
    """
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import directive_forms as forms
    from blackthorn.cli.officer import show
    from blackthorn.errors import UserError
    from blackthorn.governance.warrant_canary import CASE

    device, office = open_decisions(home, key_file)
    if statement is None and until is None:
        shown = office.cases.case(CASE)
        if json:
            terminal.print_json(show.case_document(office, shown))
        elif shown.history:
            show.case(office, shown)
        else:
            show.say("Nothing is stated.")
            show.say_waiting(office, CASE)
        return
    if not statement or until is None:
        raise UserError("say what is stated, by --statement, and for how long, by --until")
    offices.decide(
        device, office, forms.declare(statement, until), offices.OutputOptions(json, yes, dry_run)
    )
