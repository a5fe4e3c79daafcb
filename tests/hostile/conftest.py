"""Worlds of a trial are small: a device keeps few key packages, which take most of the time."""

from collections.abc import Iterator

import pytest

from blackthorn.device.conversations import limits
from blackthorn.server.messaging import limits as messaging_limits


@pytest.fixture(autouse=True)
def _few_key_packages(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(limits, "KEY_PACKAGE_STOCK_LOW", 4)
    monkeypatch.setattr(limits, "KEY_PACKAGE_STOCK", 12)
    monkeypatch.setattr(messaging_limits, "RESERVED_KEY_PACKAGES", 2)
    yield
