"""Build the officers' commands from the forms of `governance`: one option for each input.

All of them also get the device's options, `--yes`, `--dry-run`, `--replace` and `--json`.
"""

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

from typer import Argument, Option, Typer

from blackthorn.cli.officer.options import (
    DryRunOption,
    OutputOptions,
    ReplaceOption,
    YesOption,
    open_decisions,
)
from blackthorn.cli.options import DeviceOptions, JsonOption, on_device, parameter
from blackthorn.governance.requests import Input, RequestForm

if TYPE_CHECKING:
    from blackthorn.device.transparency.decisions import VerifiedDecisions
    from blackthorn.programs.device.program import DeviceProgram

CaseArgument = Annotated[
    str, Argument(metavar="CASE", help="Such as D-000001, X-PK-1, officers, ledger or canary.")
]

_TYPES: Final[dict[str, tuple[Any, str | None]]] = {
    "text": (str, None),
    "choice": (str, None),
    "count": (int, None),
    "time": (str, "DATE"),
    "country": (str, "CC"),
    "hash": (Path, None),
    "list": (list[str], None),
}
"""Type of a field → type and placeholder of its option."""


def file_parameter(name: str, metavar: str, text: str) -> Any:
    """An option `--name` that names a file."""
    option = Option(f"--{name}", metavar=metavar, help=text)
    return parameter(name, Annotated[Path | None, option], None)


_COMMON: Final = (
    parameter("at", DeviceOptions),
    parameter("yes", YesOption, False),
    parameter("dry_run", DryRunOption, False),
    parameter("replace", ReplaceOption, False),
    parameter("json", JsonOption, False),
)


@dataclass(frozen=True, slots=True)
class Invocation:
    """One call of a command; `values` are its parameters by name."""

    values: dict[str, Any]

    @property
    def output(self) -> OutputOptions:
        given = ("json", "yes", "dry_run", "replace")
        return OutputOptions(*(self.values[name] for name in given))

    def open(self) -> "tuple[DeviceProgram, VerifiedDecisions]":
        """The unlocked device, and its verified decisions."""
        return open_decisions(self.values["at"])

    def input(self, name: str) -> Any:
        """The value of an input's option, or None."""
        return self.values[_key(name)]

    def entered(self, form: RequestForm) -> dict[str, Any]:
        """The entered values by input name, with files read."""
        from blackthorn.cli.officer.fields import read_file

        found: dict[str, Any] = {}
        for entry in form.inputs:
            value = self.input(entry.name)
            if value is None or value is False or value == []:
                continue
            found[entry.name] = read_file(value) if isinstance(value, Path) else value
        return found


def add(
    family: Typer,
    name: str,
    text: str,
    run: Callable[[Invocation], None],
    parameters: Iterable[Any],
) -> None:
    """Add the command `name` with the help `text` to a family of commands."""

    def command(**values: Any) -> None:
        run(Invocation(values))

    command.__doc__ = text
    command.__signature__ = inspect.Signature([*parameters, *_COMMON])  # type: ignore[attr-defined]
    family.command(name)(on_device(command))


def options_of(form: RequestForm) -> list[Any]:
    return [_option(form, entry) for entry in form.inputs]


def _option(form: RequestForm, entry: Input) -> Any:
    spec = form.spec(entry)
    kind, metavar = _TYPES[spec.kind]
    flag = spec.kind == "count" and spec.most == 1
    option = Option(
        f"--{entry.name}",
        metavar=entry.placeholder or metavar,
        help=form.help_of(entry),
        min=spec.least if spec.kind == "count" and not flag else None,
        show_default=True if entry.preset is None else str(entry.preset),
    )
    if flag:
        return parameter(_key(entry.name), Annotated[bool, option], False)
    if entry.required:
        return parameter(_key(entry.name), Annotated[kind, option])
    return parameter(_key(entry.name), Annotated[kind | None, option], None)


def _key(name: str) -> str:
    return f"input_{name.replace('-', '_')}"


@on_device
def sign(
    case: CaseArgument,
    at: DeviceOptions,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    json: JsonOption = False,
) -> None:
    """Show the pending decision of a case in full, and add your approval."""
    from blackthorn.cli.officer import decide

    device, decisions = open_decisions(at)
    decide.sign(device, decisions, case, OutputOptions(json, yes, dry_run))
