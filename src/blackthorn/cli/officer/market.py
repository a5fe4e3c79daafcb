"""Commands of the family `market`: leaving a country in good order, by two people's decisions."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from blackthorn.cli.device import market as market_person_cli
from blackthorn.cli.officer import market_show, options
from blackthorn.cli.officer.options import (
    DEFAULT_HOME,
    DryRunOption,
    HomeOption,
    JsonOption,
    KeyFileOption,
    MarketArgument,
    YesOption,
    open_decisions,
)

if TYPE_CHECKING:
    from collections.abc import Mapping


market = typer.Typer(help="Leave a market: plan, announce, stop, close.", no_args_is_help=True)
market.command("sign")(options.sign)
market_show.add_to(market)
market_person_cli.add_to(market)

DocumentOption = Annotated[Path, typer.Option(help="The document that says so; it is hashed.")]
ReasonOption = Annotated[str, typer.Option(help="Why. Published.")]
CompelledOption = Annotated[
    Path | None, typer.Option(help="The document that compels a shorter notice; it is hashed.")
]


def _date(says: str) -> Any:
    return typer.Option(metavar="DATE", help=says)


Announce = Annotated[str | None, _date("When people are told. Default: now.")]
Activations = Annotated[str | None, _date("From when nobody is added. Default: when told.")]
ReadOnly = Annotated[str | None, _date("Default: 14 days before the stop.")]
RetrievalEnd = Annotated[str | None, _date("Default: 30 days after the stop.")]
BackupsEnd = Annotated[str | None, _date("Default: 180 days after the retrieval.")]
ForwardingEnd = Annotated[str | None, _date("Default: 365 days after the stop.")]


def register(app: typer.Typer) -> None:
    """Add this family's commands to `app`."""
    app.add_typer(market, name="market")


@market.command("plan")
def plan(
    name: MarketArgument,
    reason: ReasonOption,
    stop: Annotated[str, _date("When the service ends.")],
    announce: Announce = None,
    activations_end: Activations = None,
    read_only: ReadOnly = None,
    retrieval_end: RetrievalEnd = None,
    backups_end: BackupsEnd = None,
    forwarding_end: ForwardingEnd = None,
    no_notice: Annotated[
        bool, typer.Option("--no-notice", help="There is no time to tell people before.")
    ] = False,
    compelled: CompelledOption = None,
    directive: Annotated[
        str | None, typer.Option(metavar="ID", help="The directive that is the reason.")
    ] = None,
    concerned: Annotated[
        Path | None,
        typer.Option("--list", metavar="FILE", help="The users' addresses, one in a line."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Plan to leave a market: who is concerned, why, and the date of each step.

    At least 30 days of notice and 30 of retrieval, unless a document compels otherwise.
    """
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import market_forms as forms
    from blackthorn.cli.officer.fields import given, hash_of, parse_market
    from blackthorn.programs.device.home import wall_ms

    code = parse_market(name)
    dates = forms.dates_of(
        announce, activations_end, read_only, stop, retrieval_end, backups_end, forwarding_end
    )
    said = given(
        reason=reason,
        directive=directive,
        no_notice=1 if no_notice else None,
        compelled=hash_of(compelled) if compelled else None,
    )
    listed = forms.listed(concerned) if concerned is not None else None
    device, office = open_decisions(home, key_file)
    who = listed or offices.concerned(device, code)
    form = forms.plan(office, code, said, dates, who, wall_ms())
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


# --- Changing the plan ----------------------------------------------------------------------


@market.command("extend")
def extend(
    name: MarketArgument,
    document: DocumentOption,
    stop: Annotated[str | None, _date("When the service ends.")] = None,
    activations_end: Activations = None,
    read_only: ReadOnly = None,
    retrieval_end: RetrievalEnd = None,
    backups_end: BackupsEnd = None,
    forwarding_end: ForwardingEnd = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Put dates off. What hangs on the stop moves along with it, unless it is given."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import market_forms as forms
    from blackthorn.cli.officer.fields import hash_of, parse_market

    device, office = open_decisions(home, key_file)
    case = forms.case_of(office, parse_market(name))
    dates = forms.dates_of(
        None, activations_end, read_only, stop, retrieval_end, backups_end, forwarding_end
    )
    form = forms.move_dates(case, "extend", dates, {"document": hash_of(document)})
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


@market.command("accelerate")
def accelerate(
    name: MarketArgument,
    document: DocumentOption,
    compelled: CompelledOption = None,
    stop: Annotated[str | None, _date("When the service ends.")] = None,
    announce: Announce = None,
    activations_end: Activations = None,
    read_only: ReadOnly = None,
    retrieval_end: RetrievalEnd = None,
    backups_end: BackupsEnd = None,
    forwarding_end: ForwardingEnd = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Bring dates forward. What hangs on the stop moves along with it, unless it is given."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import market_forms as forms
    from blackthorn.cli.officer.fields import hash_of, parse_market

    device, office = open_decisions(home, key_file)
    case = forms.case_of(office, parse_market(name))
    dates = forms.dates_of(
        announce, activations_end, read_only, stop, retrieval_end, backups_end, forwarding_end
    )
    said: dict[str, Any] = {"document": hash_of(document)}
    if compelled is not None:
        said["compelled"] = hash_of(compelled)
    form = forms.move_dates(case, "accelerate", dates, said)
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


@market.command("rescind")
def rescind(
    name: MarketArgument,
    document: DocumentOption,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Stay after all: service goes on. Possible until the destruction begins."""
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import market_forms as forms
    from blackthorn.cli.officer.fields import parse_market

    device, office = open_decisions(home, key_file)
    case = forms.case_of(office, parse_market(name))
    form = forms.document(case, "rescind", document)
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))


@market.command("hold")
def hold(
    name: MarketArgument,
    reason: ReasonOption,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """A legal hold: no step of the exit until it is released."""
    _reason(name, "hold", reason, home, key_file, (json, yes, dry_run))


@market.command("release")
def release(
    name: MarketArgument,
    reason: ReasonOption,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """End a legal hold."""
    _reason(name, "release", reason, home, key_file, (json, yes, dry_run))


def _reason(
    name: str,
    action: str,
    reason: str,
    home: Path,
    key_file: Path | None,
    output: tuple[bool, bool, bool],
) -> None:
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import market_forms as forms
    from blackthorn.cli.officer.fields import parse_market

    device, office = open_decisions(home, key_file)
    case = forms.case_of(office, parse_market(name))
    offices.decide(
        device, office, forms.reason(case, action, reason), offices.OutputOptions(*output)
    )


# --- Going on -------------------------------------------------------------------------------


@market.command("approve")
def approve(
    name: MarketArgument,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Decide the plan."""
    _step(name, {"draft": "approve"}, home, key_file, (json, yes, dry_run))


@market.command("announce")
def announce_exit(
    name: MarketArgument,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Tell everybody concerned, by message and mail."""
    _step(name, {"approved": "announce"}, home, key_file, (json, yes, dry_run))


@market.command("drain")
def drain(
    name: MarketArgument,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """No new activations; called again when its day has come, read-only (the action freeze)."""
    from blackthorn.cli.officer.market_forms import DRAIN

    _step(name, DRAIN, home, key_file, (json, yes, dry_run))


@market.command("stop")
def stop_service(
    name: MarketArgument,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """End the service; called again, people may fetch what is theirs (the action retrieve)."""
    from blackthorn.cli.officer.market_forms import STOP, STOP_AT_ONCE

    _step(name, STOP, home, key_file, (json, yes, dry_run), STOP_AT_ONCE)


def _step(
    name: str,
    ways: "Mapping[str, str]",
    home: Path,
    key_file: Path | None,
    output: tuple[bool, bool, bool],
    without_notice: "Mapping[str, str] | None" = None,
) -> None:
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import market_forms as forms
    from blackthorn.cli.officer.fields import parse_market

    device, office = open_decisions(home, key_file)
    case = forms.case_of(office, parse_market(name))
    if without_notice is not None and case.last("plan").get("no_notice"):
        ways = without_notice
    offices.decide(device, office, forms.step(case, ways), offices.OutputOptions(*output))


@market.command("close")
def close(
    name: MarketArgument,
    facts: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="What the closure has counted, as JSON."),
    ] = None,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Prepare the closure; called again, destroy; called again, close.

    Until the second nothing is destroyed. Destroying and closing are signed by two custodians,
    with the numbers that the server's closure has counted.
    """
    from blackthorn.cli.officer import decide as offices
    from blackthorn.cli.officer import market_forms as forms
    from blackthorn.cli.officer.fields import parse_market, read_json

    device, office = open_decisions(home, key_file)
    case = forms.case_of(office, parse_market(name))
    counted = read_json(facts) if facts is not None else offices.counted(device, case.id[2:4])
    form = forms.closing(case, counted)
    offices.decide(device, office, form, offices.OutputOptions(json, yes, dry_run))
