"""An activated device on disk whose server is nowhere, for commands that show what it has."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from blackthorn.cli import main
from blackthorn.device.core import anchors, keys
from blackthorn.programs.device.home import Home
from blackthorn.storage.device.vault import Vault
from tests.support.chain_ledger import ChainLedger, Teller

ME = "me@acme.example"


def activated(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Home, Vault, ChainLedger]:
    """The home that commands use from now on, its open vault, and the ledger that it knows."""
    ledger = ChainLedger()
    mine = ledger.begin(ME)
    ledger.publish()
    me = Teller(ledger, ME, mine)
    home = Home(folder / "home", folder / "key")
    vault = home.create(*home.new_secret())
    with vault.transaction() as records:
        keys.save(records, me.keys)
        anchors.pin(records.settings, ledger.config.encode(), ledger.policy_text)
        records.settings.put("server", b"127.0.0.1:1")
        records.settings.put("server-pin", bytes(32))
    monkeypatch.setenv("BLACKTHORN_HOME", str(home.folder))
    monkeypatch.setenv("BLACKTHORN_KEY_FILE", str(home.key_file))
    return home, vault, ledger


def invoke(*words: object, given: bytes = b"") -> Result:
    """Run a command with this standard input."""
    return CliRunner().invoke(main.app, [str(word) for word in words], input=given)
