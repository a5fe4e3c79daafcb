"""Bars for the page: lengths as per cent, so that the drawing needs no script and no scaling."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

LINE_PX: Final = 44
"""Height of a bar with the line of text above it."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A part of a bar: where it begins and how long it is, in per cent, and its class."""

    start: str
    length: str
    style: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: its label, its number, and where it stands, in pixels from the top."""

    label: str
    value: int
    top: int
    segments: tuple[Segment, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """`name` is unique on the page: the ids of title and description are made of it."""

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
    """To a hundredth, in whole numbers: the same on every machine."""
    hundredths = value * 10_000 // most
    return f"{hundredths // 100}.{hundredths % 100:02}%"
