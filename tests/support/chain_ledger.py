"""A ledger of real identity chains in memory, and a device that is told of it: no server, no link.

What an honest server would say comes as the frames that a device gets.
"""

from contextlib import contextmanager
from dataclasses import dataclass, field, replace

from blackthorn.crypto.secret import Secret
from blackthorn.device.core import anchors, keys
from blackthorn.device.core.unit_of_work import UnitOfWork, unit
from blackthorn.device.core.verified_chains import ChainCache
from blackthorn.directory.commitment import Value
from blackthorn.directory.entries import ConfigEntry
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.identity.bodies import AddDevice, Body, Cancel, DeviceInfo, Genesis, Reset
from blackthorn.identity.chain import PENDING_RESET, first_statement
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import ENROLMENT, SignedStatement, Statement, make
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.simulation.memory import memory_vault
from blackthorn.tlog.merkle import MerkleLog
from tests.support.small_directory import SmallDirectory

DAY_MS = 24 * 3_600_000
DELAY_MS = 3 * DAY_MS


@dataclass
class Model:
    """A device of somebody: its keys, and what it says of itself."""

    keys: SigningKeys
    name: str
    info: DeviceInfo = field(init=False)

    def __post_init__(self) -> None:
        public = self.keys.public
        self.info = DeviceInfo.of(self.name, public, public.ed25519)


@dataclass
class ChainLedger(SmallDirectory):
    """Chains and their ledger. What `state` says is in it with the next `publish`."""

    statements: dict[str, list[SignedStatement]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        self.enrolling = SigningKeys.generate(self.chance.randbytes)
        public = self.enrolling.public
        self.config = replace(
            self.config, enrolment=(public.ed25519, public.ml_dsa), reset_delay_ms=DELAY_MS
        )
        self.log, self.entries, self.tree = MerkleLog(), [], PrefixTree()
        self.add(ConfigEntry(1, self.config.encode()).encode())

    # --- Chains ---------------------------------------------------------------------------

    def model(self, name: str = "phone") -> Model:
        return Model(SigningKeys.generate(self.chance.randbytes), name)

    def begin(self, label: str, name: str = "phone") -> Model:
        """A new user with one device."""
        device = self.model(name)
        draft = first_statement(label, Genesis(device.info), self.unix_ms)
        self._append(label, make(draft, [self._by(device), (ENROLMENT, self.enrolling)]))
        return device

    def state(self, label: str, body: Body, *signers: Model) -> SignedStatement:
        """One more statement of a user, by these devices, or by what a reset takes."""
        last = self.statements[label][-1].statement
        draft = Statement(label, last.seq + 1, last.hash, body, self.unix_ms)
        by = [self._by(each) for each in signers]
        if isinstance(body, Reset):
            by.append((ENROLMENT, self.enrolling))
        return self._append(label, make(draft, by))

    def _by(self, device: Model) -> tuple[bytes, SigningKeys]:
        return device.info.id, device.keys

    def _append(self, label: str, signed: SignedStatement) -> SignedStatement:
        """It is logged at once, as the only one of its user in this epoch."""
        self.statements.setdefault(label, []).append(signed)
        statement = signed.statement
        flags = PENDING_RESET if isinstance(statement.body, Reset) else 0
        self.put(label, Value(statement.hash, statement.seq, flags))
        return signed

    def add_device(self, label: str, by: Model, name: str = "tablet") -> Model:
        device = self.model(name)
        self.state(label, AddDevice(device.info), by, device)
        return device

    def reset(self, label: str, name: str = "new phone") -> Model:
        device = self.model(name)
        self.state(label, Reset(device.info), device)
        return device

    def cancel(self, label: str, by: Model) -> None:
        reset = self.statements[label][-1].statement
        self.state(label, Cancel(reset.seq), by)

    def later(self, ms: int) -> None:
        """Time passes until the next epoch."""
        self.unix_ms += ms

    # --- Frames ---------------------------------------------------------------------------

    def epoch_part(self) -> f.EpochPart:
        part = self.part()
        return f.EpochPart(part.checkpoint, part.head, list(part.proof))

    def looked_up(self, asked: f.LookUp, *, pending: tuple[str, ...] = ()) -> f.LookedUp:
        """What an honest server answers."""
        proof = self.log.consistency_proof(asked.have) if asked.have else []
        answers = [self.said(each) for each in asked.addresses if each not in pending]
        return f.LookedUp(asked.request, self.epoch_part(), list(proof), answers, list(pending))

    def said(self, label: str) -> f.Answer:
        found = self.answer(label)
        return f.Answer(
            found.label,
            found.vrf_proof,
            found.version,
            found.value or b"",
            found.opening,
            found.map_proof,
        )

    def chain_part(self, asked: f.FetchChain) -> f.ChainPart:
        chain = self.statements[asked.address]
        told = [each.encode() for each in chain[asked.after :]]
        receipts = [
            self._receipt(asked.address, each.statement.seq)
            for each in chain
            if isinstance(each.statement.body, Reset | Cancel)
        ]
        size = self.log.size
        return f.ChainPart(asked.request, asked.address, size, told, receipts, b"", False)

    def _receipt(self, label: str, seq: int) -> f.Receipt:
        version = next(row.version for row in self.rows[label] if row.value.seq == seq)
        found = self.receipt(label, version)
        return f.Receipt(
            seq,
            found.version,
            found.value,
            found.opening,
            found.vrf_proof,
            found.mutation,
            found.index,
            list(found.proof),
            found.head,
            found.head_index,
            list(found.head_proof),
        )


class Teller:
    """A device, with a vault and no link, that is told of a ledger."""

    def __init__(self, ledger: ChainLedger, label: str, device: Model) -> None:
        self.ledger = ledger
        self.label = label
        self.device = device
        signing = device.keys
        self.keys = keys.DeviceKeys(
            Address(label), signing.ed25519, Secret(b""), b"", signing.ml_dsa
        )
        self.vault = memory_vault()
        self.cache = ChainCache()
        self.behind_ms = 0
        """How far this device's clock is behind the ledger's."""
        with self.unit() as first:
            keys.save(first.records, self.keys)
            anchors.pin(first.records.settings, ledger.config.encode(), ledger.policy_text)

    @property
    def now_ms(self) -> int:
        return self.ledger.now_ms - self.behind_ms

    @contextmanager
    def unit(self):
        with unit(
            self.vault, self.keys, self.now_ms, self.ledger.chance.randbytes, self.cache
        ) as current:
            yield current

    def restart(self) -> None:
        """The process ends: what was not in the vault is gone."""
        self.cache = ChainCache()

    def alarms(self) -> list[str]:
        with self.unit() as now:
            return [each.code for each in now.records.directory.alarms() if each.is_open]

    def events(self) -> list[str]:
        with self.unit() as now:
            return [each.text for each in now.records.history.latest(100) if each.sort == "event"]

    def chain(self, label: str):
        with self.unit() as now:
            return now.chains.of(label)


def ask(directory_client, current: UnitOfWork, *labels: str) -> f.LookUp:
    """The lookup that the asker makes for these people."""
    directory_client.want(labels)
    (asked,) = directory_client.ask(current)
    assert isinstance(asked, f.LookUp)
    return asked


def look(teller: Teller, directory_client, *labels: str) -> None:
    """One whole look at these people, answered honestly."""
    ledger = teller.ledger
    with teller.unit() as current:
        frames = [ask(directory_client, current, *labels)]
    while frames:
        frame = frames.pop(0)
        with teller.unit() as current:
            match frame:
                case f.LookUp():
                    frames += directory_client.looked_up(current, ledger.looked_up(frame))
                case f.FetchChain():
                    frames += directory_client.chain_part(current, ledger.chain_part(frame))
