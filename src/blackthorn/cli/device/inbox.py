"""Commands that show messages: `inbox` and `history`."""

from collections import Counter
from contextlib import suppress
from dataclasses import replace
from typing import Annotated, Any

from typer import Argument, Option

from blackthorn.cli import terminal, times
from blackthorn.cli.device import alarm_texts, exit_notices, outcomes, signatures
from blackthorn.cli.options import (
    DeviceOptions,
    JsonOption,
    on_device,
    parse_addresses,
    program,
    require_reached,
)
from blackthorn.device.core.group_metadata import GROUP, SELF
from blackthorn.device.operations.table import operation_of
from blackthorn.errors import DamageError, UserError
from blackthorn.mail.render.text import safe_line, safe_text
from blackthorn.ports.device_store import History, HistoryQuery, HistoryRecord, Place, Records
from blackthorn.programs.device.program import DeviceProgram
from blackthorn.programs.event_loop import run
from blackthorn.wire.address import domain_of
from blackthorn.wire.printable import bracketed
from blackthorn.wire.words import count

_ALL = -1
_LAST = 100
"""Lines that are printed without --last and --all."""

ELSEWHERE = (
    "Another process of this device receives its messages, such as `blackthorn inbox --follow`: "
    "what it has stored so far is shown."
)

_ID_CHARACTERS = 8
"""Hexadecimal digits that name a group, as `group list` shows them and `group send` takes them."""

LastOption = Annotated[
    int | None,
    Option(min=1, help=f"Print only this many of the newest. Default: {_LAST}, with --json all."),
]
AllOption = Annotated[bool, Option("--all", help="Print all messages.")]


@on_device
def inbox(
    at: DeviceOptions,
    follow: Annotated[
        bool, Option("--follow", "-f", help="Wait for new messages and print them.")
    ] = False,
    last: LastOption = None,
    everything: AllOption = False,
    json: JsonOption = False,
) -> None:
    """Receive and print messages; `history` shows your own too.

    With --follow: print new messages, then each message as it arrives. Open alarms, market
    notices and decisions that wait for your signature are printed on standard error, and how many
    messages are missing or could not be opened, which `status` tells more of. Exit code 6: the
    server was not reached, and only stored messages are shown. The beginning of a group's id
    follows its name if another group has the same name. Lines stand in the order in which they
    were received; the time is the sender's.
    --json prints an array of {"id", "conversation", "conversation_id", "kind",
    "from", "text", "sent", "received", "event", "mark"}; with --follow one object a line. "kind"
    is "direct" or "group", times are RFC 3339, and an "event" is a line of the program itself,
    such as a new member. "mark" is what stands behind the sender of a text that came in an
    unusual way, such as "handed on by your laptop", else "".
    """
    if follow and (everything or last is not None):
        raise UserError("--follow prints new messages only: leave --all and --last away")
    device = program(at)
    if follow:
        run(_follow(device, json))
    else:
        _look(device, _limit(last, everything, json), json)


async def _follow(device: DeviceProgram, json: bool) -> None:
    away, alarms, notices, lacking = False, set[int](), set[str](), ""

    def lost(reason: str) -> None:
        nonlocal away
        away = True
        terminal.note(f"{reason.rstrip('.')}. Trying again.")

    def changed() -> None:
        nonlocal away, lacking
        if away:
            away = False
            terminal.note("Connected again.")
        alarm_texts.show_open(device, alarms)
        exit_notices.show_all(device, notices)
        _print_new(device, json)
        if device.device.drained:  # a text may come before what opens it
            lacking = tell_lacking(device, lacking)
        outcomes.tell_failures(device)

    alarm_texts.show_open(device, alarms)
    exit_notices.show_all(device, notices)
    _print_new(device, json)
    await signatures.show_waiting(device)
    await device.follow(changed, lost)


def _print_new(device: DeviceProgram, json: bool) -> None:
    with device.opened.vault.transaction() as records:
        lines = records.history.unshown(1000)
        repeated = set() if json else _repeated(records.history, lines)
    for line in lines:
        if json:
            terminal.print_json(_message(line))
        else:
            _print_line(line, repeated)
    if lines:
        with device.opened.vault.transaction() as records:
            records.history.set_shown([line.number for line in lines])


def _look(device: DeviceProgram, limit: int, json: bool) -> None:
    unreached = run(device.try_fetch())
    if device.fetches_elsewhere:
        terminal.note(ELSEWHERE)
    alarm_texts.show_open(device)
    exit_notices.show_all(device)
    if not unreached:
        run(signatures.show_waiting(device))
    query = HistoryQuery(received=True)
    with device.opened.vault.transaction() as records:
        lines = records.history.latest(limit, query)
    if json:
        terminal.print_json([_message(line) for line in lines])
    else:
        _print_lines(device, lines, limit, query)
    with device.opened.vault.transaction() as records:
        records.history.set_shown([line.number for line in lines if not line.shown])
    tell_lacking(device)
    outcomes.tell_failures(device)
    require_reached(unreached)


def tell_lacking(device: DeviceProgram, told: str = "") -> str:
    """Tell how many messages cannot be shown, unless that was `told`; what was told."""
    with device.opened.vault.transaction() as records:
        closed, missing = len(records.parcels.all_undecryptable()), records.peers.count_gaps()
    parts = [f"{count(closed, 'message')} could not be opened yet"] if closed else []
    if missing:
        parts.append(count(missing, "message is missing", "messages are missing"))
    lacking = " and ".join(parts)
    if lacking and lacking != told:
        terminal.note(f"{lacking}: see `blackthorn status`.")
    elif told and not lacking:
        terminal.note("No message is closed or missing any more.")
    return lacking


@on_device
def history(
    conversation: Annotated[
        str | None, Argument(metavar="CONVERSATION", help="An address, a group's name or its id.")
    ] = None,
    *,
    at: DeviceOptions,
    last: LastOption = None,
    everything: AllOption = False,
    json: JsonOption = False,
) -> None:
    """Print the stored messages of both sides, without connecting.

    Your own lines begin with → and the person or the group, and say "waiting" or "not sent" and
    why until the server has them. Lines stand in the order in which this device stored them; the
    time is the sender's, so it may be earlier than that of the line before. --json adds "mine",
    "standing" (received, accepted, waiting, failed) and "why" to the fields of `inbox --json`.
    """
    device, limit = program(at), _limit(last, everything, json)
    with device.opened.vault.transaction() as records:
        query = HistoryQuery()
        if conversation is not None:
            domain = domain_of(device.opened.keys.address)
            query = HistoryQuery(places=_places(records, conversation, domain))
        waiting = _why_waiting(records)
        lines = [
            replace(line, why=waiting.get(line.message, line.why))
            for line in records.history.latest(limit, query)
        ]
    if not json:
        _print_lines(device, lines, limit, query)
        return
    me = device.opened.keys.address
    mine = [
        {"mine": line.sender == me, "standing": line.standing, "why": line.why} for line in lines
    ]
    terminal.print_json([_message(line) | more for line, more in zip(lines, mine, strict=True)])


def _limit(last: int | None, everything: bool, json: bool) -> int:
    return _ALL if everything else last or (_ALL if json else _LAST)


def _places(records: Records, typed: str, domain: str) -> list[Place]:
    """Those of that name, and of an id that begins so; none for another address of the domain.

    Raises UserError.
    """
    wanted = typed.strip().casefold()
    id_ = wanted if len(wanted) >= _ID_CHARACTERS else "-"
    known = [
        Place(each.id, each.kind, each.name)
        for each in records.conversations.all()
        if each.kind != SELF
    ]
    found = [
        place
        for place in {*records.history.places(), *known}
        if place.name.casefold() == wanted or place.conversation.hex().startswith(id_)
    ]
    if not found and wanted.endswith(f"@{domain}"):
        (address,) = parse_addresses([wanted])
        terminal.note(f"Nothing was written with {address} yet.")
    elif not found:
        whole = "" if "@" in wanted or " " in wanted else f", such as {safe_line(wanted)}@{domain}"
        raise UserError(
            f"there is no conversation {safe_line(typed)!r}: give a person's whole address{whole}, "
            "or a group's name or id, as blackthorn group list shows them"
        )
    return found


def _repeated(history: History, lines: list[HistoryRecord]) -> set[str]:
    """The names, as they are shown, that more than one group has; none without a group's line."""
    if all(line.kind != GROUP for line in lines):
        return set()
    places = history.places()  # reads the whole history
    groups = {(place.conversation, _shown(place.name)) for place in places if place.kind == GROUP}
    counts = Counter(name for conversation, name in groups if conversation)
    return {name for name, count in counts.items() if count > 1}


def _shown(name: str) -> str:
    return safe_line(name).casefold()


def _print_lines(
    device: DeviceProgram, lines: list[HistoryRecord], limit: int, query: HistoryQuery
) -> None:
    """Print for a person; on standard error how many older ones there are, and how to see them."""
    with device.opened.vault.transaction() as records:
        older = records.history.count(query) - len(lines) if limit != _ALL else 0
        repeated = _repeated(records.history, lines)
    if not lines and query.places != []:  # of nobody that was said already
        terminal.say("No messages.")
    for line in lines:
        _print_line(line, repeated)
    if older:
        hidden = count(older, "older message is", "older messages are")
        terminal.note(f"{hidden} not shown: --all shows all, --last N the newest N.")


def _message(line: HistoryRecord) -> dict[str, Any]:
    return {
        "id": line.message.hex(),
        "conversation": line.name,
        "conversation_id": line.conversation.hex(),
        "kind": line.kind,
        "from": line.sender,
        "text": line.text,
        "sent": times.rfc3339(line.sent_ms),
        "received": times.rfc3339(line.received_ms),
        "event": line.sort == "event",
        "mark": line.mark,
    }


def _why_waiting(records: Records) -> dict[bytes, str]:
    """Message id of a text that waits → why; not of what only a later program can read."""
    found: dict[bytes, str] = {}
    for row in records.outbox.all():
        with suppress(DamageError):
            found[operation_of(row).history_line] = row.problem
    return found


def _standing(line: HistoryRecord) -> str:
    """What became of an own text, and why, behind its recipient."""
    if line.standing == "accepted":
        return f" ({safe_line(line.why)})" if line.why else ""
    why = f": {safe_line(line.why)}" if line.why else ""
    return f" ({'not sent' if line.standing == 'failed' else line.standing}{why})"


def _print_line(line: HistoryRecord, repeated: set[str]) -> None:
    place = f" {bracketed(line.name)}" if line.kind == GROUP else ""
    if place and _shown(line.name) in repeated:
        place += f" {line.conversation.hex()[:_ID_CHARACTERS]}"
    if line.standing == "received":
        which = f" ({line.mark})" if line.mark else ""
        who = f" {line.sender}{which}:" if line.sort == "text" else " *"
    else:
        place = f" →{place}" if place else f" → {safe_line(line.name)}"
        who = f"{_standing(line)}:"
    mark = " " if line.shown else "●"
    head = f"{mark} {times.local_time(line.sent_ms)}{place}{who} "
    terminal.say_text(safe_text(line.text), head=head)
