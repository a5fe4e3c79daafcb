"""What officers type: dates, files, accounts. Refused here already, each with a clear line.

A day is one of the UTC calendar, so that two officers who type the same day mean the same.
"""

import base64
import binascii
import hashlib
import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from blackthorn.cli.officer import limits as officer_limits
from blackthorn.cli.options import parse_addresses
from blackthorn.errors import UserError
from blackthorn.governance import limits as governance_limits
from blackthorn.governance.statements import is_officer

DAY_MS: Final = 24 * 3_600_000
_DAY: Final = re.compile(r"\d{4}-\d{2}-\d{2}")
_WILD: Final = re.compile(r"[*%?]")
_ARMOR: Final = re.compile(
    rb"-----BEGIN PGP PUBLIC KEY BLOCK-----\s*?\n(?:[^\n]+:[^\n]*\n)*\s*\n(.*?)"
    rb"(?:\n=[A-Za-z0-9+/]{4})?\s*\n-----END PGP PUBLIC KEY BLOCK-----",
    re.DOTALL,
)


def parse_date(text: str, option: str, *, end_of_day: bool = False) -> int:
    """A day (its beginning or last millisecond, UTC) or an RFC 3339 time, in Unix milliseconds."""
    try:
        if _DAY.fullmatch(text):
            at = int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)
            return at + DAY_MS - 1 if end_of_day else at
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UserError(f"{option}: {text!r} is no date such as 2015-07-24") from None
    if moment.tzinfo is None:
        raise UserError(f"{option}: {text!r} lacks its time zone, such as Z or +05:00")
    at = round(moment.timestamp() * 1000)
    if at < 0:
        raise UserError(f"{option}: {text!r} is before 1970")
    return at


def optional_date(text: str | None, option: str, *, end_of_day: bool = False) -> int:
    """The same, 0 when nothing was given."""
    return 0 if text is None else parse_date(text, option, end_of_day=end_of_day)


def given(**values: Any) -> dict[str, Any]:
    """Those of the values that were given."""
    return {name: value for name, value in values.items() if value is not None}


def read_file(path: Path) -> bytes:
    """A document, whole. Raises UserError when it is empty, too large or cannot be read."""
    try:
        with path.open("rb") as file:
            data = file.read(officer_limits.MAX_OFFICER_DOCUMENT_BYTES + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}") from None
    if not data:
        raise UserError(f"{path} is empty: give the document itself")
    if len(data) > officer_limits.MAX_OFFICER_DOCUMENT_BYTES:
        raise UserError(f"{path} has more than {officer_limits.MAX_OFFICER_DOCUMENT_BYTES} bytes")
    return data


def hash_of(path: Path) -> bytes:
    """SHA-256 of a document, 32 bytes: what is signed of it."""
    return hashlib.sha256(read_file(path)).digest()


def hash_or_none(path: Path | None) -> bytes | None:
    """The same, None when no document was given."""
    return None if path is None else hash_of(path)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object. Raises UserError."""
    try:
        value = json.loads(read_file(path))
    except (ValueError, RecursionError):
        raise UserError(f"{path} is no JSON") from None
    if not isinstance(value, dict):
        raise UserError(f"{path} holds no JSON object")
    return value


def certificate(path: Path) -> bytes:
    """An OpenPGP certificate in binary form, from a file in either form."""
    data = read_file(path)
    if not data.lstrip().startswith(b"-----BEGIN"):
        return data
    found = _ARMOR.search(data.replace(b"\r\n", b"\n"))
    if found is None:
        raise UserError(f"{path} is no armored OpenPGP certificate")
    try:
        return base64.b64decode(b"".join(found[1].split()), validate=True)
    except binascii.Error:
        raise UserError(f"{path} is no armored OpenPGP certificate") from None


def accounts(texts: list[str], domain: str) -> list[str]:
    """Single accounts of this enterprise. Raises UserError for what names many or none."""
    for text in texts:
        if _WILD.search(text):
            raise UserError(f"{text!r} has a wildcard: a directive names each account in full")
        if not text.strip():
            raise UserError("an empty account names nobody: a directive names each account in full")
        local, at, where = text.rpartition("@")
        if not at or not local:
            raise UserError(f"{text!r} is a whole domain or no address: name each account in full")
        if where.lower() != domain:
            raise UserError(f"{text!r} is no account here: accounts end in @{domain}")
    found = sorted(set(map(str, parse_addresses(texts))))
    if len(found) != len(texts):
        raise UserError("an account is named twice")
    if len(found) > governance_limits.MAX_DIRECTIVE_ACCOUNTS:
        most = governance_limits.MAX_DIRECTIVE_ACCOUNTS
        raise UserError(f"{len(found)} accounts: a directive names {most} at the most")
    return found


def parse_market(text: str) -> str:
    """A country's ISO 3166-1 code. Raises UserError."""
    import pycountry

    code = text.upper()
    if pycountry.countries.get(alpha_2=code) is None:
        raise UserError(f"{text!r} is no country's code such as PK (ISO 3166-1 alpha-2)")
    return code


def parse_directive(text: str) -> str:
    """A directive's id. Raises UserError."""
    if not re.fullmatch(r"D-[0-9]{6}", text.upper()):
        raise UserError(f"{text!r} is no directive's id such as D-000001")
    return text.upper()


def parse_officer(text: str) -> str | None:
    """An officer's id, None when the text is none."""
    name = text[:2].upper() + text[2:].lower()
    return name if is_officer(name) else None
