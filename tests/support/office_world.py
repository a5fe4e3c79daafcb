"""Officers with devices on disk, and an office in memory over `Cases` that answers their frames.

world = OfficeWorld(tmp_path, monkeypatch)     people with homes, who know each other's chains
world.run("ann", "role", "found", BOB)         a command on that person's device
world.founded()                                ann and bob own, lea is legal, cus keeps
"""

import hashlib
import json
from contextlib import asynccontextmanager

from rich.console import Console
from typer.testing import CliRunner

from blackthorn.cli import main, terminal
from blackthorn.device.core import anchors, keys
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.errors import BlackthornError
from blackthorn.governance import statements
from blackthorn.governance.cases import Cases
from blackthorn.governance.transitions import named
from blackthorn.link import frames as f
from blackthorn.programs.device import chain_lookup, home, requests
from blackthorn.programs.device.home import Home, wall_ms
from tests.support.chain_ledger import ChainLedger, Teller, look

DOMAIN = "acme.example"
PEOPLE = ("ann", "bob", "lea", "cus", "kim")
ROLES = {"lea": ("legal",), "cus": ("custodian",), "kim": ("custodian",)}


def address(name: str) -> str:
    return f"{name}@{DOMAIN}"


class DecisionService:
    """What the server does with decisions, without its extra checks."""

    def __init__(self) -> None:
        self.cases = Cases()
        self.decisions: list[f.Decision] = []
        self.pending: dict[str, f.Decision] = {}
        self.founders = [address("ann"), address("bob")]
        self.package = b""
        self.part = {}
        self.fields: dict[str, int | bytes] = {}
        self.refusal = ""
        self.page = 3
        self.ahead_ms = 0

    @property
    def now_ms(self) -> int:
        return wall_ms() + self.ahead_ms

    def answer(self, frame: f.AnyFrame) -> f.AnyFrame:
        match frame:
            case f.FetchDecisions():
                return self._decisions(frame)
            case f.SubmitDecision():
                return self._submit(frame)
            case f.FetchProduction():
                data = self.package[frame.offset : frame.offset + 1000]
                return f.ProductionPart(
                    frame.request, frame.offset, len(self.package), data=data, **self.part
                )
            case f.FetchExit():
                listed = f"{address('ann')}\n{address('kim')}\n".encode()
                digest = hashlib.sha256(listed).digest()
                return f.ExitFacts(frame.request, 2, digest, self.fields, self.refusal)
        raise AssertionError(frame)

    def _decisions(self, frame: f.FetchDecisions) -> f.Decisions:
        left = [each for each in self.decisions if each.number > frame.after]
        more = len(left) > self.page
        pending = [] if more else list(self.pending.values())
        return f.Decisions(
            frame.request, left[: self.page], pending, self.founders, self.now_ms, more
        )

    def _submit(self, frame: f.SubmitDecision) -> f.DecisionTaken:
        signed = statements.decode(frame.signed)
        try:
            lacks = self.cases.check(signed, self.now_ms).lacks
        except BlackthornError as error:
            return f.DecisionTaken(frame.request, str(error), [])
        case, now_ms = signed.statement.case, self.now_ms
        if lacks:
            self.pending[case] = f.Decision(0, frame.signed, frame.private, now_ms)
        else:
            self.cases.take(signed, now_ms)
            self.pending.pop(case, None)
            number = len(self.decisions) + 1
            self.decisions.append(f.Decision(number, frame.signed, frame.private, now_ms))
        return f.DecisionTaken(frame.request, "", [named(each) for each in lacks])


class OfficeWorld:
    """See the module."""

    def __init__(self, folder, monkeypatch) -> None:
        self.office = DecisionService()
        self.printed = self.errors = ""
        self.folder = folder
        self.monkeypatch = monkeypatch
        monkeypatch.setattr(requests, "connect", self._session)
        monkeypatch.setattr(chain_lookup, "look_up", self._look_up)
        monkeypatch.setattr(chain_lookup, "ledger_ms", self._ledger_ms)
        monkeypatch.setattr(terminal, "out", Console(highlight=False, width=200))
        monkeypatch.setattr(terminal, "err", Console(highlight=False, stderr=True, width=200))
        self.ledger = ChainLedger()
        self.ledger_answers = True
        self.devices = {name: self.ledger.begin(address(name)) for name in PEOPLE}
        self.ledger.publish()
        self.homes = {name: self._home(name) for name in PEOPLE}

    def _home(self, name: str) -> Home:
        teller = Teller(self.ledger, address(name), self.devices[name])
        place = Home(self.folder / name, self.folder / f"{name}.key")
        vault = place.create(*place.new_secret())
        teller.vault = vault
        with teller.unit() as first:
            keys.save(first.records, teller.keys)
            settings = first.records.settings
            anchors.pin(settings, self.ledger.config.encode(), self.ledger.policy_text)
            settings.put("server", b"127.0.0.1:1")
            settings.put("server-pin", bytes(32))
        look(teller, DirectoryClient(), *map(address, PEOPLE))
        vault.close()
        return place

    async def _look_up(self, device, whose) -> str:
        """The chain in the device's vault is the newest, unless the ledger does not answer."""
        return "" if self.ledger_answers else f"{whose} is not in the ledger yet"

    async def _ledger_ms(self, device) -> int:
        return self.office.now_ms

    @asynccontextmanager
    async def _session(self, device):
        del device

        async def ask(frame, kind):
            answer = self.office.answer(frame)
            assert isinstance(answer, kind)
            return answer

        yield ask

    def later(self, days: float) -> None:
        """Every clock goes on."""
        self.office.ahead_ms += round(days * 86_400_000)
        self.monkeypatch.setattr(home, "wall_ms", lambda: self.office.now_ms)

    # --- Commands ---------------------------------------------------------------------------

    def run(self, name: str, *words, error=None, standard_input=None) -> str:
        """What a command prints; the text of its `error` when one is expected."""
        place = self.homes[name]
        self.monkeypatch.setenv("BLACKTHORN_HOME", str(place.folder))
        self.monkeypatch.setenv("BLACKTHORN_KEY_FILE", str(place.key_file))
        runner = CliRunner()
        result = runner.invoke(main.app, [str(each) for each in words], input=standard_input)
        self.printed, self.errors = result.stdout, result.stderr
        if error is not None:
            assert isinstance(result.exception, error), (result.output, result.exception)
            return str(result.exception)
        assert result.exception is None, (result.output, result.exception)
        return result.stdout

    def json(self, name: str, *words):
        return json.loads(self.run(name, *words, "--json"))

    def both(self, first: str, second: str, *words) -> str:
        """Two officers run the same command."""
        self.run(first, *words, "--yes")
        return self.run(second, *words, "--yes")

    def founded(self) -> None:
        self.run("ann", "role", "found", address("bob"), "--yes")
        self.run("bob", "role", "found", address("ann"), "--yes")
        for name, roles in ROLES.items():
            words = [word for role in roles for word in ("--role", role)]
            self.both("ann", "bob", "role", "appoint", address(name), *words)
