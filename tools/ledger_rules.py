"""docs/ledger-rules.md: each rule of notes, log, directory and chains, its checks and its tests.

Read from the sources: a rule is checked where its number stands as a string in the code, and
broken by the tests that carry its number in their names (`test_T7_…`).
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from blackthorn.directory.rules import RULES as DIRECTORY
from blackthorn.identity.rules import RULES as IDENTITY
from blackthorn.tlog.rules import RULES as TLOG

ROOT = Path(__file__).resolve().parent.parent
CODE = ROOT / "src" / "blackthorn"
TESTS = ROOT / "tests"

RULES: Final = {**TLOG, **DIRECTORY, **IDENTITY}

HEAD = """# The rules of the ledger

Every check of signed notes (N), of the log and its checkpoints (T), of witnesses (W), of the
directory and the log's entries (D) and of identity chains (I). Whatever breaks one raises the one
verification error, which carries the rule's number. Each is broken by at least one test.

| rule | what must hold | checked in | broken by |
|---|---|---|---|
"""


def _functions(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.name


@cache
def checked_in() -> dict[str, set[str]]:
    """For each rule the modules in which its number stands."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in CODE.rglob("*.py"):
        if path.name == "rules.py":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in RULES:
                module = path.relative_to(CODE).with_suffix("")
                found[str(node.value)].add(".".join(module.parts))
    return found


@cache
def broken_by() -> dict[str, set[str]]:
    """For each rule the tests that are named after it."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in TESTS.rglob("test_*.py"):
        for name in _functions(path):
            _, _, rest = name.partition("test_")
            rule = rest.split("_")[0]
            if rule in RULES:
                found[rule].add(f"{path.name}::{name}")
    return found


def render() -> str:
    """The document."""
    rows = []
    for rule, text in RULES.items():
        code = "<br>".join(f"`{each}`" for each in sorted(checked_in()[rule]))
        tests = "<br>".join(f"`{each}`" for each in sorted(broken_by()[rule]))
        rows.append(f"| {rule} | {text} | {code} | {tests} |")
    return HEAD + "\n".join(rows) + "\n"
