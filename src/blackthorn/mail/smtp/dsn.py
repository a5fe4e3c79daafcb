"""The parameters of delivery status notifications in MAIL and RCPT (RFC 3461, 4), as values."""

import re
from dataclasses import dataclass
from typing import Final

from blackthorn.mail import limits
from blackthorn.mail.errors import MailRefusedError

_XTEXT: Final = re.compile(r"(?:[!-*,-<>-~]|\+[0-9A-F]{2})*")
_NOTIFY: Final = frozenset(("SUCCESS", "FAILURE", "DELAY"))
_MAIL: Final = frozenset(("RET", "ENVID"))
_RCPT: Final = frozenset(("NOTIFY", "ORCPT"))


@dataclass(frozen=True, slots=True)
class MailDsn:
    """RET (`FULL`, `HDRS` or empty) and ENVID (xtext) of MAIL."""

    ret: str = ""
    envelope_id: str = ""


@dataclass(frozen=True, slots=True)
class RecipientDsn:
    """NOTIFY (empty: not stated; `NEVER` alone or some of the others) and ORCPT (xtext)."""

    notify: frozenset[str] = frozenset()
    original: str = ""


def take_mail(parameters: str) -> tuple[MailDsn, str]:
    """The notification's parameters of MAIL, and the others. Raises MailRefusedError 501 5.5.4."""
    values, others = _take(parameters, _MAIL)
    ret = values.get("RET", "").upper()
    if ret not in ("", "FULL", "HDRS"):
        raise _malformed("RET is FULL or HDRS")
    envelope_id = values.get("ENVID", "")
    _check_xtext(envelope_id, 100, "ENVID")
    return MailDsn(ret, envelope_id), others


def take_recipient(parameters: str) -> tuple[RecipientDsn, str]:
    """The notification's parameters of RCPT, and the others. Raises MailRefusedError 501 5.5.4."""
    values, others = _take(parameters, _RCPT)
    notify = frozenset(values["NOTIFY"].upper().split(",")) if "NOTIFY" in values else frozenset()
    if notify and notify != {"NEVER"} and not notify <= _NOTIFY:
        raise _malformed("NOTIFY is NEVER, or some of SUCCESS,FAILURE,DELAY")
    original = values.get("ORCPT", "")
    if original and not re.match(r"[A-Za-z0-9-]{1,40};", original):
        raise _malformed("ORCPT has no address type")
    _check_xtext(original, limits.MAX_PATH_BYTES, "ORCPT")
    return RecipientDsn(notify, original), others


def _take(parameters: str, names: frozenset[str]) -> tuple[dict[str, str], str]:
    values: dict[str, str] = {}
    others = []
    for each in parameters.split():
        name, _, value = each.partition("=")
        if name.upper() not in names:
            others.append(each)
        elif not value or name.upper() in values:
            raise _malformed(f"{name.upper()} needs one value, once")
        else:
            values[name.upper()] = value
    return values, " ".join(others)


def _check_xtext(value: str, most: int, name: str) -> None:
    if len(value) > most or _XTEXT.fullmatch(value) is None:
        raise _malformed(f"{name} is too long or no xtext")


def _malformed(text: str) -> MailRefusedError:
    return MailRefusedError(501, "5.5.4", text)
