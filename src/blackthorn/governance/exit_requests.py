"""Forms for decisions on leaving a market, and default dates."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from blackthorn.errors import UserError
from blackthorn.governance import exits
from blackthorn.governance.inputs import DAY_MS, parse_directive
from blackthorn.governance.requests import Context, DecisionRequest, Input, make_form, noted
from blackthorn.governance.transitions import Case, find
from blackthorn.governance.values import COUNT, Spec
from blackthorn.wire.words import count

READ_ONLY_DAYS: Final = 14
RETRIEVAL_DAYS: Final = 30
BACKUPS_DAYS: Final = 180
FORWARDING_DAYS: Final = 365


def _plan(context: Context, request: DecisionRequest) -> DecisionRequest:
    """`measured` has the market, `users` and `list`."""
    public = dict(request.public)
    if "directive" in public:
        public["directive"] = parse_directive(public["directive"])
    default = {**request.default, **planned_dates(_entered_dates(request), context.now_ms)}
    note = f"It concerns {count(public['users'], 'user')} of {public['market']}."
    return noted(replace(request, public=public, default=default), note)


def _entered_dates(request: DecisionRequest) -> dict[str, int]:
    return {name: at_ms for name, at_ms in request.public.items() if name.endswith("_ms")}


def planned_dates(entered: Mapping[str, int], now_ms: int) -> dict[str, int]:
    """All dates: those entered, and defaults for the others.

    Announced now, activations end then, read-only 14 days before the stop, retrieval ends 30 days
    after it, backups 180 days later, forwarding 365 days after the stop.
    """
    stop = entered["stop_ms"]
    dates = {"announce_ms": min(now_ms, stop), **entered}
    dates.setdefault("activations_ms", dates["announce_ms"])
    earliest = max(dates["activations_ms"], dates["announce_ms"])
    before = stop - READ_ONLY_DAYS * DAY_MS
    dates.setdefault("read_only_ms", min(max(before, earliest), stop))
    dates.setdefault("retrieval_end_ms", stop + RETRIEVAL_DAYS * DAY_MS)
    dates.setdefault("backups_end_ms", dates["retrieval_end_ms"] + BACKUPS_DAYS * DAY_MS)
    dates.setdefault("forwarding_end_ms", stop + FORWARDING_DAYS * DAY_MS)
    return dates


def listed_users(document: bytes, name: str) -> dict[str, Any]:
    """The fields `users` and `list` of a document `name` with one address a line.

    `list` is SHA-256 of the lower-case addresses, sorted, each ended by a line feed.
    """
    try:
        lines = document.decode().split("\n")
    except UnicodeDecodeError:
        raise UserError(f"{name} is not UTF-8 text with one address a line") from None
    addresses = sorted({line.strip().lower() for line in lines if line.strip()})
    for address in addresses:
        if address.count("@") != 1 or any(letter.isspace() or letter in "*%" for letter in address):
            raise UserError(f"{name}: {address!r} is not an address")
    joined = "".join(f"{address}\n" for address in addresses).encode()
    return {"users": len(addresses), "list": hashlib.sha256(joined).digest()}


def _move_dates(context: Context, request: DecisionRequest) -> DecisionRequest:
    """Extend or accelerate. Moving only the stop moves the dates after it."""
    before, entered = exits.dates(context.case), _entered_dates(request)
    if not entered:
        raise UserError(f"enter a new date, such as {context.label('stop')} DATE")
    by = entered.get("stop_ms", before["stop_ms"]) - before["stop_ms"]
    dates = dict(before)
    for name in ("read_only_ms", "retrieval_end_ms", "backups_end_ms", "forwarding_end_ms"):
        dates[name] += by
    dates["read_only_ms"] = max(dates["read_only_ms"], before["activations_ms"])
    return _concerning(context, replace(request, default={**request.default, **dates}))


def _concerning(context: Context, request: DecisionRequest) -> DecisionRequest:
    """Notes the affected users and the dates in force."""
    case, show = context.case, context.show_time
    public, dates = case.last("plan"), exits.dates(case)
    return noted(
        request,
        f"It concerns {count(public['users'], 'user')} of {public['market']}; "
        f"{case.id} is {case.state}{', held' if case.held else ''}.",
        f"Read only {show(dates['read_only_ms'])}, stop {show(dates['stop_ms'])}, "
        f"retrieval until {show(dates['retrieval_end_ms'])}.",
    )


def _next_of(case: Case) -> str:
    """The usual next command of an exit, as advice; "" when there is none."""
    name = NEXT.get(case.history[-1].action) if case.history else "plan"
    return f"; next is: blackthorn market {name} {case.id[2:4]}" if name else ""


@dataclass(frozen=True, slots=True)
class Stage:
    """Steps that share one command; the exit's state selects the action.

    `without_notice` replaces `actions` for an exit planned without notice.
    """

    help: str
    actions: Mapping[str, str]
    without_notice: Mapping[str, str] = field(default_factory=dict)

    def action(self, case: Case) -> str:
        """The action in this state. Raises UserError when there is none."""
        actions = self.actions
        if self.without_notice and case.last("plan").get("no_notice"):
            actions = self.without_notice
        if case.state not in actions:
            states = " or ".join(actions)
            raise UserError(
                f"{case.id} is {case.state or 'not decided yet'}: this step needs an exit that is "
                f"{states}{_next_of(case)}"
            )
        return actions[case.state]


_STOP: Final = {"read-only": "stop", "stopped": "retrieve"}

STAGES: Final = {
    "approve": Stage("Decide the plan.", {"draft": "approve"}),
    "announce": Stage("Tell everybody concerned, by message and mail.", {"approved": "announce"}),
    "drain": Stage(
        "No new activations; called again when its day has come, read-only (the action freeze).",
        {"announced": "drain", "draining": "freeze"},
    ),
    "stop": Stage(
        "End the service; called again, people may fetch what is theirs (the action retrieve).",
        _STOP,
        {"announced": "stop", "draining": "stop", **_STOP},
    ),
    "close": Stage(
        "Prepare the closure; called again, destroy; called again, close.\n\n"
        "Until the second nothing is destroyed. Destroying and closing are signed by two "
        "custodians,\nwith the numbers that the server's closure has counted.",
        {"retrieval": "prepare", "preparing": "destroy", "destroying": "close"},
    ),
}
"""Command → its steps."""

NEXT: Final = {
    "plan": "approve",
    "approve": "announce",
    "announce": "drain",
    "drain": "drain",
    "freeze": "stop",
    "stop": "stop",
    "retrieve": "close",
    "prepare": "close",
    "destroy": "close",
}
"""Action → the command whose step usually follows it."""


def next_date(case: Case, action: str) -> int:
    """The date of the step that usually follows an action, Unix milliseconds; 0 without one."""
    state = find(exits.TRANSITIONS, action).result(case.state, {})
    following = STAGES[NEXT[action]].actions[state]
    return exits.dates(case).get(exits.DUE.get(following, ""), 0)


def closure_fields(action: str, counted: Mapping[str, Any]) -> dict[str, Any]:
    """The public fields of an action from a closure's counts; ignores other counts."""
    fields: dict[str, Any] = {}
    for name, spec in find(exits.TRANSITIONS, action).public.items():
        if name not in counted:
            raise UserError(f"the closure's numbers lack {name!r}")
        fields[name] = _closure_field(name, spec, counted[name])
    return fields


def _closure_field(name: str, spec: Spec, value: Any) -> Any:
    if spec.kind == COUNT.kind:
        if type(value) is not int:
            raise UserError(f"the closure's numbers: {name!r} is not a whole number")
        return value
    try:
        return value if isinstance(value, bytes) else bytes.fromhex(str(value))
    except ValueError:
        raise UserError(f"the closure's numbers: {name!r} is not a hash in hex") from None


_form = partial(make_form, exits.TRANSITIONS)

_REASON: Final = Input("reason", "reason", "Why. Published.", required=True)
_DOCUMENT: Final = Input("document", "document", "Its document, to be hashed.", required=True)
_COMPELLED: Final = Input("compelled", "compelled", "A document that compels it, to be hashed.")
_STOP_DATE: Final = Input("stop", "stop_ms", "When the service ends.")
_ANNOUNCE: Final = Input("announce", "announce_ms", "When people are told. Default: now.")
_LATER_DATES: Final = (
    Input("activations-end", "activations_ms", "From when nobody is added. Default: when told."),
    Input("read-only", "read_only_ms", "Default: 14 days before the stop."),
    Input("retrieval-end", "retrieval_end_ms", "Default: 30 days after the stop."),
    Input("backups-end", "backups_end_ms", "Default: 180 days after the retrieval."),
    Input("forwarding-end", "forwarding_end_ms", "Default: 365 days after the stop."),
)

_FORMS: Final = (
    _form(
        "plan",
        "Plan to leave a market: who is concerned, why, and the date of each step.\n\n"
        "At least 30 days of notice and 30 of retrieval, unless a document compels otherwise.",
        _REASON,
        replace(_STOP_DATE, required=True),
        _ANNOUNCE,
        *_LATER_DATES,
        Input("no-notice", "no_notice", "Users cannot be told beforehand."),
        _COMPELLED,
        Input("directive", "directive", "The directive that is the reason.", placeholder="ID"),
        finish=_plan,
    ),
    _form(
        "extend",
        "Put dates off. What hangs on the stop moves along with it, unless it is given.",
        _DOCUMENT,
        _STOP_DATE,
        *_LATER_DATES,
        finish=_move_dates,
    ),
    _form(
        "accelerate",
        "Bring dates forward. What hangs on the stop moves along with it, unless it is given.",
        _DOCUMENT,
        _COMPELLED,
        _STOP_DATE,
        _ANNOUNCE,
        *_LATER_DATES,
        finish=_move_dates,
    ),
    _form(
        "rescind",
        "Stay after all: service goes on. Possible until the destruction begins.",
        _DOCUMENT,
        finish=_concerning,
    ),
    _form(
        "hold",
        "A legal hold: no step of the exit until it is released.",
        _REASON,
        finish=_concerning,
    ),
    _form("release", "End a legal hold.", _REASON, finish=_concerning),
    *(
        _form(action, find(exits.TRANSITIONS, action).says, finish=_concerning)
        for stage in STAGES.values()
        for action in dict.fromkeys(stage.actions.values())
    ),
)

FORMS: Final = {form.move.action: form for form in _FORMS}
"""Action of an exit → its form. `destroy` and `close` sign `closure_fields`."""
