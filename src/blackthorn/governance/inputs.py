"""Parses what people enter for a decision's fields; raises UserError with one clear line.

Days are UTC, so that two officers mean the same. `label` names the input, such as `--until`.
"""

import hashlib
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from blackthorn.errors import DecodeError, UserError
from blackthorn.governance import limits
from blackthorn.governance.values import Spec
from blackthorn.wire.address import parse_address

DAY_MS: Final = 24 * 3_600_000
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_WILDCARD: Final = re.compile(r"[*%?]")


def parse_value(entered: Any, spec: Spec, label: str, *, end_of_day: bool = False) -> Any:
    """The value of a field. A document is entered as its bytes and becomes its hash."""
    match spec.kind:
        case "time":
            return parse_date(entered, label, end_of_day=end_of_day)
        case "hash":
            return hashlib.sha256(entered).digest()
        case "country":
            return parse_country(entered)
        case "choice":
            return parse_choices([entered], spec.choices, label)[0]
        case "list" if spec.choices:
            return parse_choices(entered, spec.choices, label)
        case "count":
            return int(entered)
    return entered


def parse_date(text: str, label: str, *, end_of_day: bool = False) -> int:
    """A day (its first or last millisecond, UTC) or an RFC 3339 time, in Unix milliseconds."""
    try:
        if _DAY.fullmatch(text):
            at = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
            return at + DAY_MS - 1 if end_of_day else at
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(
            f"{label}: {text!r} is not a date such as 2015-07-24 or 2015-07-24T12:00:00Z"
        ) from None
    if moment.tzinfo is None:
        raise UserError(f"{label}: {text!r} needs a time zone, such as Z or +05:00")
    at = round(moment.timestamp() * 1000)
    if at < 0:
        raise UserError(f"{label}: {text!r} is before 1970")
    return at


def parse_choices(texts: Sequence[str], choices: tuple[str, ...], label: str) -> list[str]:
    """Choices of a closed list, in its order."""
    for text in texts:
        if text not in choices:
            raise UserError(f"{label}: unknown {text!r}; choose from {', '.join(choices)}")
    return [str(choice) for choice in choices if choice in texts]


def parse_country(text: str) -> str:
    """An ISO 3166-1 alpha-2 code."""
    import pycountry

    code = text.upper()
    if pycountry.countries.get(alpha_2=code) is None:
        raise UserError(f"{text!r} is not a country code such as PK (ISO 3166-1 alpha-2)")
    return code


def parse_directive(text: str) -> str:
    if not re.fullmatch(r"D-[0-9]{6}", text.upper()):
        raise UserError(f"{text!r} is not a directive's id such as D-000001")
    return text.upper()


def parse_accounts(texts: list[str], domain: str) -> list[str]:
    """Single accounts of this enterprise; wildcards and domains are refused."""
    accounts = set()
    for text in texts:
        if _WILDCARD.search(text):
            raise UserError(f"{text!r} has a wildcard: a directive names each account in full")
        if not text.strip():
            raise UserError("an empty account names nobody: a directive names each account in full")
        local, at, host = text.rpartition("@")
        if not at or not local:
            raise UserError(f"{text!r} is a whole domain or no address: name each account in full")
        if host.lower() != domain:
            raise UserError(f"{text!r} is not an account here: accounts end in @{domain}")
        try:
            accounts.add(str(parse_address(text)))
        except DecodeError as error:
            raise UserError(f"{text}: {error}") from None
    if len(accounts) != len(texts):
        raise UserError("an account is named twice")
    if len(accounts) > limits.MAX_DIRECTIVE_ACCOUNTS:
        most = limits.MAX_DIRECTIVE_ACCOUNTS
        raise UserError(f"{len(accounts)} accounts: a directive names {most} at the most")
    return sorted(accounts)
