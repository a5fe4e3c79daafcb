"""Markets as an administrator meets them: keys that are made, missing, another's, destroyed."""

import json
import secrets
import signal
import smtplib
from pathlib import Path

import pytest

from blackthorn.crypto.openpgp_open import generate_user_key
from blackthorn.storage.files.market_keys import KeyFolder
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.wrapping import Wrapping
from tests.support.server_process import ServerProcess, add_user, initialise, run
from tests.support.stored import StoredMail


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return initialise(tmp_path / "server", "--market", "de", "--witness", "none")


def listed(directory: Path) -> dict[str, dict[str, str]]:
    done = run("user", "list", "--dir", str(directory), "--json")
    assert done.returncode == 0, done.stderr
    return {each["address"]: each for each in json.loads(done.stdout)}


def refused(*arguments: str) -> str:
    """The one line of a command that fails."""
    done = run(*arguments)
    assert done.returncode != 0
    lines = [line for line in done.stderr.splitlines() if line]
    assert len(lines) == 1 and lines[0].startswith("blackthorn: "), done.stderr
    return lines[0]


def test_a_users_market_and_language(directory: Path) -> None:
    add_user(directory, "ayesha@acme.example", "--market", "pk", "--language", "ur")
    add_user(directory, "berta@acme.example")
    users = listed(directory)
    assert users["ayesha@acme.example"]["market"] == "PK"
    assert users["ayesha@acme.example"]["language"] == "ur"
    assert users["berta@acme.example"]["market"] == "DE"
    done = run("user", "list", "--dir", str(directory))
    assert "PK" in done.stdout and "market" in done.stdout
    keys = directory / "market-keys"
    assert {each.name for each in keys.iterdir()} == {"PK.key", "DE.key"}
    before = (keys / "PK.key").read_bytes()
    add_user(directory, "bilal@acme.example", "--market", "PK")
    assert (keys / "PK.key").read_bytes() == before
    where = ("--dir", str(directory))
    line = refused("user", "add", "x@acme.example", "--market", "Pakistan", *where)
    assert "'Pakistan' is not a market" in line
    line = refused("user", "add", "x@acme.example", "--language", "Urdu", *where)
    assert "'Urdu' is not a language" in line


def test_no_market_is_opened_for_a_user_who_cannot_be_added(directory: Path) -> None:
    where = ("--market", "PK", "--dir", str(directory))
    assert "not of that domain" in refused("user", "add", "x@other.example", *where)
    assert not (directory / "market-keys").exists()


def test_the_folder_of_keys_may_lie_elsewhere(directory: Path, tmp_path: Path) -> None:
    extra = {"BLACKTHORN_ENTERPRISE_MARKET_KEYS": str(tmp_path / "apart")}
    done = run("user", "add", "b@acme.example", "--dir", str(directory), **extra)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "apart" / "DE.key").exists()
    assert not (directory / "market-keys").exists()


def test_a_missing_and_a_wrong_key_stop_serve_with_one_line(directory: Path) -> None:
    add_user(directory, "ayesha@acme.example", "--market", "PK")
    key = directory / "market-keys" / "PK.key"
    value = key.read_bytes()
    key.unlink()
    line = refused("serve", str(directory))
    assert str(key) in line and "the key of market PK" in line
    line = refused("user", "add", "y@acme.example", "--market", "PK", "--dir", str(directory))
    assert str(key) in line and not key.exists()
    key.write_bytes(secrets.token_bytes(32))
    assert "is not the key of market PK" in refused("serve", str(directory))
    key.write_bytes(value)
    with ServerProcess(directory) as server:
        server.stop(signal.SIGTERM)


def test_a_destroyed_market_takes_no_users_and_the_server_serves_the_others(
    directory: Path,
) -> None:
    add_user(directory, "ayesha@acme.example", "--market", "PK")
    add_user(directory, "berta@acme.example")
    KeyFolder(directory / "market-keys").destroy("PK", 1)
    line = refused("user", "add", "z@acme.example", "--market", "PK", "--dir", str(directory))
    assert "the key of market PK was destroyed" in line
    assert "z@acme.example" not in listed(directory)
    with ServerProcess(directory) as server:
        add_user(directory, "carl@acme.example")
        server.stop(signal.SIGTERM)


def test_a_running_server_finds_the_key_of_a_market_opened_meanwhile(directory: Path) -> None:
    with ServerProcess(directory) as server:
        add_user(directory, "ayesha@acme.example", "--market", "PK")
        place = ServerFolder(directory)
        database = place.open_database()
        secret, certificate = generate_user_key("ayesha@acme.example")
        query = "INSERT INTO user_certificate VALUES (1, 1, ?)"
        database.writing.execute(query, (certificate,)).fetchall()
        with smtplib.SMTP("127.0.0.1", server.ready["smtp_port"]) as client:
            text = "Subject: salam\r\n\r\nhello\r\n"
            client.sendmail("x@elsewhere.example", ["ayesha@acme.example"], text)
        keys = place.market_keys("")
        store = StoredMail(database, Wrapping(keys, secrets.token_bytes))
        (head,) = store.list(1, 0, 9)
        found = store.read(1, head.uid, 0, head.size)
        assert found is not None and len(found[1]) == head.size
        assert database.reading.execute("SELECT market FROM mail").fetchall() == [("PK",)]
        database.close()
        server.stop(signal.SIGTERM)
    assert secret
