"""What an officer says of a market's exit, made into the decision that he signs."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from blackthorn.cli.officer.decide import Concerned, Form
from blackthorn.cli.officer.fields import DAY_MS, hash_of, parse_date, parse_directive, read_file
from blackthorn.cli.times import local_time
from blackthorn.device.transparency.decisions import VerifiedDecisions
from blackthorn.errors import UserError
from blackthorn.governance import exits
from blackthorn.governance.transitions import Case, find
from blackthorn.governance.values import COUNT, Spec

READ_ONLY_DAYS: Final = 14
RETRIEVAL_DAYS: Final = 30
BACKUPS_DAYS: Final = 180
FORWARDING_DAYS: Final = 365

OPTIONS: Final = {
    "announce_ms": "--announce",
    "activations_ms": "--activations-end",
    "read_only_ms": "--read-only",
    "stop_ms": "--stop",
    "retrieval_end_ms": "--retrieval-end",
    "backups_end_ms": "--backups-end",
    "forwarding_end_ms": "--forwarding-end",
}
"""Date of an exit → the option by which it is given."""

Dates = dict[str, str | None]
"""Date of an exit → as it was typed, None for one that was not."""


def dates_of(*texts: str | None) -> Dates:
    """The dates as they were typed, in the order of OPTIONS."""
    return dict(zip(OPTIONS, texts, strict=True))


def case_of(office: VerifiedDecisions, market: str) -> Case:
    """The market's exit, also one that only waits to be planned. Raises UserError."""
    found = office.cases.exit_of(market)
    if found is None:
        raise UserError(f"there is no exit of {market}: see blackthorn market list")
    return found


# --- Planning -------------------------------------------------------------------------------


def plan(
    office: VerifiedDecisions,
    market: str,
    said: dict[str, Any],
    dates: Dates,
    who: Concerned | None,
    now_ms: int,
) -> Form:
    """A new exit. `said` are the fields that are no dates; `who` is concerned, if it is known."""
    case = office.cases.next_exit(market)
    waits = office.waiting.get(case)
    if who is None and waits is None:
        raise UserError("who is concerned is not known: give their addresses by --list")
    given = typed(dates)
    default = {**planned(given, now_ms), "directive": "", "no_notice": 0, "compelled": None}
    public = {"market": market, **said, **given}
    if who is not None:
        public |= {"users": who.users, "list": who.list}
    if "directive" in said:
        public["directive"] = parse_directive(said["directive"])
    users = public.get("users", waits.signed.statement.public.get("users") if waits else 0)
    return Form(case, "plan", public, default, notes=(f"It concerns {users} users of {market}.",))


def typed(dates: Dates) -> dict[str, int]:
    """The dates that were given, in Unix milliseconds."""
    return {
        name: parse_date(text, OPTIONS[name]) for name, text in dates.items() if text is not None
    }


def planned(given: Mapping[str, int], now_ms: int) -> dict[str, int]:
    """All dates: those given, and what follows from them.

    Announced now, no activations from then on, read-only 14 days before the stop, retrieval 30
    days after it, back-ups 180 days after that, forwarding 365 days after the stop.
    """
    stop = given["stop_ms"]
    dates = {"announce_ms": min(now_ms, stop), **given}
    dates.setdefault("activations_ms", dates["announce_ms"])
    earliest = max(dates["activations_ms"], dates["announce_ms"])
    before = stop - READ_ONLY_DAYS * DAY_MS
    dates.setdefault("read_only_ms", min(max(before, earliest), stop))
    dates.setdefault("retrieval_end_ms", stop + RETRIEVAL_DAYS * DAY_MS)
    dates.setdefault("backups_end_ms", dates["retrieval_end_ms"] + BACKUPS_DAYS * DAY_MS)
    dates.setdefault("forwarding_end_ms", stop + FORWARDING_DAYS * DAY_MS)
    return dates


def listed(path: Path) -> Concerned:
    """The users concerned, from a file with an address in each line.

    The hash is SHA-256 of the addresses in lower case, sorted, each ended by a line feed.
    """
    try:
        lines = read_file(path).decode().split("\n")
    except UnicodeDecodeError:
        raise UserError(f"{path} is no text with an address in each line") from None
    names = sorted({each.strip().lower() for each in lines if each.strip()})
    for each in names:
        if each.count("@") != 1 or any(letter.isspace() or letter in "*%" for letter in each):
            raise UserError(f"{path}: {each!r} is no address")
    joined = "".join(f"{each}\n" for each in names).encode()
    return Concerned(len(names), hashlib.sha256(joined).digest())


# --- Changing a plan ------------------------------------------------------------------------


def move_dates(case: Case, action: str, dates: Dates, said: dict[str, Any]) -> Form:
    """Extend or accelerate. When only the stop is given, what hangs on it moves along."""
    before, given = exits.dates(case), typed(dates)
    if not given:
        raise UserError("say which date is another, such as --stop DATE")
    by = given.get("stop_ms", before["stop_ms"]) - before["stop_ms"]
    default = dict(before)
    for name in ("read_only_ms", "retrieval_end_ms", "backups_end_ms", "forwarding_end_ms"):
        default[name] += by
    default["read_only_ms"] = max(default["read_only_ms"], before["activations_ms"])
    if action == "accelerate":
        said = {"compelled": None, **said}
    compelled = {"compelled": said.pop("compelled")} if said.get("compelled", 1) is None else {}
    return Form(case.id, action, {**said, **given}, {**default, **compelled}, notes=_notes(case))


def document(case: Case, action: str, path: Path) -> Form:
    """Rescind: by a document."""
    return Form(case.id, action, {"document": hash_of(path)}, notes=_notes(case))


def reason(case: Case, action: str, text: str) -> Form:
    """Hold or release: for a reason."""
    return Form(case.id, action, {"reason": text}, notes=_notes(case))


# --- Going on -------------------------------------------------------------------------------


def step(case: Case, ways: Mapping[str, str]) -> Form:
    """The step that a command means in the case's state. Raises UserError when it means none."""
    action = ways.get(case.state)
    if action is None:
        standing = ", ".join(ways)
        raise UserError(f"{case.id} is {case.state}: this is for one that is {standing}")
    return Form(case.id, action, notes=_notes(case))


DRAIN: Final = {"announced": "drain", "draining": "freeze"}
STOP: Final = {"read-only": "stop", "stopped": "retrieve"}
STOP_AT_ONCE: Final = {"announced": "stop", "draining": "stop", **STOP}
CLOSE: Final = {"retrieval": "prepare", "preparing": "destroy", "destroying": "close"}


def closing(case: Case, fields_from_server: Mapping[str, Any] | None) -> Form:
    """Prepare, destroy or close. The last two sign the numbers that the closure has counted."""
    form = step(case, CLOSE)
    if form.action == "prepare":
        return form
    if fields_from_server is None:
        raise UserError(
            "the closure has not counted yet: try again in a moment, or give its numbers by --facts"
        )
    public = closure_fields(form.action, fields_from_server)
    return Form(case.id, form.action, public, notes=form.notes)


def closure_fields(action: str, said: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `destroy` or `close` of those that the server's closure tells; hashes in hex.

    Other fields are passed over, so that one document may serve both. Raises UserError.
    """
    specs = find(exits.TRANSITIONS, action).public
    found: dict[str, Any] = {}
    for name, spec in specs.items():
        if name not in said:
            raise UserError(f"the closure's numbers lack {name!r}")
        found[name] = _closure_field(name, spec, said[name])
    return found


def _closure_field(name: str, spec: Spec, value: Any) -> Any:
    if spec.kind == COUNT.kind:
        if type(value) is not int:
            raise UserError(f"the closure's numbers: {name!r} is no whole number")
        return value
    try:
        return value if isinstance(value, bytes) else bytes.fromhex(str(value))
    except ValueError:
        raise UserError(f"the closure's numbers: {name!r} is no hash in hex") from None


def _notes(case: Case) -> tuple[str, ...]:
    """Whom and what a step concerns, by the plan that is carried out."""
    public, dates = case.last("plan"), exits.dates(case)
    lines = [
        f"It concerns {public['users']} users of {public['market']}; {case.id} is {case.state}"
        f"{', held' if case.held else ''}.",
        f"Read only {local_time(dates['read_only_ms'])}, stop {local_time(dates['stop_ms'])}, "
        f"retrieval until {local_time(dates['retrieval_end_ms'])}.",
    ]
    return tuple(lines)
