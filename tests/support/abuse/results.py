"""What the attacks of this run did: the table of `make abuse`."""

from typing import Final

from tests.support.abuse.ground import Noticed

FOUND: Final[list[tuple[str, Noticed, Noticed]]] = []
"""Attack, what was noticed at rest before it, and under it."""

TOLD_SHOWN = 3


def lines() -> list[str]:
    """The table, or nothing if no attack was run in this process."""
    if not FOUND:
        return []
    head = ("attack", "p99 rest", "p99", "health", "memory", "files", "disk", "lost", "told")
    table = [head, *(_cells(name, rest, under) for name, rest, under in FOUND)]
    widths = [max(len(row[column]) for row in table) for column in range(len(head) - 1)]
    return ["  ".join(_padded(row, widths)).rstrip() for row in table]


def _cells(name: str, rest: Noticed, under: Noticed) -> tuple[str, ...]:
    said = sorted(under.told.items(), key=lambda item: -item[1])[:TOLD_SHOWN]
    return (
        name,
        f"{rest.p99_ms:.1f} ms",
        f"{under.p99_ms:.1f} ms",
        f"{under.health_ms:.0f} ms",
        f"{under.memory_mib:.0f} MiB",
        str(under.descriptors),
        f"{under.disk_mib:.1f} MiB",
        str(under.lost + under.unsent),
        ", ".join(f"{word} x {count}" for word, count in said),
    )


def _padded(row: tuple[str, ...], widths: list[int]) -> list[str]:
    first, *rest = row
    columns = [cell.rjust(width) for cell, width in zip(rest, widths[1:], strict=False)]
    return [first.ljust(widths[0]), *columns, row[-1]]
