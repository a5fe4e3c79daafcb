"""What must hold of numbered rules: the code checks each one, and a test breaks exactly it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class NumberedRules:
    """Rules by number, the code that checks them, and their tests; `number` is a pattern."""

    rules: Mapping[str, str]
    code: Iterable[Path]
    tests: Iterable[Path]
    number: str

    def _found(self, pattern: str, paths: Iterable[Path]) -> set[str]:
        """The numbers in all places of some files that fit a pattern."""
        return {number for path in paths for number in re.findall(pattern, path.read_text())}

    def check_texts(self) -> None:
        assert all(re.fullmatch(self.number, rule) for rule in self.rules)
        assert all(text.endswith(".") and "\n" not in text for text in self.rules.values())
        assert len(set(self.rules.values())) == len(self.rules)

    def check_code(self) -> None:
        paths = [path for path in self.code if path.name != "rules.py"]
        assert self._found(rf'"({self.number})"', paths) == set(self.rules)

    def check_tests(self) -> None:
        """There is a test for each rule, named after it."""
        assert self._found(rf"def test_({self.number})_", self.tests) == set(self.rules)

    def check_expectations(self) -> None:
        """A test that is named after a rule expects that rule."""
        for path in self.tests:
            for body in re.split(r"\n(?=def |@)", path.read_text()):
                match = re.search(rf"def test_({self.number})_", body)
                if match is not None:
                    expected = set(re.findall(rf'"({self.number})"', body))
                    assert match[1] in expected, f"{path.name}: {match[0]} expects {expected}"
