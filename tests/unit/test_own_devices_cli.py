"""The user's own devices and keys as commands show them; the server is nowhere."""

import asyncio
import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from blackthorn.device.operations import change_chain
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.errors import UnavailableError, UserError
from blackthorn.programs.device import chain_lookup, own_devices, recovery
from tests.support.chain_ledger import ChainLedger, Teller, look
from tests.support.device_home import ME, activated, invoke

BOB = "bob@acme.example"


def test_a_revoked_device_is_shown_as_revoked_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    info = activated(tmp_path, monkeypatch)[2].model("old").info
    reasons = ("lost", "live", "", "revoked")
    found = [own_devices.OwnDevice(info, "revoked", reason, 0, False, False) for reason in reasons]
    monkeypatch.setattr(own_devices, "list_devices", lambda device: found)
    lines = invoke("device", "list").stdout.splitlines()
    notes = [line[line.index("(") :] for line in lines]
    assert notes == ["(revoked: lost)", "(revoked: live)", "(revoked)", "(revoked)"]
    documents = json.loads(invoke("device", "list", "--json").stdout)
    assert [entry["standing"] for entry in documents] == ["lost", "live", "revoked", "revoked"]
    assert not any(entry["live"] for entry in documents)


def test_a_name_of_no_device_is_answered_with_the_names_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = activated(tmp_path, monkeypatch)[2]
    devices = [ledger.model(name).info for name in ("phone", "desk")]
    monkeypatch.setattr(change_chain, "known_chain", lambda unit: SimpleNamespace(devices=devices))
    error = invoke("device", "revoke", "laptop").exception
    assert isinstance(error, UserError)
    assert str(error) == "none of your devices is called laptop; yours are: phone, desk"


def test_verify_without_a_server_has_the_cause_and_the_exit_code_of_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated(tmp_path, monkeypatch)
    error = invoke("verify", BOB).exception
    assert isinstance(error, UnavailableError) and "cannot be reached" in str(error)
    ledger = ChainLedger()
    teller = Teller(ledger, ME, ledger.begin(ME))
    ledger.begin(BOB)
    ledger.publish()
    look(teller, DirectoryClient(), ME, BOB)
    monkeypatch.setattr(chain_lookup, "known", lambda device, address: teller.chain(BOB))
    monkeypatch.setattr(chain_lookup, "own", lambda device: teller.chain(ME))
    result = invoke("verify", BOB)
    assert f"You and {BOB} both see:" in result.stdout
    assert isinstance(result.exception, UnavailableError)
    assert "cannot be reached" in str(result.exception)
    assert "Only stored data was shown" in str(result.exception)


def test_a_wrong_word_says_that_the_words_on_the_paper_are_void() -> None:
    async def ask(text: str) -> str:
        return "wrong"

    with pytest.raises(UserError, match="its words are void"):
        asyncio.run(recovery.ask_again(["right"], [1], SimpleNamespace(ask=ask)))
