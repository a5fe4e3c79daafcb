"""Times in output: RFC 3339 for programs, local time and durations for users."""

from datetime import UTC, datetime


def rfc3339(time_ms: int) -> str:
    """A time for programs; the epoch for a time outside the calendar."""
    return _time(time_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_time(time_ms: int) -> str:
    """A local time for users; the epoch for a time outside the calendar."""
    moment = _time(time_ms)
    try:
        moment = moment.astimezone()
    except OverflowError:
        moment = _time(0)
    return moment.strftime("%Y-%m-%d %H:%M")


def duration(time_ms: int) -> str:
    """A duration for users, in whole minutes, hours or days."""
    minutes = time_ms // 60_000
    for unit, size in (("days", 1440), ("hours", 60)):
        if minutes >= 2 * size:
            return f"{minutes // size} {unit}"
    return f"{minutes} minutes"


def _time(time_ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)
