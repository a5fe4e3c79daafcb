"""What a benchmark says: named figures with units and goals."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Figure:
    """One measured value. `at_least` or `at_most` is its goal, if it has one."""

    key: str
    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    def _format(self, value: float) -> str:
        number = f"{value:,.0f}" if value >= 100 else f"{value:.2f}"
        return f"{number} {self.unit}"

    def text(self) -> str:
        """The value with its unit."""
        return self._format(self.value)

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
