"""The report of a real server: made, served and checked over HTTPS, and from its own folder."""

import json
import re
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from blackthorn.directory.entries import Record, decode_entry
from blackthorn.ports.governance.cases import StoreDecision
from blackthorn.simulation.memory import wrapping
from blackthorn.storage.files.server import ServerFolder
from blackthorn.storage.sqlite.engine import Engine
from tests.support.governance_world import World
from tests.support.server_process import ServerProcess, initialise, run
from tests.support.tls import unchecked


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, context=unchecked(), timeout=30) as got:
        return bytes(got.read())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A server's folder whose next epoch holds the decisions of a world."""
    directory = initialise(tmp_path / "server")
    world = World()
    world.refuse(world.receive("PK", "technical-capability"), "no-such-capability")
    world.epoch()
    with closing(ServerFolder(directory).open_database()) as database:
        engine = Engine(database, wrapping())
        for decision in world.kept:
            engine.execute(StoreDecision(decision))
        for data in world.log:
            entry = decode_entry(data)
            if isinstance(entry, Record):
                database.writing.execute(
                    "INSERT INTO ledger_record (kind, body) VALUES (?, ?)", (entry.kind, entry.body)
                )
    return directory


def test_what_a_server_serves_is_what_its_ledger_gives(directory: Path, tmp_path: Path) -> None:
    with ServerProcess(directory) as server:
        server.wait_published()
        base = f"https://127.0.0.1:{server.ready['ledger_port']}"
        done = run("audit", "report", f"{base}/report/2015H2", "--ledger", base, "--json")
        assert done.returncode == 0, done.stderr
        verdict = json.loads(done.stdout)
        assert verdict["holds"] and len(verdict["files"]) == 5
        value = json.loads(fetch(f"{base}/report/2015H2.json"))
        assert (value["totals"]["received"], value["totals"]["refused"]) == (1, 1)
        assert b"<h1>Transparency report" in fetch(f"{base}/report/2015H2")
        out = tmp_path / "out"
        for source in (base, str(directory)):
            done = run("report", "--from", source, "--period", "2015H2", "--out", str(out))
            assert done.returncode == 0, done.stderr
            made = json.loads((out / "2015H2.json").read_bytes())
            assert made["rows"] == value["rows"]
        changed = (
            (out / "2015H2.csv")
            .read_bytes()
            .replace(b",PK,technical-capability,1", b",PK,technical-capability,0")
        )
        (out / "2015H2.csv").write_bytes(changed)
        done = run("audit", "report", str(out), "--ledger", base)
        assert done.returncode == 4
        assert re.search(r"PK technical-capability\), received: the report says 0", done.stdout)


def test_a_changed_row_of_the_ledger_is_found(directory: Path, tmp_path: Path) -> None:
    with ServerProcess(directory) as server:
        server.wait_published()
        out = tmp_path / "out"
        run("report", "--from", str(directory), "--period", "2015H2", "--out", str(out))
    done = run("audit", "report", str(out), "--ledger", str(directory))
    assert done.returncode == 0, done.stderr
    with closing(ServerFolder(directory).open_database()) as database:
        database.writing.execute(
            "UPDATE ledger_entry SET entry = zeroblob(length(entry)) WHERE place = 3"
        )
    done = run("audit", "report", str(out), "--ledger", str(directory))
    assert done.returncode == 4
    assert "ledger_entry 3" in done.stderr
