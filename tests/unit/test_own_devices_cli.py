"""The user's own devices and keys as commands show them; the server is nowhere."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.errors import UnavailableError, UserError
from blackthorn.programs.device import chain_lookup, home, ledger_replay, own_devices, recovery
from blackthorn.server.accounts.users import UserAdministration
from blackthorn.storage.device.unlock import WrongKeyError
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


@pytest.mark.parametrize(("typed", "opens"), [(["no", "no", "right"], True), (["no"] * 3, False)])
def test_a_wrong_passphrase_is_asked_for_three_times(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, typed: list[str], opens: bool
) -> None:
    monkeypatch.delenv(home.PASSPHRASE_FILE, raising=False)
    place = home.Home(tmp_path / "home", None)
    place.create("passphrase", Secret(b"right")).close()
    answers, prompts = iter(typed), list[str]()

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return next(answers)

    monkeypatch.setattr(home, "_ask", ask)
    if opens:
        place.unlock().close()
    else:
        with pytest.raises(WrongKeyError):
            place.unlock()
    assert len(prompts) == 3 and "not the passphrase" in prompts[1]


def test_an_own_address_is_repeated_when_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated(tmp_path, monkeypatch)
    assert str(invoke("send", ME, "hello").exception) == f"{ME} is your own address"


def test_a_refused_new_user_is_named(tmp_path: Path) -> None:
    users = UserAdministration(None, "acme.example", b"", bytes, "")
    for text in ("alice", "x@other.example"):
        with pytest.raises(UserError, match=f"^{text}: "):
            users.check_new(text)


def test_a_check_of_the_ledger_begins_with_no_empty_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def replay(device: object, show: Callable[[int, int], None]) -> SimpleNamespace:
        show(1, 2)
        return SimpleNamespace(size=2, at_ms=0, finding="")

    activated(tmp_path, monkeypatch)
    monkeypatch.setattr(ledger_replay, "replay", replay)
    result = invoke("ledger", "check")
    assert result.output == "All 2 entries of the ledger keep its rules.\n"
