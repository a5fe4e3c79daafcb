"""Errors: a person reads what happened first, and the number of the rule last."""

import ast
import re
from pathlib import Path

import blackthorn
from blackthorn.errors import VerificationError


def test_the_number_of_a_broken_rule_stands_last_in_brackets() -> None:
    error = VerificationError("I40", "the certificate is another one")
    assert str(error) == "the certificate is another one [I40]"
    assert (error.rule, error.text) == ("I40", "the certificate is another one")


def test_no_text_of_an_error_begins_with_a_number_of_a_rule() -> None:
    """`VerificationError` sets it, and nothing else does."""
    found = []
    for path in Path(blackthorn.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                for text in ast.walk(node.exc):
                    value = text.value if isinstance(text, ast.Constant) else None
                    if isinstance(value, str) and re.match(r"\[?[A-Z]{1,2}[0-9]+\]?[ :]", value):
                        found.append(f"{path.name}:{node.lineno}")
    assert found == []
