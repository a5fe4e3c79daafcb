"""Bar charts with lengths in per cent, so that they need no script."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LINE_PX: Final = 44
"""Height of a bar with its label."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: start and length in per cent, and its CSS class."""

    start: str
    length: str
    style: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar; `top` is in pixels."""

    label: str
    value: int
    top: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """`name` is unique on the page and the base of element ids."""

    name: str
    title: str
    text: str
    bars: tuple[Bar, ...]

    @property
    def height(self) -> int:
        """In pixels."""
        return LINE_PX * len(self.bars)


def chart(
    name: str, title: str, rows: Sequence[tuple[str, int, Sequence[tuple[str, int]]]]
) -> Chart:
    """A chart of (label, number, [(style, part of the number), …])."""
    most = max((value for _, value, _ in rows), default=0) or 1
    bars = [
        Bar(label, value, at * LINE_PX, tuple(_segments(parts, most)))
        for at, (label, value, parts) in enumerate(rows)
    ]
    text = "; ".join(f"{label}: {value:,}" for label, value, _ in rows)
    return Chart(name, title, f"{text}.", tuple(bars))


def _segments(parts: Sequence[tuple[str, int]], most: int) -> list[Segment]:
    found, begin = [], 0
    for style, value in parts:
        if value:
            found.append(Segment(_percent(begin, most), _percent(value, most), style))
        begin += value
    return found


def _percent(value: int, most: int) -> str:
    """Two decimals by integer arithmetic, equal on every machine."""
    hundredths = value * 10_000 // most
    return f"{hundredths // 100}.{hundredths % 100:02}%"
