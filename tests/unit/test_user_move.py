"""`user move`, and what an exit's state refuses on the host, over a server's real folder."""

import json
import secrets
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from blackthorn.cli import main
from blackthorn.errors import BlackthornError, StorageError, UserError
from blackthorn.governance import exits
from blackthorn.ids import Address
from blackthorn.ports.governance.cases import StoreDecision
from blackthorn.ports.governance.exits import FindExitPerson
from blackthorn.ports.mail import SealedMail
from blackthorn.programs.server import user_move
from blackthorn.programs.server.folder import initialise
from blackthorn.simulation.stepped import SteppedWriter
from blackthorn.storage.sqlite.database import Database
from blackthorn.storage.sqlite.engine import Engine
from blackthorn.storage.sqlite.stores.markets import market_of
from blackthorn.storage.sqlite.wrapping import Wrapping
from tests.support.governance_world import DAY_MS, World
from tests.support.stored import StoredMail

ANN = Address("ann@acme.example")


class Host:
    """A server's folder with ann, of PK, and officers whose decisions are in its database."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.directory = initialise(path, "acme.example", {("ledger", "witness"): "none"})
        self.officers, self.stored = World(), 0
        self.run("user", "add", ANN, "--market", "PK")
        self.database = Database.open(self.directory.database)
        keys = self.directory.market_keys("")
        wrapping = Wrapping(keys, secrets.token_bytes)
        self.engine = Engine(self.database, wrapping)
        self.mail = StoredMail(self.database, wrapping)

    def run(self, *words: str) -> str:
        result = CliRunner().invoke(main.app, [*words, "--dir", str(self.path)])
        if isinstance(result.exception, BlackthornError):
            raise result.exception
        assert result.exit_code == 0, result.output
        return result.output

    def decide(self, *actions: str, **public: Any) -> None:
        """Decisions about X-PK-1, stored with all before them."""
        for action in actions:
            self.officers.decide("X-PK-1", action, public)
        for decision in self.officers.kept[self.stored :]:
            self.stored += 1
            self.engine.execute(StoreDecision(decision))

    def announce(self) -> None:
        """The exit of PK is announced; its dates are 40 days and more away."""
        start = self.officers.now_ms
        dates = dict.fromkeys(exits.DATES, start + 80 * DAY_MS) | {
            "announce_ms": start,
            "activations_ms": start,
            "read_only_ms": start + 30 * DAY_MS,
            "stop_ms": start + 40 * DAY_MS,
            "forwarding_end_ms": start + 90 * DAY_MS,
        }
        facts = {"market": "PK", "reason": "no", "directive": "", "users": 1, "list": bytes(32)}
        self.decide("plan", **facts, **dates, no_notice=0, compelled=None)
        self.decide("approve", "announce")

    def close_until(self, action: str) -> None:
        """From the announcement on, each step on its day."""
        for each, days in (("drain", 0), ("freeze", 30), ("stop", 10), ("retrieve", 0)):
            self.officers.now_ms += days * DAY_MS
            self.decide(each)
            if each == action:
                return
        self.officers.now_ms += 40 * DAY_MS
        self.decide("prepare")

    def put(self, count: int) -> None:
        """So many sealed mails for ann."""
        rows = [SealedMail(1, b"sealed %d" % n) for n in range(count)]
        writer = SteppedWriter(self.engine)
        writer.submit(self.mail.put(rows, 1), lambda _: None)
        writer.commit()

    def mails(self) -> list[bytes]:
        heads = self.mail.list(1, 0, 999)
        found = [self.mail.read(1, each.uid, 0, each.size) for each in heads]
        return [each[1] for each in found if each is not None]


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path / "server")


def test_a_user_moves_with_all_that_is_sealed_for_him(host: Host) -> None:
    host.put(user_move.MOVE_ROWS + 10)
    before = host.mails()
    output = host.run("user", "move", ANN.upper(), "--market", "de", "--json")
    document = json.loads(output[output.index("{") :])
    assert document["market"] == "DE" and document["before"] == "PK"
    assert document["rows"] == user_move.MOVE_ROWS + 10
    assert market_of(host.database.reading, ANN) == "DE"
    assert host.mails() == before
    assert host.database.reading.execute("SELECT DISTINCT market FROM mail").fetchall() == [("DE",)]
    shown = host.run("user", "move", ANN, "--market", "FR")
    assert "is of FR now, not of DE" in shown


def test_a_move_out_of_a_market_that_is_being_left_is_noted(host: Host) -> None:
    host.announce()
    host.run("user", "move", ANN, "--market", "DE")
    person = host.engine.read(FindExitPerson(1, "X-PK-1"))
    assert person.moved_ms is not None


def test_a_move_without_an_exit_notes_nothing(host: Host) -> None:
    host.run("user", "move", ANN, "--market", "DE")
    assert host.database.reading.execute("SELECT count(*) FROM exit_person").get == 0


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("nobody@acme.example", "DE"), "there is no user"),
        ((ANN, "PK"), "is of PK already"),
        (("no address", "DE"), "address"),
        ((ANN, "XX"), "not a market"),
    ],
)
def test_a_move_that_cannot_be_is_refused(host: Host, words: tuple[str, str], why: str) -> None:
    with pytest.raises(UserError, match=why):
        host.run("user", "move", words[0], "--market", words[1])
    assert market_of(host.database.reading, ANN) == "PK"


def test_nobody_moves_out_of_a_closed_market_or_while_its_receipts_are_made(host: Host) -> None:
    host.announce()
    host.close_until("prepare")
    with pytest.raises(UserError, match="receipts are made"):
        host.run("user", "move", ANN, "--market", "DE")
    host.directory.market_keys("").destroy("PK", 1)
    with pytest.raises(UserError, match="closed and its key destroyed"):
        host.run("user", "move", ANN, "--market", "DE")


def test_from_draining_on_the_market_takes_nobody(host: Host) -> None:
    host.run("user", "add", "bob@acme.example", "--market", "DE")
    host.announce()
    host.run("user", "code", ANN)
    host.close_until("drain")
    refused = (
        ("user", "add", "new@acme.example", "--market", "PK"),
        ("user", "code", ANN),
        ("user", "move", "bob@acme.example", "--market", "PK"),
    )
    for words in refused:
        with pytest.raises(UserError, match="PK"):
            host.run(*words)
    host.run("user", "code", "bob@acme.example")
    host.run("user", "add", "new@acme.example", "--market", "DE")
    host.decide("rescind", document=bytes(32))
    host.run("user", "code", ANN)
    host.run("user", "move", "bob@acme.example", "--market", "PK")


def test_an_altered_decision_is_noticed_before_anything_is_done(host: Host) -> None:
    host.announce()
    host.database.writing.execute(
        "UPDATE decision SET signed = (SELECT signed FROM decision WHERE number = 1)"
        " WHERE case_id = 'X-PK-1' AND seq = 3"
    )
    with pytest.raises(StorageError, match="decision 3 of X-PK-1 in the database was altered"):
        host.run("user", "code", ANN)
