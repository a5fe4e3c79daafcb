"""`blackthorn report` and `blackthorn audit report`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from blackthorn.cli import options, terminal
from blackthorn.errors import InputError, SecurityError, UserError
from blackthorn.wire.words import count

if TYPE_CHECKING:
    from blackthorn.audit.published_report import Verdict


def report(
    source: Annotated[
        str, Option("--from", metavar="URL|DIR", envvar="BLACKTHORN_DIR", help=options.LEDGER_HELP)
    ],
    period: Annotated[
        str | None,
        Option(help="2015, 2015H2 or 2015Q3; without it, the half year of the last epoch."),
    ] = None,
    out: Annotated[
        Path | None,
        Option(metavar="FOLDER", help="Write page, JSON, CSV and feed into this folder."),
    ] = None,
    policy: options.LedgerPolicyOption = None,
    as_json: Annotated[bool, Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Make the transparency report of a period from the public ledger alone."""
    from blackthorn.audit.report import no_head, read_log, write
    from blackthorn.cli.audit.progress import progress_bar
    from blackthorn.report.document import document, encode
    from blackthorn.report.figures import compute
    from blackthorn.report.files import make
    from blackthorn.report.period import half_year, parse_period

    try:
        wanted = None if period is None else parse_period(period)
    except InputError as error:
        raise UserError(f"--period: {error}") from None
    with progress_bar() as progress:
        read = read_log(source, policy, progress, no_head)
    chosen = wanted or half_year(read.stand.unix_ms)
    if out is not None:
        write(out, make(read.stand, chosen, read.policy))
    value = document(compute(read.stand, chosen), read.stand, read.policy)
    if as_json:
        terminal.print_document(encode(value).decode())
    else:
        print_report(value)


def print_report(value: dict[str, Any]) -> None:
    """Print a report's JSON value as tables and bars."""
    from blackthorn.report.counting import OUTCOMES

    totals, ledger = value["totals"], value["ledger"]
    title = f"{value['enterprise']}, {value['period']['name']}"
    outcomes = terminal.Table("outcome", "directives", "", title=title, right=("directives",))
    most = max(totals[name] for name in OUTCOMES)
    for name, text in OUTCOMES.items():
        outcomes.add_row(text, str(totals[name]), _bar(totals[name], most))
    outcomes.add_section()
    outcomes.add_row("Received", str(totals["received"]), "")
    outcomes.show()
    columns = {
        "received": "received",
        "complied_in_whole": "in whole",
        "complied_in_part": "in part",
        "refused": "refused",
        "accounts_named": "accounts",
        "accounts_with_data": "with data",
    }
    for title, rows in (("country", value["by_country"]), ("kind", value["by_kind"])):
        headings = columns.values()
        table = terminal.Table(title, *headings, right=headings)
        for row, counts in rows.items():
            table.add_row(row, *(str(counts[name]) for name in columns))
        table.show()
    for each in value["exits"]:
        terminal.say(f"Market {each['market']}: {each['state']}, {count(each['users'], 'user')}")
    until = value["canary"]["valid_until_ms"]
    stated = sum(each["state"] == "stated" for each in value["canary"]["statements"])
    terminal.say(f"Statements of what was never done: {stated if until else 'none'} valid")
    terminal.say(f"Ledger: {ledger['size']} entries, {ledger['time']}")
    terminal.say(f"root {ledger['root']}")


def _bar(value: int, most: int) -> str:
    return "█" * (20 * value // most) if most else ""


def audit_report(
    target: Annotated[
        str,
        Argument(
            metavar="FILE|DIR|URL",
            help="A file of a report, a folder of them, or an address such as "
            "https://HOST/report/2015H2.",
        ),
    ],
    ledger: options.LedgerOption,
    policy: options.LedgerPolicyOption = None,
    as_json: Annotated[bool, Option("--json", help="Print the result as JSON.")] = False,
) -> None:
    """Compute a transparency report again from the ledger, and name each number that differs.

    Exits with 4 if the report or the ledger differs.
    """
    from blackthorn.audit.published_report import check
    from blackthorn.cli.audit.progress import progress_bar

    with progress_bar() as progress:
        verdict = check(target, ledger, policy, progress)
    if as_json:
        terminal.print_json(verdict.as_json())
    else:
        print_verdict(verdict)
    if not verdict.holds:
        number = sum(map(len, verdict.files.values()))
        raise SecurityError(f"the report is not what the ledger gives: differences: {number}")


def print_verdict(verdict: "Verdict") -> None:
    for name, found in verdict.files.items():
        terminal.say(f"{name}: {'differs' if found else 'as the ledger gives it'}")
        for line in found:
            terminal.say(f"  {line}")
    terminal.say(f"The ledger's {verdict.entries} entries were read and checked.")
