"""Officers and their roles: founded by two owners, changed only by two owners.

The ledger shows pseudonymous ids (`O-` and eight hex digits) and keys; only the private part of the
appointing statement names the person.
"""

from dataclasses import dataclass
from typing import Any, Final

from blackthorn.errors import VerificationError
from blackthorn.governance import limits
from blackthorn.governance.statements import is_officer
from blackthorn.governance.transitions import KEEP, OWNER, Role, Transition
from blackthorn.governance.values import Spec, text
from blackthorn.identity.keys import ED25519_PUBLIC_BYTES, ML_DSA_PUBLIC_BYTES, VerifyKeys

CASE: Final = "officers"


@dataclass(frozen=True, slots=True)
class Officer:
    """An officer and their device's keys."""

    id: str
    roles: frozenset[Role]
    keys: VerifyKeys


Officers = dict[str, Officer]
"""By id. Never changed in place."""

_ID: Final = text(10)
_KEYS: Final = Spec("hash", ED25519_PUBLIC_BYTES, ED25519_PUBLIC_BYTES)
_ML_DSA: Final = Spec("hash", ML_DSA_PUBLIC_BYTES, ML_DSA_PUBLIC_BYTES)
_ADDRESS: Final = text(254, 3)


def _person(suffix: str = "") -> dict[str, Spec]:
    roles = Spec("list", 1, len(Role), tuple(Role))
    return {
        f"officer{suffix}": _ID,
        f"roles{suffix}": roles,
        f"ed25519{suffix}": _KEYS,
        f"ml_dsa{suffix}": _ML_DSA,
    }


TRANSITIONS: Final = (
    Transition(
        "found",
        ("",),
        "standing",
        (OWNER, OWNER),
        {**_person(), **_person("_2")},
        "The first two owners name each other, once.",
        {"address": _ADDRESS, "address_2": _ADDRESS},
    ),
    Transition(
        "appoint",
        ("standing",),
        KEEP,
        (OWNER, OWNER),
        _person(),
        "A person gets these roles, or other ones, or signs with another device.",
        {"address": _ADDRESS},
    ),
    Transition(
        "dismiss",
        ("standing",),
        KEEP,
        (OWNER, OWNER),
        {"officer": _ID},
        "A person has no role any more.",
    ),
)


def after(officers: Officers, action: str, public: dict[str, Any]) -> Officers:
    """The officers after an action. Raises `VerificationError` (G11)."""
    changed = dict(officers)
    if action == "dismiss":
        if changed.pop(public["officer"], None) is None:
            raise VerificationError("G11", "unknown officer")
    else:
        for suffix in ("", "_2") if action == "found" else ("",):
            officer = _officer(public, suffix)
            if action == "found" and Role.OWNER not in officer.roles:
                raise VerificationError("G11", "founders must be owners")
            changed[officer.id] = officer
    if sum(Role.OWNER in officer.roles for officer in changed.values()) < 2:
        raise VerificationError("G11", "two owners must remain: appoint another one first")
    if len(changed) > limits.MAX_OFFICERS:
        raise VerificationError("G11", f"there are at most {limits.MAX_OFFICERS} officers")
    keys = [officer.keys.ed25519 for officer in changed.values()]
    if len(set(keys)) != len(keys):
        raise VerificationError("G11", "two officers cannot sign with one key")
    return changed


def _officer(public: dict[str, Any], suffix: str) -> Officer:
    name = public[f"officer{suffix}"]
    if not is_officer(name):
        raise VerificationError("G11", "an officer's id is O- and eight hex digits")
    keys = VerifyKeys(public[f"ed25519{suffix}"], public[f"ml_dsa{suffix}"])
    return Officer(name, frozenset(Role(role) for role in public[f"roles{suffix}"]), keys)


def voters(officers: Officers, action: str, public: dict[str, Any]) -> Officers:
    """Who may approve: the founders themselves at the founding."""
    return after({}, action, public) if action == "found" and not officers else officers
