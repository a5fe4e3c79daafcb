"""Alarms as text and JSON."""

from typing import Any

from blackthorn.cli import terminal, times
from blackthorn.device.transparency import alarms
from blackthorn.device.transparency.alarms import Effect, Kind, Scope
from blackthorn.mail.render.text import safe_line
from blackthorn.ports.device_store import AlarmRecord
from blackthorn.programs.device.program import DeviceProgram

_UNKNOWN = Kind("An alarm of another version of this program", Effect.NOTICE, Scope.LEDGER)


def kind_of(alarm: AlarmRecord) -> Kind:
    return alarms.KINDS.get(alarm.code, _UNKNOWN)


def document(alarm: AlarmRecord) -> dict[str, Any]:
    kind = kind_of(alarm)
    return {
        "number": alarm.number,
        "code": alarm.code,
        "about": alarm.address or "the ledger",
        "meaning": kind.meaning,
        "text": alarm.text,
        "since": times.rfc3339(alarm.at_ms),
        "effect": kind.effect.value,
        "accepted": alarm.accepted,
        "ended": times.rfc3339(alarm.ended_ms) if alarm.ended_ms else None,
        "evidence": len(alarm.evidence),
    }


def lines(alarm: AlarmRecord) -> list[str]:
    """The lines for a terminal: meaning, text, blocked operations."""
    kind = kind_of(alarm)
    about = f" ({safe_line(alarm.address)})" if alarm.address else ""
    shown = [f"{alarm.number}  {times.local_time(alarm.at_ms)}  {kind.meaning}{about}."]
    shown.append(f"    {safe_line(alarm.text)}")
    stop = _stop(alarm, kind.effect)
    if alarm.ended_ms:
        shown.append(f"    Ended on {times.local_time(alarm.ended_ms)}.")
    elif alarm.accepted:
        shown.append("    Accepted.")
    elif stop:
        shown.append(f"    {stop} until you run: blackthorn alarms accept {alarm.number}")
    if alarm.evidence:
        shown.append(f"    Evidence: blackthorn alarms export {alarm.number} FILE")
    return shown


def _stop(alarm: AlarmRecord, effect: Effect) -> str:
    if effect is Effect.NOTICE:
        return ""
    if kind_of(alarm).scope is not Scope.PERSON:
        return "No new contacts and no new members"
    to = safe_line(alarm.address)
    groups = effect is Effect.GROUPS
    return f"Nothing is sent to groups with {to}" if groups else f"Nothing is sent to {to}"


def show_open(program: DeviceProgram, shown: set[int] | None = None) -> None:
    """Print open alarms on standard error, except those in `shown`."""
    with program.opened.vault.transaction() as records:
        found = alarms.open_alarms(records)
    for alarm in found:
        if shown is None or alarm.number not in shown:
            style = None if kind_of(alarm).effect is Effect.NOTICE else "bold red"
            for line in (f"ALARM {lines(alarm)[0]}", *lines(alarm)[1:]):
                terminal.note(line, style)
        if shown is not None:
            shown.add(alarm.number)
