"""What a benchmark says: named figures with units and goals."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Figure:
    """One measured value. `at_least` or `at_most` is its goal, if it has one.

    `beside` is the same measured of other programs in the same run.
    """

    key: str
    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None
    beside: Mapping[str, float] = field(default_factory=dict)

    def _format(self, value: float) -> str:
        number = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
        return f"{number} {self.unit}"

    def text(self) -> str:
        """The value with its unit."""
        return self._format(self.value)

    def text_beside(self, other: str) -> str:
        """The same of another program, empty when it has none."""
        return self._format(self.beside[other]) if other in self.beside else ""

    def values(self) -> dict[str, float]:
        """The value by its key, and the others' by the key and `@` their name."""
        others = {f"{self.key}@{other}": value for other, value in self.beside.items()}
        return {self.key: self.value, **others}

    def verdict(self) -> tuple[str, str]:
        """The goal, and `yes` or `no`; both empty without a goal."""
        if self.at_least is not None:
            return (
                f"≥ {self._format(self.at_least)}",
                "yes" if self.value >= self.at_least else "no",
            )
        if self.at_most is not None:
            return f"≤ {self._format(self.at_most)}", "yes" if self.value <= self.at_most else "no"
        return "", ""


Figures = list[Figure]
