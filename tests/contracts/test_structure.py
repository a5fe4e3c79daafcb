"""What import contracts cannot say of the tree: sizes, laws of folders, kinds of errors, loops.

The rules are those of ARCHITECTURE.md. Nothing is exempt but what is named here with its reason.
"""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from tests.docs.pages import ROOT

SOURCE = ROOT / "src" / "blackthorn"

MAX_MODULE_LINES = 400
MAX_MODULES = 20
MAX_FUNCTION_LINES = 70
LAW_LINES = range(1, 26)

BARE_ERRORS = {"BlackthornError", "StorageError", "RefusalError"}
"""Roots of kinds: code raises one of the kinds below them, so that an edge can tell them apart."""

ENGINES = ("mls", "mail", "link", "identity", "directory", "tlog", "crypto", "wire", "report")

LOOPS = {
    "programs/periodic.py": "the one loop of background work",
    "programs/device/program.py": "a command in the foreground that waits for its answers",
}
"""Modules in which a loop may sleep."""

TASKS = {
    "programs/periodic.py": "the supervisor of all background work",
    "programs/device/pairing.py": "a question to the person while the link goes on, then awaited",
    "edges/dns/resolver.py": "one question that several callers await, bounded in time",
    "edges/http/server.py": "one HTTP server, whose end is reported",
    "edges/listening.py": "the TLS handshake of one accepted socket, bounded in time",
    "edges/sealing/pool.py": "the dialogue with one worker, whose end the pool handles",
}
"""Modules that may make a task."""

ATOMIC = "storage/files/atomic.py"
"""The one module that renames files and syncs them. SQLite does so itself, in its own library."""


def modules() -> list[Path]:
    return sorted(path for path in SOURCE.rglob("*.py"))


def folders() -> list[Path]:
    return sorted({path.parent for path in modules()})


def named(path: Path) -> str:
    return str(path.relative_to(SOURCE)) if path != SOURCE else "blackthorn"


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def lines_of(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def raised(path: Path) -> set[str]:
    """The names of exceptions that a module raises by a call of their own name."""
    return {
        node.exc.func.id
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
    }


def sleeping_loops(module: ast.Module) -> list[int]:
    """The lines of `while` loops that wait by `asyncio.sleep` for a time."""
    return [
        loop.lineno
        for loop in ast.walk(module)
        if isinstance(loop, ast.While)
        for node in ast.walk(loop)
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) == "asyncio.sleep"
        and ast.unparse(node.args[0]) != "0"
    ]


def calls(module: ast.Module, *names: str) -> list[int]:
    """The lines of calls of functions or methods with one of these names."""
    return [
        node.lineno
        for node in ast.walk(module)
        if isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in names
    ]


OS_CALLS = {f"os.{name}" for name in ("rename", "renames", "replace", "fsync", "fdatasync")}


def renames(module: ast.Module) -> list[int]:
    """The lines that rename a file or sync one: functions of `os`, or methods of a path.

    A path's methods have one argument; those of other things have two, or name fields.
    """
    return [
        node.lineno
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and not node.keywords
        and (
            ast.unparse(node.func) in OS_CALLS | {"shutil.move"}
            or (node.func.attr in ("rename", "replace") and len(node.args) == 1)
        )
    ]


def test_no_module_is_too_long() -> None:
    counts = {named(path): len(path.read_text("utf-8").splitlines()) for path in modules()}
    too_long = {name: count for name, count in counts.items() if count > MAX_MODULE_LINES}
    assert not too_long


def test_no_function_is_too_long() -> None:
    too_long = {
        f"{named(path)}::{function.name}": lines_of(function)
        for path in modules()
        for function in functions(path)
        if lines_of(function) > MAX_FUNCTION_LINES
    }
    assert not too_long


@pytest.mark.parametrize("folder", folders(), ids=named)
def test_a_folder_is_small_and_states_its_law(folder: Path) -> None:
    beside = [path.name for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(beside) <= MAX_MODULES, f"{named(folder)} has {len(beside)} modules: split it"
    law = ast.get_docstring(tree(folder / "__init__.py")) or ""
    assert len(law.splitlines()) in LAW_LINES, f"{named(folder)}/__init__.py states no law"


def test_errors_say_which_kind_they_are() -> None:
    bare = {named(path): raised(path) & BARE_ERRORS for path in modules()}
    assert not {name: kinds for name, kinds in bare.items() if kinds}


def test_only_periodic_work_loops() -> None:
    loops = {named(path): sleeping_loops(tree(path)) for path in modules()}
    assert not {name: lines for name, lines in loops.items() if lines and name not in LOOPS}
    assert all(loops.get(name) for name in LOOPS), "a module in LOOPS loops no more: take it out"


def test_only_the_supervisor_makes_tasks() -> None:
    made = {named(path): calls(tree(path), "create_task", "ensure_future") for path in modules()}
    assert not {name: lines for name, lines in made.items() if lines and name not in TASKS}
    assert all(made.get(name) for name in TASKS), "a module in TASKS makes no more: take it out"


def test_one_module_renames_and_syncs_files() -> None:
    found = {named(path): renames(tree(path)) for path in modules()}
    assert found.pop(ATOMIC)
    assert not {name: lines for name, lines in found.items() if lines}


def test_engines_have_no_coroutines() -> None:
    asynchronous = {
        f"{named(path)}::{function.name}"
        for engine in ENGINES
        for path in (SOURCE / engine).rglob("*.py")
        for function in functions(path)
        if isinstance(function, ast.AsyncFunctionDef)
    }
    assert not asynchronous


def test_the_checks_see() -> None:
    sample = ast.parse("while True:\n    step()\n    await asyncio.sleep(wait)\n")
    assert sleeping_loops(sample) == [1]
    assert sleeping_loops(ast.parse("while True:\n    await asyncio.sleep(0)\n")) == []
    assert "VerificationError" in raised(SOURCE / "tlog" / "verify.py")
    sample = ast.parse("loop.create_task(work())\nasyncio.create_task(work())\n")
    assert calls(sample, "create_task") == [1, 2]
    sample = ast.parse("os.fsync(file)\npart.rename(path)\npart.replace(path)\nname.replace(a, b)")
    assert renames(sample) == [1, 2, 3]


def test_migrations_of_the_server_are_numbered_once_each() -> None:
    """Of two with one number only the first would ever be applied."""
    names = sorted(path.name for path in (SOURCE / "storage/sqlite/migrations").glob("*.sql"))
    numbers = [int(name.partition("_")[0]) for name in names]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))
