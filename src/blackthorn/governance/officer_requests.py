"""Decisions about officers. The device takes an officer's keys from their verified identity."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from blackthorn.errors import UserError
from blackthorn.governance.inputs import parse_choices
from blackthorn.governance.officers import CASE, Officers
from blackthorn.governance.requests import DecisionRequest
from blackthorn.governance.statements import is_officer
from blackthorn.governance.transitions import Role
from blackthorn.identity.keys import VerifyKeys


@dataclass(frozen=True, slots=True)
class Person:
    """A user, and the keys of their officer's device."""

    address: str
    keys: VerifyKeys


def found_request(first: Person, second: Person, ids: tuple[str, str]) -> DecisionRequest:
    """Both become the first owners, with new ids."""
    owner = [Role.OWNER.value]
    return DecisionRequest(
        CASE,
        "found",
        {
            **officer_fields(ids[0], owner, first.keys),
            **officer_fields(ids[1], owner, second.keys, "_2"),
        },
        private={"address": first.address, "address_2": second.address},
    )


def founds(public: dict[str, Any], keys: set[VerifyKeys]) -> bool:
    """Whether a founding names exactly these two keys, as owners only."""
    if "ed25519_2" not in public:
        return False
    named = {VerifyKeys(public[f"ed25519{n}"], public[f"ml_dsa{n}"]) for n in ("", "_2")}
    return named == keys and public["roles"] == public["roles_2"] == ["owner"]


def appoint_request(
    officers: Officers, known: str | None, new_id: str, person: Person, roles: list[str]
) -> DecisionRequest:
    """New roles for the officer `known`, or for a new officer if None."""
    public = officer_fields(known or new_id, roles, person.keys)
    private = {"address": person.address}
    if known is None:
        default = {"officer": public.pop("officer")}
        return DecisionRequest(CASE, "appoint", public, default, private)
    before = ", ".join(sorted(officers[known].roles))
    note = f"{known} has had the roles {before}; these take their place."
    return DecisionRequest(CASE, "appoint", public, private=private, notes=(note,))


def dismiss_request(officer: str, shown: str) -> DecisionRequest:
    """Dismiss an officer, displayed as `shown`."""
    return DecisionRequest(CASE, "dismiss", {"officer": officer}, notes=(f"It is {shown}.",))


def parse_roles(texts: Iterable[str], label: str) -> list[str]:
    """Sorted roles. Raises UserError."""
    return sorted(parse_choices(list(texts), tuple(Role), label))


def parse_officer(officers: Officers, addresses: dict[str, str], text: str) -> str:
    """An officer's id from an id or address. Raises UserError."""
    name = text[:2].upper() + text[2:].lower()
    officer = name if is_officer(name) else officer_of(officers, addresses, text.lower())
    if officer is None or officer not in officers:
        raise UserError(f"{text} is not an officer: see blackthorn role list")
    return officer


def officer_of(officers: Officers, addresses: dict[str, str], address: str) -> str | None:
    """A user's officer id; `addresses` are those known, by id."""
    found = (name for name, known in addresses.items() if known == address and name in officers)
    return next(found, None)


def officer_fields(
    officer: str, roles: list[str], keys: VerifyKeys, suffix: str = ""
) -> dict[str, Any]:
    return {
        f"officer{suffix}": officer,
        f"roles{suffix}": roles,
        f"ed25519{suffix}": keys.ed25519,
        f"ml_dsa{suffix}": keys.ml_dsa,
    }
