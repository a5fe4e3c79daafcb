"""docs/limits.md: every bound of every folder's `limits.py`, read from its source.

A bound is a constant with a reason: the docstring below it, or below the group that it stands in.
"""

import ast
import importlib
from dataclasses import dataclass
from pathlib import Path

from blackthorn.wire.units import KIB, MIB

SOURCE = Path(__file__).resolve().parent.parent / "src" / "blackthorn"

PAGE = """# Limits

Every bound, by the folder that uses it. Each stands in that folder's `limits.py` with its reason;
settings that an administrator can change are in [settings](settings.md).

"""


@dataclass(frozen=True)
class Limit:
    """One bound; `reason` is empty when its source gives none."""

    name: str
    value: int | float
    reason: str


def limit_files() -> list[Path]:
    """Every limits.py, by its folder's name."""
    return sorted(SOURCE.rglob("limits.py"))


def limits_of(path: Path) -> list[Limit]:
    """The bounds of one file in their order. Consecutive constants share the docstring below."""
    folder = path.parent.relative_to(SOURCE)
    module = importlib.import_module(".".join(["blackthorn", *folder.parts, "limits"]))
    limits: list[Limit] = []
    group: list[str] = []
    for node in [*ast.parse(path.read_text(encoding="utf-8")).body, None]:
        if isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            group += [target.id for target in targets if isinstance(target, ast.Name)]
            continue
        reason = _docstring(node)
        limits += [Limit(name, getattr(module, name), reason) for name in group]
        group = []
    return limits


def _docstring(node: ast.stmt | None) -> str:
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return " ".join(str(node.value.value).split())
    return ""


def _scaled(value: float, units: list[tuple[int, str]]) -> str | None:
    """The value in the largest of the units that gives a whole number."""
    for size, unit in units:
        if value >= size and value % size == 0:
            return _counted(int(value // size), unit)
    return None


def _counted(count: int, unit: str) -> str:
    plural = "s" if count > 1 and not unit.endswith("iB") else ""
    return f"{count:,} {unit}{plural}"


def shown(name: str, value: int | float) -> str:
    """The value with the unit that its name gives."""
    if value in (2**63 - 1, 2**53 - 1, 2**16 - 1):
        return f"2^{value.bit_length()} - 1" if isinstance(value, int) else str(value)
    if "BYTES" in name and "PER_SECOND" not in name:
        return _scaled(value, [(MIB, "MiB"), (KIB, "KiB")]) or f"{value:,} bytes"
    if "SECONDS" in name or name.endswith("_MS"):
        if name.endswith("_MS"):
            value = value / 1000
        units = [(24 * 3600, "day"), (3600, "hour"), (60, "minute"), (1, "second")]
        return _scaled(value, units) or f"{value:,} seconds"
    if name.endswith("_DAYS"):
        return f"{value:,} days"
    return f"{value:,}"


def render() -> str:
    """The whole page: one table for each folder."""
    lines = [PAGE.rstrip(), ""]
    for path in limit_files():
        heading = f"## `{path.parent.relative_to(SOURCE)}/`"
        lines += [heading, "", "| name | value | reason |", "|---|---|---|"]
        previous = ""
        for limit in limits_of(path):
            reason = "as above" if limit.reason == previous else limit.reason.replace("|", "\\|")
            previous = limit.reason
            lines.append(f"| `{limit.name}` | {shown(limit.name, limit.value)} | {reason} |")
        lines.append("")
    return "\n".join(lines)
