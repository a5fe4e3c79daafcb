"""Small mailboxes for tests."""

import pytest

from blackthorn.server.messaging import limits


def limit_mailboxes(monkeypatch: pytest.MonkeyPatch, parcels: int) -> None:
    """A mailbox has room for so many parcels, of whomever: there are no shares."""
    monkeypatch.setattr(limits, "MAX_MAILBOX_PARCELS", parcels)
    monkeypatch.setattr(limits, "OPEN_PERCENT", 100)
    monkeypatch.setattr(limits, "KNOWN_PERCENT", 100)
    monkeypatch.setattr(limits, "SENDER_SHARE", 1)
