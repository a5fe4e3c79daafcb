"""Texts for outsiders: README and verify.py of a package, the letter of a refusal.

Each is a function of the register, so that a letter can be regenerated and compared by hash.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from textwrap import fill
from typing import Any, Final

from blackthorn.governance.package import layout


def _text(name: str) -> str:
    return resources.files("blackthorn.governance.package").joinpath(name).read_text("utf-8")


SCRIPT: Final = _text("verify.txt").encode("ascii")
"""verify.py, which needs only Python 3 and reads only its own folder."""

_README: Final = _text("readme.txt")
_REFUSAL: Final[dict[str, Any]] = tomllib.loads(_text("refusal.toml"))


def readme(directive: str, accounts: Sequence[str], categories: Sequence[str]) -> str:
    """README.txt of the package of `directive`."""
    asked = [name for name in layout.CATEGORIES if name in categories]
    return _README.format(
        directive=directive,
        accounts="\n".join(f"- {address}" for address in sorted(set(accounts))),
        categories="\n".join(
            fill(f"- {name}: {layout.QUERIES[name]}", 96, subsequent_indent="  ") for name in asked
        ),
    )


@dataclass(frozen=True, slots=True)
class Refusal:
    """A letter of refusal. `received_ms` is Unix milliseconds.

    `domain` is the enterprise's; `reason` is one of `directives.REASONS`.
    """

    directive: str
    domain: str
    authority: str
    basis: str
    received_ms: int
    reason: str


_MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June", "July", "August"),
    *("September", "October", "November", "December"),
)


def refusal_letter(refusal: Refusal) -> str:
    """The deterministic letter, lines of at most 80 letters. Raises KeyError for the reason."""
    day = datetime.fromtimestamp(refusal.received_ms / 1000, UTC)
    date = f"{day.day} {_MONTHS[day.month - 1]} {day.year}"
    return str(_REFUSAL["form"]).format(
        directive=refusal.directive,
        authority=refusal.authority,
        subject=fill(f"Your demand received on {date}, based on: {refusal.basis}", 80),
        opening=fill(_REFUSAL["opening"], 80),
        reason=fill(_REFUSAL["grounds"][refusal.reason], 80),
        instead=fill(_REFUSAL["again"].get(refusal.reason, _REFUSAL["named"]), 80),
        openness=fill(_REFUSAL["openness"], 80),
        domain=refusal.domain,
    )
