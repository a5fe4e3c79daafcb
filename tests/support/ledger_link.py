"""The ledger over the hub: model devices that ask by frames and believe only what they verify.

Real hub, real SQL, real frames, no time: the test delivers each message, commits, lets the
witnesses speak. A device keeps the newest checkpoint that it has accepted, and every check of
`directory.verify` and `identity.chain` is made as a real device makes it.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

from blackthorn.crypto.secret import Secret
from blackthorn.directory import verify
from blackthorn.directory.verify import Absent, Accepted, Present, VerifiedEpoch
from blackthorn.identity.chain import Terms, UnverifiedChain, VerifiedChain, replay
from blackthorn.identity.keys import VerifyKeys
from blackthorn.ids import Address
from blackthorn.link import frames as f
from blackthorn.server.handlers.directory import DirectoryHandler
from blackthorn.server.handlers.dispatcher import Dispatcher
from blackthorn.server.ledger.chains import DevicesChanged
from blackthorn.server.ledger.lookups import Lookups
from blackthorn.simulation.wires import Wires
from tests.support import link_world
from tests.support.ledger_world import LedgerWorld, Model
from tests.support.link_world import Wire


@dataclass
class Seen:
    """What a device has verified of one user."""

    found: Present | Absent | None = None
    pending: bool = False


class Device(link_world.Device):
    """A model device with real keys; `accepted` is the newest checkpoint it has verified."""

    def __init__(self, world: "LedgerHub", model: Model, address: Address) -> None:
        self.world: LedgerHub = world
        self.model = model
        self.identity: Secret = model.keys.ed25519
        self.key = model.keys.public.ed25519
        self.id = model.id
        self.address = address
        self.seen, self.shown, self.outbox, self.audience = set(), [], {}, {}
        self.refusals, self.aside, self.heard = [], set(), []
        self.wire: Wire | None = None
        self.accepted: Accepted | None = None
        self.epoch: VerifiedEpoch | None = None
        self.requests = 0

    def ask(self, frame: f.AnyFrame, kind: type[f.Frame]) -> f.Frame:
        """Say the frame, run the wire and the writer, and the answer of that kind."""
        before = len(self.heard)
        if self.wire is None:
            self.connect()
        assert self.wire is not None
        self.wire.say(frame)
        for _ in range(4):
            if self.wire is not None:
                self.world.run_wire(self.wire)
            self.world.writer.commit()
        answers = [each for each in self.heard[before:] if isinstance(each, kind)]
        assert answers, self.heard[before:]
        return answers[-1]

    def request(self) -> int:
        self.requests += 1
        return self.requests

    @property
    def have(self) -> int:
        return self.accepted.size if self.accepted is not None else 0

    def look_up(self, *addresses: str) -> dict[str, Seen]:
        """What the ledger has of these users, verified."""
        frame = f.LookUp(self.request(), list(addresses), self.have)
        answer = self.ask(frame, f.LookedUp)
        assert isinstance(answer, f.LookedUp) and answer.request == self.requests
        return self.verify(answer)

    def verify(self, answer: f.LookedUp) -> dict[str, Seen]:
        world = self.world
        part = answer.epoch
        terms = verify.Terms(world.policy, world.config, world.now_ms, None)
        epoch = verify.verify_epoch(
            verify.EpochPart(part.checkpoint, part.head, tuple(part.proof)),
            answer.consistency,
            self.accepted,
            terms,
        )
        self.accepted, self.epoch = epoch.accepted, epoch
        seen = {address: Seen(pending=True) for address in answer.pending}
        for each in answer.answers:
            fields = (each.address, each.vrf_proof, each.version, each.value, each.opening)
            claimed = verify.Answer(*fields, each.map_proof)
            found = verify.verify_answer(claimed, each.address, epoch, world.config)
            seen[each.address] = Seen(found)
        return seen

    def chain_of(self, address: str) -> tuple[VerifiedChain | None, f.ChainPart]:
        """The user's chain, looked up, fetched in parts and verified; with the last part."""
        seen = self.look_up(address)[address]
        statements: list[bytes] = []
        while True:
            frame = f.FetchChain(self.request(), address, len(statements))
            part = self.ask(frame, f.ChainPart)
            assert isinstance(part, f.ChainPart)
            statements += part.statements
            if not part.more:
                break
        if not isinstance(seen.found, Present):
            assert not statements
            return None, part
        assert self.epoch is not None and part.size == self.epoch.accepted.size
        logged = dict(self._receipt(each, address) for each in part.receipts)
        config = self.world.config
        terms = Terms(
            VerifyKeys(*config.enrolment), config.reset_delay_ms, self.epoch.time_ms, logged
        )
        chain = replay(UnverifiedChain(address, tuple(statements)), terms)
        value = seen.found.value
        assert (chain.head, chain.seq, chain.flags) == (value.head, value.seq, value.flags)
        return chain, part

    def _receipt(self, told: f.Receipt, address: str) -> tuple[int, int]:
        receipt = verify.Receipt(
            told.seq,
            told.version,
            told.value,
            told.opening,
            told.vrf_proof,
            told.mutation,
            told.index,
            tuple(told.proof),
            told.head,
            told.head_index,
            tuple(told.head_proof),
        )
        assert self.epoch is not None
        return verify.verify_receipt(receipt, address, self.epoch, self.world.config)

    def submit(self, data: bytes, certificate: bytes = b"") -> str:
        frame = f.SubmitStatement(self.request(), data, certificate)
        answer = self.ask(frame, f.StatementStored)
        assert isinstance(answer, f.StatementStored)
        return answer.refusal


@dataclass
class Promise:
    """A statement that a server has called stored."""

    address: Address
    seq: int
    head: bytes
    cancel: bool = field(default=False)


class LedgerHub(Wires, LedgerWorld):
    """A ledger behind a hub."""

    def __init__(self, *given: int, **options: int) -> None:
        self.wires: list[Wire] = []
        self.numbered: dict[int, bytes] = {}
        super().__init__(*given, **options)

    @property
    def now(self) -> float:
        return self.now_ms / 1000

    def accepted(
        self, sender: link_world.Device, posting: f.Posting, without: Collection[bytes] = ()
    ) -> None:
        """The server promised to deliver it; other scenarios look at that."""

    def start(self) -> None:
        super().start()
        self.desk = DirectoryHandler(self.ledger, Lookups(self.ledger, self.reader), self)
        self.dispatcher = Dispatcher(
            enterprise=self.cache,
            writer=self.writer,
            reader=self.reader,
            counters=self.counters,
            ledger=self.desk,
        )
        self.dispatcher.start_day(20_000)

    def _leaf_changed(self, address: Address) -> None:
        super()._leaf_changed(address)
        self.dispatcher.notify_user(address, f.LeafChanged())

    def _changed(self, change: DevicesChanged) -> None:
        super()._changed(change)
        self.dispatcher.user_changed(change)

    def crash(self, committed: bool = False, told: bool = False) -> None:
        for wire in list(self.wires):
            self.cut(wire, tell=False)
        super().crash(committed, told)

    def run(self) -> None:
        """Deliver everything, both ways, and commit, until nothing moves."""
        moved = True
        while moved:
            moved = self.run_wires()
            self.dispatcher.tick(self.now)
            moved = self.writer.commit() > 0 or moved

    def person(self, name: str) -> Device:
        """A user with one live, published device that is on line."""
        address, model = self.user(name)
        device = Device(self, model, address)
        device.connect()
        self.run()
        return device
