"""Options and endings that the officers' command families share."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from blackthorn.cli import terminal
from blackthorn.cli.options import DEFAULT_HOME, HomeOption, JsonOption, KeyFileOption

if TYPE_CHECKING:
    from blackthorn.device.transparency.decisions import VerifiedDecisions
    from blackthorn.programs.device.program import DeviceProgram

__all__ = ["DEFAULT_HOME", "HomeOption", "JsonOption", "KeyFileOption"]

YesOption = Annotated[bool, typer.Option("--yes", help="Sign without asking.")]
DryRunOption = Annotated[
    bool, typer.Option("--dry-run", help="Only show what would be signed, and whom it concerns.")
]
DirectiveArgument = Annotated[
    str, typer.Argument(metavar="ID", help="The directive, such as D-000001.")
]
MarketArgument = Annotated[str, typer.Argument(metavar="CC", help="The market, such as PK.")]
CaseArgument = Annotated[
    str, typer.Argument(metavar="CASE", help="Such as D-000001, X-PK-1, officers or canary.")
]


def open_decisions(home: Path, key_file: Path | None) -> "tuple[DeviceProgram, VerifiedDecisions]":
    """The unlocked device, and all decisions as it has verified them."""
    from blackthorn.cli.officer import decide
    from blackthorn.cli.options import program

    device = program(home, key_file)
    return device, decide.look(device)


def sign(
    case: CaseArgument,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Show in full what waits in a case, and add your approval to it."""
    from blackthorn.cli.officer import decide
    from blackthorn.cli.options import program

    decide.sign(program(home, key_file), case, decide.OutputOptions(json, yes, dry_run))


def show(
    case: CaseArgument,
    home: HomeOption = DEFAULT_HOME,
    key_file: KeyFileOption = None,
    json: JsonOption = False,
) -> None:
    """Show a case: every step of it with its officers, and what waits."""
    from blackthorn.cli.officer import show as office_show
    from blackthorn.errors import UserError

    _, found = open_decisions(home, key_file)
    known = found.cases.case(case)
    if not known.history and case not in found.waiting:
        raise UserError(f"there is no case {case}")
    if json:
        terminal.print_json(office_show.case_document(found, known))
    else:
        office_show.case(found, known)
