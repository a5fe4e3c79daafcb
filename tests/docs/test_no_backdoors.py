"""Every promise in docs/no-backdoors.md names tests that hold it, and these tests exist."""

import ast
import re
from functools import cache

import pytest

from tests.docs.pages import ROOT

PAGE = ROOT / "docs" / "no-backdoors.md"
_PROMISE = re.compile(r"^## (\d+)\. (.+)$", re.MULTILINE)
_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def promises() -> dict[str, str]:
    """The text under each numbered promise, by its heading."""
    text = PAGE.read_text(encoding="utf-8")
    parts = _PROMISE.split(text)[1:]
    return {
        f"{number}. {title}": body.split("\n## ")[0]
        for number, title, body in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }


@cache
def functions_of(path: str) -> dict[str, list[str]]:
    """The test functions of one file, each with its decorators as source."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    return {
        node.name: [ast.unparse(decorator) for decorator in node.decorator_list]
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }


@pytest.mark.parametrize("promise", promises())
def test_a_promise_names_tests_that_exist(promise: str) -> None:
    named = _TEST.findall(promises()[promise])
    assert named, f"promise {promise!r} names no test"
    for path, test in named:
        assert (ROOT / path).exists(), f"{path} is not there"
        assert test.startswith("test_") and test in functions_of(path), f"{path} has no {test}"
        switched_off = [
            each for each in functions_of(path)[test] if "skip" in each or "xfail" in each
        ]
        assert not switched_off, f"{path}::{test} may be skipped"


def test_the_promises_are_there() -> None:
    assert len(promises()) >= 8
