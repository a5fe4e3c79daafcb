"""The settings of a device, as its command shows and changes them."""

import json
from pathlib import Path

import pytest

from blackthorn.device.core import kept_epochs, limits, preferences
from blackthorn.errors import UserError
from tests.support.device_home import activated, invoke


def shown() -> dict[str, int]:
    document = json.loads(invoke("device", "settings", "--json").stdout)
    return {entry["name"]: entry["value"] for entry in document}


def test_a_setting_is_shown_changed_and_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    vault = activated(tmp_path, monkeypatch)[1]
    assert shown() == {"message-key-days": 3, "renewal-days": 7, "renewal-messages": 1_000}
    lines = invoke("device", "settings", "renewal-messages", 500).stdout.splitlines()
    assert [" ".join(line.split()) for line in lines] == [
        "message-key-days 3 days (1 to 30)",
        "renewal-days 7 days of use (1 to 30)",
        "renewal-messages 500 messages (100 to 10,000, default 1,000)",
    ]
    explained = " ".join(invoke("device", "settings").stdout.split())
    assert "renewal-days 7 days of use (1 to 30) After how many days" in explained
    assert shown()["renewal-messages"] == 500
    with vault.transaction() as records:
        assert preferences.RENEWAL_MESSAGES.get(records.settings) == 500
        assert preferences.RENEWAL_DAYS.get(records.settings) == limits.RENEWAL_DAYS


@pytest.mark.parametrize("preference", preferences.PREFERENCES, ids=lambda known: known.name)
def test_a_value_out_of_bounds_changes_nothing(
    preference: preferences.Preference, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated(tmp_path, monkeypatch)
    for value in (preference.least - 1, preference.most + 1):
        error = invoke("device", "settings", preference.name, value).exception
        assert isinstance(error, UserError) and "nothing was changed" in str(error)
        assert shown()[preference.name] == preference.default
    for value in (preference.least, preference.most):
        invoke("device", "settings", preference.name, value)
        assert shown()[preference.name] == value


def test_an_unknown_name_or_no_value_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated(tmp_path, monkeypatch)
    for words, text in ((("colour", 1), "message-key-days"), (("renewal-days",), "new value")):
        error = invoke("device", "settings", *words).exception
        assert isinstance(error, UserError) and text in str(error)


def test_keys_are_kept_no_longer_than_their_epoch_can_be_known() -> None:
    assert preferences.MESSAGE_KEYS.most * kept_epochs.DAY_MS == limits.KEPT_EPOCH_SECONDS * 1000
