"""A group of commands that imports a command's module only when that command runs.

Help and completion need names and first lines only; they come from a table. tests/unit/test_lazy.py
compares the table with the commands.
"""

import sys
from collections.abc import Iterator, Mapping, MutableMapping
from dataclasses import dataclass
from importlib import import_module
from types import ModuleType
from typing import Any, ClassVar, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_group


@dataclass(frozen=True, slots=True)
class LazyCommand:
    """The module whose `register(app)` adds the command or family, and its help's first line."""

    module: str
    help: str


class LazyCommands(Mapping[str, Any]):
    """Commands by name, in the order of the table; each is imported when it is looked up."""

    def __init__(self, table: Mapping[str, LazyCommand]) -> None:
        self._table = table
        self._imported: dict[str, Mapping[str, Any]] = {}

    def __getitem__(self, name: str) -> Any:
        module = self._table[name].module
        if module not in self._imported:
            app = typer.Typer()
            import_module(module).register(app)
            self._imported[module] = get_group(app).commands
        return self._imported[module][name]

    def __contains__(self, name: object) -> bool:
        return name in self._table

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)


def _import_rich_help() -> None:
    """Import `typer.rich_utils` without what it imports for Markdown and tracebacks.

    We show neither, and they would be a third of the CPU time of `blackthorn --help`.
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


class LazyGroup(TyperGroup):
    """A group whose commands are those of `table`."""

    table: ClassVar[Mapping[str, LazyCommand]]

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = cast(MutableMapping[str, Any], LazyCommands(self.table))

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Print the help."""
        _import_rich_help()
        super().format_help(ctx, formatter)

    def list_commands(self, ctx: Any) -> list[str]:
        """All names; nothing is imported."""
        return list(self.table)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command for help and completion: its name and first line; nothing is imported."""
        if cmd_name not in self.table:
            return None
        return TyperCommand(cmd_name, help=self.table[cmd_name].help)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that is to run, imported."""
        name, _, rest = super().resolve_command(ctx, args)
        return name, self.commands[name] if name else None, rest
