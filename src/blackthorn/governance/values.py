"""Types of a decision's fields: a closed set, each with its bounds."""

import re
from dataclasses import dataclass
from typing import Any, Final

from blackthorn.errors import VerificationError

_COUNTRY: Final = re.compile(r"[A-Z]{2}")
MAX_TIME_MS: Final = 253_402_300_799_000
"""The end of the year 9999, the last that `datetime` can show."""


@dataclass(frozen=True, slots=True)
class Spec:
    """A field: `kind` is text, count, time, hash, country, choice or list.

    `least` and `most` bound the length of a text or list, or a count. A list holds different
    `choices`, or texts of at most 254 letters.
    """

    kind: str
    least: int = 0
    most: int = 0
    choices: tuple[str, ...] = ()
    optional: bool = False


def text(most: int, least: int = 1) -> Spec:
    """A text of `least` to `most` letters."""
    return Spec("text", least, most)


def choice(*choices: str) -> Spec:
    return Spec("choice", choices=choices)


COUNT: Final = Spec("count", 0, 2**53 - 1)
TIME: Final = Spec("time", 0, MAX_TIME_MS)
HASH: Final = Spec("hash", 32, 32)
HASH_OR_NONE: Final = Spec("hash", 32, 32, optional=True)
COUNTRY: Final = Spec("country")
FLAG: Final = Spec("count", 0, 1)


def empty_value(spec: Spec) -> Any:
    """An empty input's value."""
    match spec.kind:
        case "count" | "time":
            return 0
        case "list":
            return []
        case "text":
            return ""
    return None


def check_fields(fields: dict[str, Any], specs: dict[str, Spec], what: str) -> None:
    """Raises `VerificationError` (G3) unless exactly these fields are there and valid."""
    for name in fields:
        if name not in specs:
            raise VerificationError("G3", f"{what} has no field {name!r}")
    for name, spec in specs.items():
        if name not in fields:
            raise VerificationError("G3", f"{what} lacks the field {name!r}")
        if not _fits(fields[name], spec):
            raise VerificationError("G3", f"the field {name!r} of {what} is invalid")


def _fits(value: Any, spec: Spec) -> bool:
    if value is None:
        return spec.optional
    match spec.kind:
        case "count" | "time":
            return type(value) is int and spec.least <= value <= spec.most
        case "hash":
            return type(value) is bytes and len(value) == spec.most
        case "country":
            return type(value) is str and _COUNTRY.fullmatch(value) is not None
        case "choice":
            return type(value) is str and value in spec.choices
        case "text":
            return type(value) is str and spec.least <= len(value) <= spec.most and _plain(value)
    return type(value) is list and _is_list(value, spec)


def _is_list(value: list[Any], spec: Spec) -> bool:
    if not spec.least <= len(value) <= spec.most or any(type(item) is not str for item in value):
        return False
    if len(set(value)) != len(value):
        return False
    if spec.choices:
        return all(item in spec.choices for item in value)
    return all(0 < len(item) <= 254 and _plain(item) for item in value)


def _plain(value: str) -> bool:
    """No control characters: it is shown on terminals and pages."""
    return all(letter.isprintable() or letter == "\n" for letter in value)
