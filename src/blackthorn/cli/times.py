"""Times as commands print them: RFC 3339 for programs, local time for people."""

from datetime import UTC, datetime


def rfc3339(time_ms: int) -> str:
    """A time for programs; one outside the calendar becomes the calendar's beginning."""
    return _time(time_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def local_time(time_ms: int) -> str:
    """A time for people; one outside the calendar becomes the calendar's beginning."""
    moment = _time(time_ms)
    try:
        moment = moment.astimezone()
    except OverflowError:
        moment = _time(0)
    return moment.strftime("%Y-%m-%d %H:%M")


def _time(time_ms: int) -> datetime:
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC)
    except (OverflowError, ValueError, OSError):
        return datetime.fromtimestamp(0, UTC)
