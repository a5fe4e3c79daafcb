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
from blackthorn.identity.bodies import RevokeDevice
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
    assert {entry["standing"] for entry in documents} == {"revoked"}
    assert tuple(entry["reason"] for entry in documents) == reasons
    assert not any(entry["live"] for entry in documents)


def test_a_name_of_no_device_is_answered_with_the_names_that_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger = activated(tmp_path, monkeypatch)[2]
    devices = [ledger.model(name).info for name in ("phone", "desk")]
    monkeypatch.setattr(
        change_chain,
        "known_chain",
        lambda unit: SimpleNamespace(devices=devices, former=()),
    )
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


def test_a_mistyped_word_is_asked_for_again() -> None:
    answers, asked = iter(["rihgt", "ritgh", "Right", "other"]), list[str]()

    async def ask(text: str) -> str:
        asked.append(text)
        return next(answers)

    asyncio.run(recovery.ask_again(["right", "other"], [1, 2], SimpleNamespace(ask=ask)))
    again = "That is not word 1: look at the paper. Word 1:"
    assert asked == ["Word 1:", again, again, "Word 2:"]


def test_a_new_passphrase_that_was_not_repeated_is_asked_for_again(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    typed = iter(["a long one", "a lnog one", "short", "a long one", "a long one"])
    prompts = list[str]()

    def ask(prompt: str) -> str:
        prompts.append(prompt)
        return next(typed)

    monkeypatch.delenv(home.PASSPHRASE_FILE, raising=False)
    monkeypatch.setattr(home, "_ask", ask)
    secret = home.Home(Path("nowhere"), None).new_secret()[1]
    assert secret.expose() == b"a long one"
    assert prompts[2] == "The two passphrases differ. Passphrase for this device"
    monkeypatch.setattr(home, "_ask", lambda prompt: prompt)
    with pytest.raises(UserError, match="the two passphrases differ; nothing was changed"):
        home.Home(Path("nowhere"), None).new_secret()


def test_a_key_file_for_a_device_with_a_passphrase_is_named_as_the_mistake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(home.PASSPHRASE_FILE, raising=False)
    home.Home(tmp_path / "home", None).create("passphrase", Secret(b"right")).close()
    error = invoke("status", "--home", tmp_path / "home", "--key-file", tmp_path / "k").exception
    assert isinstance(error, UserError)
    assert "unlocked by a passphrase, not by a key file" in str(error)


def test_a_device_that_was_revoked_is_not_unknown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    activated(tmp_path, monkeypatch)
    ledger = ChainLedger()
    desk = ledger.begin(ME, "desk")
    teller = Teller(ledger, ME, desk)
    phone = ledger.add_device(ME, desk, "phone")
    ledger.state(ME, RevokeDevice(phone.info.id, "lost", 2), desk)
    ledger.publish()
    look(teller, DirectoryClient(), ME)
    chain = teller.chain(ME)
    monkeypatch.setattr(change_chain, "known_chain", lambda unit: chain)
    for wanted in ("phone", phone.info.id.hex()[:8]):
        error = invoke("device", "revoke", wanted).exception
        assert isinstance(error, UserError)
        assert str(error).startswith("phone was revoked already, on 1970-01-01")


@pytest.mark.parametrize("server", [(), ("--server", "127.0.0.1:1")])
@pytest.mark.parametrize("command", [("activate",), ("device", "link")])
def test_a_code_is_not_used_up_when_no_server_answers(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
    server: tuple[str, ...],
) -> None:
    monkeypatch.setenv("BLACKTHORN_LINK_PORT", "1")
    code = "1234-" + "-".join(["absurd", "adroitness"] * 4)
    place = ("--home", tmp_path / "new", "--key-file", tmp_path / "new.key")
    error = invoke(*command, code, *server, *place).exception
    assert isinstance(error, UnavailableError)
    assert "cannot be reached: Connection refused; " in str(error)
    assert str(error).endswith("Your code is not used up")
    assert ("check the address, or ask the administrator" in str(error)) == bool(server)


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
