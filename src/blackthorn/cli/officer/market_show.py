"""Commands of the family `market` that only show: the state of an exit, and all of them."""

import typer

from blackthorn.cli import terminal
from blackthorn.cli.officer.options import (
    DEFAULT_HOME,
    HomeOption,
    JsonOption,
    KeyFileOption,
    MarketArgument,
    open_decisions,
)


def add_to(market: typer.Typer) -> None:
    """Add these commands to the family."""
    market.command("status")(status)
    market.command("list")(list_exits)


def status(
    name: MarketArgument,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show a market's exit: its dates, every step, and what waits."""
    from blackthorn.cli.officer import show
    from blackthorn.cli.officer.fields import parse_market
    from blackthorn.errors import UserError
    from blackthorn.governance import exits

    code = parse_market(name)
    _, office = open_decisions(home, key_file)
    case = office.cases.exit_of(code)
    following = office.cases.next_exit(code)
    if case is None and following not in office.waiting:
        raise UserError(f"there is no exit of {code}: its service goes on")
    if json:
        shown = case if case is not None else office.cases.case(following)
        dates = show.fields_document(exits.dates(shown))
        terminal.print_json({**show.case_document(office, shown), "dates": dates})
        return
    if case is not None:
        show.case(office, case)
        show.say("The dates that hold now:")
        show.say_fields(exits.dates(case))
    if following in office.waiting:
        show.say_waiting(office, following)


def list_exits(
    home: HomeOption = DEFAULT_HOME, key_file: KeyFileOption = None, json: JsonOption = False
) -> None:
    """List the exits with state, hold, users, dates and what waits."""
    from blackthorn.cli.officer import show

    _, office = open_decisions(home, key_file)
    found = office.cases.exits
    if json:
        terminal.print_json([show.case_document(office, each) for each in found])
        return
    rows = [show.exit_row(office, each) for each in found]
    show.table(show.EXIT_TITLES, rows, "No market is being left.")
    for case in sorted(each for each in office.waiting if each.startswith("X-")):
        if not office.cases.case(case).history:
            show.say_waiting(office, case)
