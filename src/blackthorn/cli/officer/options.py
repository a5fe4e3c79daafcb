"""Options that the officers' commands share."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from typer import Argument, Option

from blackthorn.cli.options import DeviceOptions, program

if TYPE_CHECKING:
    from blackthorn.device.transparency.decisions import VerifiedDecisions
    from blackthorn.programs.device.program import DeviceProgram

YesOption = Annotated[bool, Option("--yes", help="Sign without asking.")]
DryRunOption = Annotated[
    bool, Option("--dry-run", help="Only show what would be signed, and whom it concerns.")
]
DirectiveArgument = Annotated[str, Argument(metavar="ID", help="The directive, such as D-000001.")]
MarketArgument = Annotated[str, Argument(metavar="CC", help="The market, such as PK.")]


@dataclass(frozen=True, slots=True)
class OutputOptions:
    """How a command behaves: prints JSON, does not ask, only shows."""

    json: bool = False
    yes: bool = False
    dry_run: bool = False


def open_decisions(at: DeviceOptions) -> "tuple[DeviceProgram, VerifiedDecisions]":
    """The unlocked device, and all decisions as it has verified them."""
    from blackthorn.programs.device import officer
    from blackthorn.programs.event_loop import run

    device = program(at)
    return device, run(officer.load_decisions(device))
