"""Times as text (RFC 3339)."""

import datetime


def rfc3339(unix_ms: int) -> str:
    """Unix milliseconds in UTC, to the second."""
    moment = datetime.datetime.fromtimestamp(unix_ms // 1000, datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
