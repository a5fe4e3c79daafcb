"""A command group that imports a command's module only when the command runs.

Help and completion use a table of names and first lines, which tests/unit/test_lazy.py checks.
"""

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from inspect import cleandoc
from types import ModuleType
from typing import Any, ClassVar, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group

from blackthorn.wire.printable import printable


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """The module whose `register(app)` adds the command, the first line of its help, its panel."""

    module: str
    help: str
    panel: str


def _reflow(command: Any) -> None:
    """Join the lines of each paragraph of a command's help, so that the terminal wraps them."""
    if command.help:
        paragraphs = cleandoc(command.help).split("\n\n")
        command.help = "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)
    for inner in getattr(command, "commands", {}).values():
        _reflow(inner)


class LazyCommands(Mapping[str, Any]):
    """Commands by name in the order of the table, imported on lookup."""

    def __init__(self, table: Mapping[str, LazyCommand]) -> None:
        self._table = table
        self._imported: dict[str, Mapping[str, Any]] = {}

    def __getitem__(self, name: str) -> Any:
        module = self._table[name].module
        if module not in self._imported:
            app = typer.Typer()
            import_module(module).register(app)
            commands = self._imported[module] = get_group(app).commands
            for command in commands.values():
                _reflow(command)
        return self._imported[module][name]

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def _import_rich_help() -> None:
    """Import `typer.rich_utils` without its imports for Markdown and tracebacks.

    They are not used and take a third of the CPU time of `blackthorn --help`.
    """
    unused = {"rich.markdown": "Markdown", "rich.traceback": "Traceback"}
    stand_ins = {name: ModuleType(name) for name in unused if name not in sys.modules}
    for name, module in stand_ins.items():
        setattr(module, unused[name], type(unused[name], (), {}))
    sys.modules.update(stand_ins)
    try:
        import_module("typer.rich_utils")
    finally:
        for name in stand_ins:
            del sys.modules[name]


def _name_all_missing(error: typer.BadParameter) -> str:
    """Let the error of a missing parameter name all of them: the parser stops at the first.

    It has read all that were typed by then; others may come from the environment. Returns how to
    give them by it, "" for none.
    """
    ctx: Any = error.ctx
    missing = [
        one
        for one in ctx.command.params
        if one.required and one.name not in ctx.params and one.value_from_envvar(ctx) is None
    ]
    if len(missing) > 1:
        error.param_hint = ", ".join(one.get_error_hint() for one in missing)
        options = all(one.param_type_name == "option" for one in missing)
        error.param_type = "options" if options else "arguments"  # type: ignore[attr-defined]
    variables = [
        f"{one.get_error_hint()} may be the variable {one.envvar}" for one in missing if one.envvar
    ]
    return f"{'; '.join(variables)}." if variables else ""


class LazyGroup(TyperGroup):
    """A group with the commands of `table`."""

    table: ClassVar[Mapping[str, LazyCommand]]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast(MutableMapping[str, Any], LazyCommands(self.table))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        _import_rich_help()
        super().format_help(ctx, formatter)

    def invoke(self, ctx: Any) -> Any:
        """Run the command; what is wrong with its options is told without the parser's words."""
        try:
            return super().invoke(ctx)
        except typer.BadParameter as error:
            if not error.message:  # of a missing parameter alone
                error.message = _name_all_missing(error)
            text = error.message.partition(", unable to parse")[0]
            text = text.replace("a valid integer", "a whole number")
            error.message = printable(text.replace("Input should", "it should"))
            raise

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command for help and completion, without an import."""
        if cmd_name not in self.table:
            return None
        found = self.table[cmd_name]
        return TyperCommand(cmd_name, help=found.help, rich_help_panel=found.panel)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The imported command to run."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, self.commands[name] if name else None, rest
