"""docs/mls-rules.md: each validation rule of MLS, where it is checked, which forgery breaks it.

Read from the sources themselves: a function that raises with `Rule.X` checks X; a test in
tests/forge that names `Rule.X`, or a row of a table that such a test is parametrised by, breaks X.
"""

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from blackthorn.mls.rules import Rule

ROOT = Path(__file__).resolve().parent.parent
CODE = ROOT / "src" / "blackthorn" / "mls"
FORGE = ROOT / "tests" / "forge"

HEAD = """# The validation rules of MLS

Every check that RFC 9420 asks of who receives something, and that this implementation makes. A
refusal carries the rule that was broken (`error.rule`). For each there is at least one forged
message, right in all else, which is refused for that rule and leaves the state as it was.

| rule | section | what must hold | checked in | forged in `tests/forge` |
|---|---|---|---|---|
"""

ELSEWHERE = (
    (
        "5.3",
        "The end-entity certificate of an X.509 credential has the leaf's signature key.",
        "Certificates are not parsed here: the application's `validate` gets chain and key.",
    ),
    (
        "5.3.1",
        "A new credential is a valid successor of the old one.",
        "The application's `validate` decides: it sees every new credential and its key.",
    ),
    (
        "6.2",
        "An outsider's PublicMessage has no membership tag.",
        "Its encoding has no place for one.",
    ),
    (
        "6.3.2",
        "The sender of a PrivateMessage is a member.",
        "Its encoding has a leaf index and no sender type.",
    ),
    (
        "7.2",
        "Default types are not listed in capabilities.",
        "Asked of who makes a leaf, not of who reads it: a leaf that lists them is accepted.",
    ),
    (
        "7.3",
        "The lifetime of a leaf in a tree that is joined.",
        "Only recommended: a leaf may have expired since it was added. Checked when it is added.",
    ),
    (
        "7.5",
        "A path has a node above each member.",
        "Follows from the path's length: the filtered direct path leaves nobody out.",
    ),
    (
        "8.4",
        "Commit and Welcome name the same PSKs in the same order.",
        "Nobody sees both; another order gives other keys, which the confirmation tags tell.",
    ),
    (
        "9.2",
        "Consumed keys are deleted.",
        "No message can break it; `tests/unit/mls/test_stored_state.py` looks into the state.",
    ),
    (
        "10",
        "The extensions of a key package are listed in its capabilities.",
        "Asked of who makes one; 13.4 tells who reads one to ignore what it does not know.",
    ),
    (
        "11.1",
        "A leaf lists the group's cipher suite.",
        "Its key package names the suite and is signed; published vectors have leaves that do "
        "not list it.",
    ),
    (
        "12.4",
        "Proposals that wait are committed before application data is sent.",
        "Asked of who sends: the application sees `waiting_proposals`.",
    ),
    (
        "12.4.3.1",
        "The group id is new to who joins.",
        "The application knows its groups; `Group.join` says that it must look.",
    ),
)


def _rules(node: ast.AST) -> set[Rule]:
    return {
        Rule[each.attr]
        for each in ast.walk(node)
        if isinstance(each, ast.Attribute)
        and isinstance(each.value, ast.Name)
        and each.value.id == "Rule"
        and each.attr in Rule.__members__
    }


def _functions(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.AST]]:
    for node in body:
        if isinstance(node, ast.ClassDef):
            yield from _functions(node.body, f"{prefix}{node.name}.")
        elif isinstance(node, ast.FunctionDef):
            yield prefix + node.name, node


def checked_in() -> dict[Rule, list[str]]:
    """For each rule the functions that raise it."""
    found: dict[Rule, list[str]] = defaultdict(list)
    for path in sorted(CODE.rglob("*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        for name, node in _functions(module.body):
            for rule in _rules(node):
                found[rule].append(f"{path.stem}.{name}")
        for node in module.body:
            if isinstance(node, ast.AnnAssign) and path.stem != "rules":
                for rule in _rules(node):
                    found[rule].append(path.stem)
    return found


def _tables(module: ast.Module) -> Iterator[tuple[str, str, ast.AST]]:
    for node in module.body:
        if not isinstance(node, ast.AnnAssign) or not isinstance(node.value, ast.Dict):
            continue
        for key, value in zip(node.value.keys, node.value.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(node.target, ast.Name):
                yield node.target.id, str(key.value), value


def _parametrised(module: ast.Module) -> dict[str, list[str]]:
    """For each table the tests that are run for all of its rows."""
    users: dict[str, list[str]] = defaultdict(list)
    for node in module.body:
        if isinstance(node, ast.FunctionDef):
            for decorator in node.decorator_list:
                if isinstance(decorator, ast.Call) and len(decorator.args) == 2:
                    users[ast.unparse(decorator.args[1])].append(node.name)
    return users


def forged_in() -> dict[Rule, list[str]]:
    """For each rule the tests, as pytest names them, that break it."""
    found: dict[Rule, list[str]] = defaultdict(list)
    for path in sorted(FORGE.glob("test_mls_*.py")):
        module = ast.parse(path.read_text(encoding="utf-8"))
        users = _parametrised(module)
        for table, row, value in _tables(module):
            for test in users[table]:
                for rule in _rules(value):
                    found[rule].append(f"{path.stem}.py::{test}[{row}]")
        for name, node in _functions(module.body):
            if name.startswith("test_"):
                for rule in _rules(node):
                    found[rule].append(f"{path.stem}.py::{name}")
    return found


def _cell(items: list[str]) -> str:
    return "<br>".join(f"`{item.replace('|', chr(92) + '|')}`" for item in items)


def render() -> str:
    """The document."""
    code, tests = checked_in(), forged_in()
    rows = [
        f"| {rule.number} {rule.name} | {rule.section} | {rule.text} | {_cell(code[rule])} "
        f"| {_cell(tests[rule])} |"
        for rule in sorted(Rule, key=lambda rule: rule.number)
    ]
    page = HEAD + "\n".join(rows)
    page += "\n\n## What is no check here\n\n| section | requirement | why |\n|---|---|---|\n"
    return page + "\n".join(f"| {a} | {b} | {c} |" for a, b, c in ELSEWHERE) + "\n"
