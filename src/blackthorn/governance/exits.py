"""Exits: leaving a market, by dates that can move until data is destroyed.

No date triggers anything: two officers take each step after its date by the ledger's witnessed time
and both their clocks. Before `destroy` the exit can be extended or rescinded.
"""

from typing import Any, Final

from blackthorn.errors import VerificationError
from blackthorn.governance import transitions
from blackthorn.governance.values import COUNT, COUNTRY, FLAG, HASH, HASH_OR_NONE, TIME, Spec, text
from blackthorn.wire.dates import rfc3339

DAY_MS: Final = 24 * 3_600_000
NOTICE_MS: Final = 30 * DAY_MS
"""From the plan to the stop, unless a document compels otherwise."""
RETRIEVAL_MS: Final = 30 * DAY_MS
"""From the stop to the end of retrieval, unless a document compels otherwise (EU Data Act, 25)."""

DATES: Final = (
    *("announce_ms", "activations_ms", "read_only_ms", "stop_ms", "retrieval_end_ms"),
    "backups_end_ms",
)
"""In order."""

RUNNING: Final = ("announced", "draining", "read-only", "stopped", "retrieval", "preparing")
"""States in which an exit can be extended, held or rescinded."""

OPEN: Final = ("draft", "approved", *RUNNING, "destroying")
ENDED: Final = ("closed", "rescinded")

PERSONS: Final = (
    *("users", "notified", "read", "exported", "moved", "forwarded", "unreachable", "held"),
)
"""Counts of persons in a closure."""

_COMPELLED: Final = "give later dates, or the document that compels these (--compelled FILE)"
_DATES: Final = dict.fromkeys((*DATES, "forwarding_end_ms"), TIME)
_TWO: Final = (transitions.OWNER | {transitions.Role.ADMIN}, transitions.ANY_DECIDER)


def dates(case: transitions.Case) -> dict[str, int]:
    """The dates in force, by the plan or its latest extension or acceleration."""
    for step in reversed(case.history):
        if step.action in ("plan", "extend", "accelerate"):
            return {name: int(step.public[name]) for name in _DATES}
    return dict.fromkeys(_DATES, 0)


def _check_dates(public: dict[str, Any], request: transitions.Request) -> None:
    ordered = [public[name] for name in DATES]
    if ordered != sorted(ordered):
        raise VerificationError("G8", "the dates of an exit are not in their order")
    if public["stop_ms"] <= request.latest_ms:
        raise VerificationError("G8", "the date of the stop has passed")
    if public["forwarding_end_ms"] < public["stop_ms"]:
        raise VerificationError("G8", "forwarding ends before the stop")
    if public["compelled"] is not None:
        return
    if public["stop_ms"] - request.latest_ms < NOTICE_MS:
        raise VerificationError("G8", f"less than 30 days' notice: {_COMPELLED}")
    if public["retrieval_end_ms"] - public["stop_ms"] < RETRIEVAL_MS:
        raise VerificationError("G8", f"less than 30 days of retrieval: {_COMPELLED}")


def _plan(case: transitions.Case, request: transitions.Request) -> None:
    if request.public["no_notice"] and request.public["compelled"] is None:
        raise VerificationError("G8", "an exit without notice names the document that compels it")
    _check_dates(request.public, request)


def _extend(case: transitions.Case, request: transitions.Request) -> None:
    before, public = dates(case), request.public
    if any(public[name] < before[name] for name in before):
        raise VerificationError("G8", "an extension cannot bring a date forward")
    if public["retrieval_end_ms"] <= request.latest_ms:
        raise VerificationError("G8", "an extension must end in the future")
    if [public[name] for name in DATES] != sorted(public[name] for name in DATES):
        raise VerificationError("G8", "the dates of an exit are not in their order")


def _accelerate(case: transitions.Case, request: transitions.Request) -> None:
    before = dates(case)
    if any(request.public[name] > before[name] for name in DATES if name != "backups_end_ms"):
        raise VerificationError("G8", "an acceleration cannot delay a date: extend instead")
    _check_dates(request.public, request)


DUE: Final = {
    "announce": "announce_ms",
    "drain": "activations_ms",
    "freeze": "read_only_ms",
    "stop": "stop_ms",
    "retrieve": "stop_ms",
    "prepare": "retrieval_end_ms",
    "destroy": "retrieval_end_ms",
}
"""Action → the date before which it is not possible."""


def _at(action: str) -> transitions.Guard:
    """A guard: not before the date of that action."""
    date = DUE[action]

    def guard(case: transitions.Case, request: transitions.Request) -> None:
        if request.now_ms < dates(case)[date]:
            due, now = rfc3339(dates(case)[date]), rfc3339(request.now_ms)
            raise VerificationError(
                "G9",
                f"the date of this step ({date[:-3].replace('_', ' ')}, {due}) is not reached: the "
                f"ledger's newest entry is of {now}; an idle ledger makes one at its heartbeat",
            )

    return guard


def _stop(case: transitions.Case, request: transitions.Request) -> None:
    if case.state != "read-only" and not case.last("plan").get("no_notice"):
        raise VerificationError("G4", f"an exit that is {case.state} cannot be stopped")
    _at("stop")(case, request)


def _hold(case: transitions.Case, request: transitions.Request) -> None:
    if case.held:
        raise VerificationError("G13", "the exit is held already")


def _release(case: transitions.Case, request: transitions.Request) -> None:
    if not case.held:
        raise VerificationError("G13", "the exit is not held")


def _step(action: str, source: str, target: str, says: str) -> transitions.Transition:
    """A step by its date that only changes the state."""
    return transitions.Transition(action, (source,), target, _TWO, {}, says, guard=_at(action))


TRANSITIONS: Final = (
    transitions.Transition(
        "plan",
        ("",),
        "draft",
        _TWO,
        {
            "market": COUNTRY,
            "reason": text(512),
            "directive": text(16, 0),
            "users": COUNT,
            "list": HASH,
            **_DATES,
            "no_notice": FLAG,
            "compelled": HASH_OR_NONE,
        },
        "Who is concerned, why, and the date of each step.",
        guard=_plan,
    ),
    transitions.Transition("approve", ("draft",), "approved", _TWO, {}, "The plan is decided."),
    _step("announce", "approved", "announced", "All users concerned are told."),
    _step("drain", "announced", "draining", "No new activations; users move."),
    _step("freeze", "draining", "read-only", "Users can export, not send."),
    transitions.Transition(
        "stop",
        ("announced", "draining", "read-only"),
        "stopped",
        _TWO,
        {},
        "The service ends; mail is answered 551 or 550.",
        guard=_stop,
    ),
    _step("retrieve", "stopped", "retrieval", "Users can only fetch their data."),
    _step(
        "prepare",
        "retrieval",
        "preparing",
        "Receipts are made and samples set apart; nothing is destroyed.",
    ),
    transitions.Transition(
        "destroy",
        ("preparing",),
        "destroying",
        (transitions.CUSTODIAN, transitions.CUSTODIAN),
        {"receipts": HASH, **dict.fromkeys(PERSONS, COUNT), "key": HASH},
        "Two custodians have the sealed data deleted and the wrapping key destroyed.",
        guard=_at("destroy"),
    ),
    transitions.Transition(
        "close",
        ("destroying",),
        "closed",
        (transitions.CUSTODIAN, transitions.CUSTODIAN),
        {
            "mails": COUNT,
            "parcels": COUNT,
            "key": HASH,
            "samples": Spec("count", 0, 64),
            "opened": Spec("count", 0, 0),
            "statement": HASH,
        },
        "What was destroyed is proved, and no sample opens any more.",
    ),
    transitions.Transition(
        "extend",
        RUNNING,
        {"preparing": "retrieval"},
        _TWO,
        {**_DATES, "document": HASH},
        "Dates are put off; a closure that is being prepared stops, with nothing destroyed.",
        guard=_extend,
    ),
    transitions.Transition(
        "accelerate",
        ("approved", "announced", "draining", "read-only"),
        transitions.KEEP,
        _TWO,
        {**_DATES, "document": HASH, "compelled": HASH_OR_NONE},
        "Dates are brought forward, until the stop.",
        guard=_accelerate,
    ),
    transitions.Transition(
        "rescind",
        ("draft", "approved", *RUNNING),
        "rescinded",
        _TWO,
        {"document": HASH},
        "The market is not left; service goes on.",
    ),
    transitions.Transition(
        "hold",
        RUNNING,
        transitions.KEEP,
        _TWO,
        {"reason": text(256)},
        "A legal hold: no step until it is released.",
        guard=_hold,
    ),
    transitions.Transition(
        "release",
        RUNNING,
        transitions.KEEP,
        _TWO,
        {"reason": text(256)},
        "The hold ends.",
        guard=_release,
    ),
)
"""docs/markets.md is drawn from this."""

WHILE_HELD: Final = frozenset({"extend", "rescind", "hold", "release"})
"""Actions on a held exit."""
