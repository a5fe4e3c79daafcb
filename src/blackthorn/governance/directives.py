"""Directives: government demands about named accounts, as a table of transitions.

No field can hold all users, a keyword, a country's people or a live feed. A demand for general
access is of the kind `technical-capability`: no account, no data, and it can only be refused.
"""

from typing import Any, Final

from blackthorn.errors import VerificationError
from blackthorn.governance import limits, transitions, values

TECHNICAL: Final = "technical-capability"
KINDS: Final = ("production", "preservation", "emergency", "removal", "blocking", TECHNICAL)
CATEGORIES: Final = (
    *("account-facts", "sealed-mail", "waiting-parcels", "identity-chain", "ledger-entries"),
)
FOR_DATA: Final = ("production", "preservation", "emergency")
"""Kinds that name the categories of data that they ask for."""

NO_CAPABILITY: Final = "no-such-capability"
REASONS: Final = (
    *(NO_CAPABILITY, "not-genuine", "not-lawful", "disproportionate", "no-such-account"),
    "closed-market",
)
OPEN: Final = ("received", "verified", "assessed", "approved", "produced", "contested")
ENDED: Final = ("delivered", "refused", "forged")

_NAMES: Final = values.Spec("count", 0, limits.MAX_DIRECTIVE_ACCOUNTS)
_TWO_LEGAL: Final = (transitions.LEGAL, transitions.ANY_DECIDER)


def _receive(case: transitions.Case, request: transitions.Request) -> None:
    public = request.public
    named, technical = public["accounts"] + public["unknown"], public["kind"] == TECHNICAL
    if technical and (named or public["categories"]):
        raise VerificationError("G7", "a demand for a technical capability names no account")
    if not technical and not named:
        raise VerificationError("G7", "no account is named: the kind is technical-capability")
    if named > limits.MAX_DIRECTIVE_ACCOUNTS:
        most = limits.MAX_DIRECTIVE_ACCOUNTS
        raise VerificationError("G7", f"a directive names at most {most} accounts")
    if public["kind"] in FOR_DATA and not public["categories"]:
        raise VerificationError("G7", "name the categories that the directive asks for")
    if public["to_ms"] and public["from_ms"] > public["to_ms"]:
        raise VerificationError("G7", "the period of a directive ends before it begins")
    if public["gag_until_ms"]:
        _gag(public["gag_until_ms"], request, 0)


def _gag(until_ms: int, request: transitions.Request, before_ms: int) -> None:
    if not max(before_ms, request.latest_ms) < until_ms <= request.now_ms + limits.MAX_GAG_MS:
        raise VerificationError("G14", "a gag ends later than now (or than before), within a year")


def _extend_gag(case: transitions.Case, request: transitions.Request) -> None:
    if not gag_until_ms(case):
        raise VerificationError("G14", "there is no gag to extend")
    _gag(request.public["until_ms"], request, gag_until_ms(case))


def _lift_gag(case: transitions.Case, request: transitions.Request) -> None:
    if not gag_until_ms(case):
        raise VerificationError("G14", "there is no gag to lift")


def _named_only(case: transitions.Case, request: transitions.Request) -> None:
    if facts(case)["kind"] == TECHNICAL:
        raise VerificationError("G7", "there is no such capability: it can only be refused")


def _assess(case: transitions.Case, request: transitions.Request) -> None:
    _named_only(case, request)
    if not facts(case)["accounts"]:
        raise VerificationError("G7", "it names no account that exists: it can only be refused")


def _refuse(case: transitions.Case, request: transitions.Request) -> None:
    technical = facts(case)["kind"] == TECHNICAL
    if technical != (request.public["reason"] == NO_CAPABILITY):
        raise VerificationError("G7", f"{NO_CAPABILITY} is the only reason for {TECHNICAL}")


def _produce(case: transitions.Case, request: transitions.Request) -> None:
    if request.public["accounts_with_data"] > facts(case)["accounts"]:
        raise VerificationError("G7", "more accounts with data than the directive names")


TRANSITIONS: Final = (
    transitions.Transition(
        "receive",
        ("",),
        "received",
        (transitions.ANY_DECIDER,),
        {
            "kind": values.choice(*KINDS),
            "country": values.COUNTRY,
            "authority": values.text(128),
            "basis": values.text(128),
            "process": values.text(64),
            "channel": values.text(64),
            "received_ms": values.TIME,
            "accounts": _NAMES,
            "unknown": _NAMES,
            "categories": values.Spec("list", 0, len(CATEGORIES), CATEGORIES),
            "from_ms": values.TIME,
            "to_ms": values.TIME,
            "document": values.HASH,
            "gag_until_ms": values.TIME,
        },
        "A demand has come and is written down.",
        {
            "accounts": values.Spec("list", 0, limits.MAX_DIRECTIVE_ACCOUNTS),
            "case_number": values.text(128, 0),
            "signatory": values.text(128, 0),
            "contact": values.text(256, 0),
        },
        _receive,
    ),
    transitions.Transition(
        "verify",
        ("received",),
        ("result", {"genuine": "verified", "forged": "forged"}),
        (transitions.ANY_DECIDER, transitions.ANY_DECIDER),
        {
            "method": values.choice("call-back", "portal-key", "mlat-central-authority"),
            "result": values.choice("genuine", "forged"),
        },
        "Two people have asked the authority by a contact that the demand did not bring.",
        {"contact": values.text(256), "source": values.text(256)},
    ),
    transitions.Transition(
        "assess",
        ("verified", "contested"),
        "assessed",
        _TWO_LEGAL,
        {
            "decision": values.choice("comply", "partial", "no-data"),
            "grounds": values.text(512),
            "deadline_ms": values.TIME,
        },
        "It is lawful and in proportion, wholly or in part, or there is nothing to give.",
        guard=_assess,
    ),
    transitions.Transition(
        "approve",
        ("assessed",),
        "approved",
        (transitions.LEGAL, transitions.CUSTODIAN),
        {"categories": values.Spec("list", 0, len(CATEGORIES), CATEGORIES)},
        "Legal and custodian agree to what is produced.",
        guard=_named_only,
    ),
    transitions.Transition(
        "produce",
        ("approved",),
        "produced",
        (transitions.CUSTODIAN, transitions.ANY_DECIDER),
        {
            "manifest": values.HASH,
            "items": values.COUNT,
            "accounts_with_data": _NAMES,
            "recipient": values.HASH_OR_NONE,
        },
        "The package with this manifest was made, and looked at.",
        guard=_produce,
    ),
    transitions.Transition(
        "deliver",
        ("produced",),
        "delivered",
        (transitions.CUSTODIAN, transitions.ANY_DECIDER),
        {"delivered_ms": values.TIME, "receipt": values.HASH_OR_NONE},
        "The authority has the package.",
    ),
    transitions.Transition(
        "refuse",
        ("received", "verified", "assessed", "contested"),
        "refused",
        _TWO_LEGAL,
        {"reason": values.choice(*REASONS), "letter": values.HASH},
        "It is refused, with a reasoned letter.",
        guard=_refuse,
    ),
    transitions.Transition(
        "contest",
        ("verified", "assessed", "approved"),
        "contested",
        _TWO_LEGAL,
        {"court": values.text(128), "filed_ms": values.TIME},
        "It is challenged before a court.",
        guard=_named_only,
    ),
    transitions.Transition(
        "extend-gag",
        (*OPEN, *ENDED),
        transitions.KEEP,
        _TWO_LEGAL,
        {"until_ms": values.TIME, "order": values.HASH},
        "The law bars disclosure until a later day.",
        guard=_extend_gag,
    ),
    transitions.Transition(
        "lift-gag",
        (*OPEN, *ENDED),
        transitions.KEEP,
        _TWO_LEGAL,
        {"order": values.HASH_OR_NONE},
        "Nothing bars disclosure any more.",
        guard=_lift_gag,
    ),
    transitions.Transition(
        "correct",
        (*OPEN, *ENDED),
        transitions.KEEP,
        _TWO_LEGAL,
        {"corrects": values.Spec("count", 1, limits.MAX_CASE_STATEMENTS), "note": values.text(512)},
        "What an earlier entry says was wrong; it stays, and this says what is right.",
    ),
)
"""docs/directives.md is drawn from this."""


def facts(case: transitions.Case) -> dict[str, Any]:
    """The fields of `receive`."""
    return case.last("receive")


def gag_until_ms(case: transitions.Case) -> int:
    """Until when the law bars disclosure, by all decisions so far; else 0."""
    until = 0
    for step in case.history:
        if step.action == "receive":
            until = int(step.public["gag_until_ms"])
        elif step.action == "extend-gag":
            until = int(step.public["until_ms"])
        elif step.action == "lift-gag":
            until = 0
    return until


def gagged(case: transitions.Case, now_ms: int) -> bool:
    return now_ms < gag_until_ms(case)
