"""Options shared by the officers' commands."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from blackthorn.cli.options import DeviceOptions, program

if TYPE_CHECKING:
    from blackthorn.device.transparency.decisions import VerifiedDecisions
    from blackthorn.programs.device.program import DeviceProgram

YesOption = Annotated[bool, Option("--yes", help="Sign without asking.")]
DryRunOption = Annotated[
    bool, Option("--dry-run", help="Show the decision and the affected accounts without signing.")
]
ReplaceOption = Annotated[
    bool, Option("--replace", help="Propose it in place of another decision that waits.")
]
DirectiveArgument = Annotated[str, Argument(metavar="ID", help="The directive, such as D-000001.")]
MarketArgument = Annotated[str, Argument(metavar="CC", help="The market, such as PK.")]


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """Print JSON, do not ask, only show, or replace what waits."""

    json: bool = False
    yes: bool = False
    dry_run: bool = False
    replace: bool = False


def open_decisions(at: DeviceOptions) -> "tuple[DeviceProgram, VerifiedDecisions]":
    """The unlocked device, and its verified decisions."""
    from blackthorn.programs.device import officer
    from blackthorn.programs.event_loop import run

    device = program(at)
    return device, run(officer.load_decisions(device))
