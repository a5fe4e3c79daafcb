"""One door to the terminal: whatever the program prints passes `wire.printable` first."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).resolve().parents[2] / "src" / "blackthorn"

DOOR = "cli/terminal.py"
MAKER = "wire/printable.py"

STREAMS = {
    DOOR: "the door itself",
    "programs/entry.py": "the one line of an error, which is a Printable",
    "programs/log.py": "JSON in ASCII",
    "programs/witness/serve.py": "its port, as JSON of our own",
    "edges/sealing/worker.py": "a pipe to its parent",
    "programs/device/opening/worker.py": "a pipe to its parent",
    "mls/driver/__main__.py": "a pipe to its parent",
}
"""Modules that may use the standard output or error, and what goes there."""

RICH = {DOOR: "tables and styles", "cli/progress.py": "bars, whose texts have no markup"}
"""Modules that may import rich."""

CONSOLES = {DOOR, "cli/progress.py"}
"""Modules that may use the consoles."""

PASSWORDS = {"programs/device/home.py", "cli/device/export.py"}
"""Modules that ask for a passphrase, with words of our own."""

TYPER = ("echo", "secho", "prompt", "confirm", "style", "launch")


def violations(tree: ast.AST, module: str) -> Iterator[str]:
    """Each way past the door in a module; whether a stream is a terminal may be asked."""
    nodes = list(ast.walk(tree))
    asked = {id(n.value) for n in nodes if isinstance(n, ast.Attribute) and n.attr == "isatty"}
    for node in nodes:
        place = f"{module}:{getattr(node, 'lineno', 0)}"
        match node:
            case ast.Call(func=ast.Name(id="print" | "input" as name)):
                yield f"{place}: {name}()"
            case ast.Call(func=ast.Attribute(attr="print" as name)) if module != DOOR:
                yield f"{place}: .{name}()"
            case ast.Call(func=ast.Name(id="Printable")) if module != MAKER:
                yield f"{place}: a Printable of its own"
            case ast.Call(func=ast.Attribute(attr="getpass")) if module not in PASSWORDS:
                yield f"{place}: getpass"
            case ast.Attribute(value=ast.Name(id="terminal"), attr="out" | "err"):
                if module not in CONSOLES:
                    yield f"{place}: a console"
            case ast.Attribute(value=ast.Name(id="typer"), attr=name) if name in TYPER:
                if module != DOOR:
                    yield f"{place}: typer.{name}"
            case ast.ImportFrom(module="typer", names=names):
                for found in names:
                    if found.name in TYPER:
                        yield f"{place}: typer.{found.name}"
            case ast.Import(names=names) | ast.ImportFrom(names=names):
                origin = getattr(node, "module", None) or names[0].name
                if origin.partition(".")[0] == "rich" and module not in RICH:
                    yield f"{place}: rich"
            case ast.Attribute(value=ast.Name(id="sys"), attr="stdout" | "stderr" as stream):
                if module not in STREAMS and id(node) not in asked:
                    yield f"{place}: sys.{stream}"


def test_nothing_is_printed_past_the_door() -> None:
    found = []
    for path in sorted(SOURCE.rglob("*.py")):
        module = path.relative_to(SOURCE).as_posix()
        found += violations(ast.parse(path.read_text()), module)
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "print(name)",
        "print(name, file=sys.stderr)",
        "sys.stdout.write(name)",
        "sys.stderr.buffer.write(name)",
        "write(text, file=sys.stderr)",
        "console.print(name)",
        "terminal.out.print(name)",
        "console = terminal.err",
        "typer.echo(name)",
        "from typer import Option, secho",
        "from rich.table import Table",
        "import rich.console",
        "Printable(name)",
        "input(name)",
        "getpass.getpass(name)",
    ],
)
def test_the_search_sees(code: str) -> None:
    assert list(violations(ast.parse(code), "cli/new.py"))


def test_every_exception_is_used() -> None:
    for module in (*STREAMS, *RICH, *PASSWORDS):
        assert (SOURCE / module).is_file(), module
        assert list(violations(ast.parse((SOURCE / module).read_text()), "cli/new.py")), module
