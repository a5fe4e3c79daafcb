"""Calendar invitations (RFC 5545, by icalendar) as lines that a person reads. Nothing is answered.

Times are shown as they are written, with the name of their zone.
"""

from collections.abc import Iterator
from datetime import date, datetime
from typing import Any, Final

from icalendar import Calendar, Component

from blackthorn.mail.render import limits

_METHODS: Final = {
    "REQUEST": "Invitation",
    "REPLY": "Answer to an invitation",
    "CANCEL": "Cancelled",
    "COUNTER": "Proposal of another time",
    "DECLINECOUNTER": "The other time was declined",
    "REFRESH": "Request for the newest version",
    "ADD": "Further dates",
    "PUBLISH": "Calendar entry",
}
_KINDS: Final = ("VEVENT", "VTODO", "VJOURNAL", "VFREEBUSY")
_ANSWERS: Final = {
    "ACCEPTED": "accepted",
    "DECLINED": "declined",
    "TENTATIVE": "accepted for now",
    "DELEGATED": "delegated",
    "NEEDS-ACTION": "has not answered",
}


def calendar_text(source: str) -> str:
    """The entries of a calendar part; "" when it cannot be read. Never raises."""
    if len(source) > limits.MAX_CALENDAR_CHARS or source.count("\n") > limits.MAX_CALENDAR_LINES:
        return ""
    try:
        calendars = Calendar.from_ical(source, multiple=True)
        return "\n\n".join("\n".join(_lines(calendar)) for calendar in calendars)
    except Exception:  # icalendar raises many kinds for calendars that break its rules
        return ""


def _lines(calendar: Component) -> Iterator[str]:
    method = str(calendar.get("METHOD", "")).upper()
    entries = [entry for entry in calendar.walk() if entry.name in _KINDS]
    for entry in entries[: limits.MAX_CALENDAR_ENTRIES]:
        yield f"{_METHODS.get(method, 'Calendar entry')}: {_text(entry, 'SUMMARY') or '(no title)'}"
        yield from _entry(entry)
    if len(entries) > limits.MAX_CALENDAR_ENTRIES:
        yield f"[… and {len(entries) - limits.MAX_CALENDAR_ENTRIES} more entries]"


def _entry(entry: Component) -> Iterator[str]:
    for label, name in (("Begins", "DTSTART"), ("Ends", "DTEND"), ("Due", "DUE")):
        if moment := _moment(entry, name):
            yield f"  {label}: {moment}"
    for label, name in (
        ("Lasts", "DURATION"),
        ("Repeats", "RRULE"),
        ("Where", "LOCATION"),
        ("Status", "STATUS"),
        ("Link", "URL"),
    ):
        if text := _text(entry, name):
            yield f"  {label}: {text}"
    if organizer := entry.get("ORGANIZER"):
        yield f"  Organiser: {_person(organizer)}"
    attendees = _many(entry.get("ATTENDEE"))
    for attendee in attendees[: limits.MAX_CALENDAR_ENTRIES]:
        answer = _ANSWERS.get(str(_parameter(attendee, "PARTSTAT")).upper(), "")
        yield f"  With: {_person(attendee)}{f' ({answer})' if answer else ''}"
    if len(attendees) > limits.MAX_CALENDAR_ENTRIES:
        yield f"  [… and {len(attendees) - limits.MAX_CALENDAR_ENTRIES} more people]"
    for name in ("DESCRIPTION", "COMMENT"):
        if text := _text(entry, name):
            yield from ("", *(f"  {line}" for line in text.split("\n")))


def _text(entry: Component, name: str) -> str:
    value = entry.get(name)
    if value is None:
        return ""
    values = [_plain(each) for each in _many(value)]
    return "\n".join(values).strip()


def _plain(value: Any) -> str:
    if isinstance(value, str):
        return str(value)
    encoded = value.to_ical() if hasattr(value, "to_ical") else value
    return encoded.decode("utf-8", "replace") if isinstance(encoded, bytes) else str(encoded)


def _moment(entry: Component, name: str) -> str:
    value = entry.get(name)
    if value is None:
        return ""
    moment = getattr(value, "dt", None)
    if isinstance(moment, datetime):
        zone = _parameter(value, "TZID") or (moment.tzname() if moment.tzinfo else "local time")
        return f"{moment:%Y-%m-%d %H:%M} {zone}"
    if isinstance(moment, date):
        return f"{moment:%Y-%m-%d} (whole day)"
    return _plain(value)


def _person(value: Any) -> str:
    address = str(value)
    address = address[7:] if address.lower().startswith("mailto:") else address
    name = str(_parameter(value, "CN"))
    return f"{name} <{address}>" if name and name != address else address


def _parameter(value: Any, name: str) -> Any:
    return getattr(value, "params", {}).get(name, "")


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return value if isinstance(value, list) else [value]
