"""A report file's claims: its period and its ledger's size.

They are not trusted but recomputed. Texts are searched, not parsed, so that a hostile file costs
only its length.
"""

import csv
import json
import re
from dataclasses import dataclass
from typing import Final

from blackthorn.errors import SecurityError
from blackthorn.report.files import FEED

_PAGE_PERIOD: Final = re.compile(rb'<meta name="blackthorn-period" content="([^"]{1,16})">')
_PAGE_SIZE: Final = re.compile(rb'<meta name="blackthorn-ledger-size" content="([0-9]{1,16})">')
_FEED_SIZE: Final = re.compile(rb'<blackthorn:ledger size="([0-9]{1,16})" ')


@dataclass(frozen=True, slots=True)
class Claims:
    """`period`: "" for a feed. `size`: None for a table without lines. `policy`: in JSON only."""

    period: str
    size: int | None
    policy: str | None = None


def read(name: str, ending: str, data: bytes) -> Claims:
    """The claims of the file `name` with `ending` of `files`. Raises SecurityError without any."""
    found: Claims | None
    match ending:
        case ".json":
            found = _json(data)
        case ".html":
            found = _page(data)
        case _ if ending == FEED:
            size = _FEED_SIZE.search(data)
            found = Claims("", int(size[1])) if size else None
        case _:
            found = _table(data)
    if found is None:
        raise SecurityError(f"{name} does not say of which period and which ledger it is")
    return found


def _json(data: bytes) -> Claims | None:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return None
    match value:
        case {
            "period": {"name": str(period)},
            "ledger": {"size": int(size), "policy": str(policy)},
        } if type(size) is int:
            return Claims(period, size, policy)
    return None


def _page(data: bytes) -> Claims | None:
    period, size = _PAGE_PERIOD.search(data), _PAGE_SIZE.search(data)
    if period is None or size is None:
        return None
    return Claims(period[1].decode("utf-8", "replace"), int(size[1]))


def _table(data: bytes) -> Claims | None:
    text = data.decode("utf-8", "replace")
    try:
        lines = list(csv.DictReader(text.splitlines(keepends=True)[:2]))
    except csv.Error:
        return None
    if not lines:
        return Claims("", None)
    period, size = lines[0].get("period"), lines[0].get("ledger_size") or ""
    if period is None or not re.fullmatch("[0-9]{1,16}", size):
        return None
    return Claims(period, int(size))
