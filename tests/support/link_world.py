"""A server and its devices in memory, for scenarios: real dispatcher, SQL and frames, no time.

Nothing happens by itself: the test delivers each message of each wire, commits the writer,
cuts wires, crashes the server or a device. Devices are models that keep what a real device
keeps on its disk (what it has shown, what is unanswered) and lose the rest in a crash. Both
ends run `link.session`, so that a frame out of place fails the scenario.
"""

import hashlib
import random
from collections.abc import Callable, Collection, Iterable
from typing import Any

from blackthorn.crypto.secret import Secret
from blackthorn.crypto.signatures import ED25519
from blackthorn.ids import DeviceId, device_id
from blackthorn.link import frames as f
from blackthorn.link.codes import Code
from blackthorn.link.fanout import fanout_frame, fanout_id
from blackthorn.link.hello import LABEL_V1
from blackthorn.link.session import State
from blackthorn.ports.parcels import MailboxTallies, WaitingParcels
from blackthorn.server.counters import Counters
from blackthorn.server.enterprise import EnterpriseCache
from blackthorn.server.handlers.dispatcher import Dispatcher
from blackthorn.simulation import wires
from blackthorn.simulation.memory import memory_database, wrapping
from blackthorn.simulation.stepped import SteppedReader, SteppedWriter
from blackthorn.simulation.wires import Wires
from blackthorn.storage.sqlite.engine import Engine


class Wire(wires.Wire):
    """A connection of a model device."""

    def __init__(self, world: "World", device: "Device") -> None:
        self.last_seq = 0
        self.ordered = True
        self.greet: Callable[[], None] = lambda: None
        """What the device says once it was told Ready."""
        super().__init__(world, device)


def hello_without_number(identity: Secret, binding: bytes) -> f.Hello:
    """The hello of link version 1, which waits for no commit."""
    device = device_id(ED25519.public_key(identity))
    message = LABEL_V1 + hashlib.sha256(binding).digest()
    return f.Hello(1, device, ED25519.sign(identity, message))


class Device:
    """A device: what it has on its disk, and its wire if it is on line."""

    def __init__(self, world: "World", number: int) -> None:
        self.world = world
        self.identity = Secret(world.chance.randbytes(32))
        self.key = ED25519.public_key(self.identity)
        self.id = device_id(self.key)
        self.number = number
        self.address = f"user{number}@acme.example"
        self.seen: set[bytes] = set()
        self.shown: list[bytes] = []
        self.outbox: dict[bytes, f.Posting] = {}
        self.audience: dict[bytes, tuple[DeviceId, ...]] = {}
        self.refusals: list[f.Refused] = []
        self.aside: set[bytes] = set()
        self.heard: list[f.AnyFrame] = []
        self.wire: Wire | None = None

    def connect(self, resume: bool = True, again: bool = True) -> Wire:
        """Connect and say hello, Resume, and whatever is unanswered; unread replies are lost."""
        wire = Wire(self.world, self)
        self.world.wires.append(wire)
        self.wire = wire

        def greet() -> None:
            if resume:
                wire.say(f.Resume())
            if again and self.outbox:
                wire.say(f.Send(list(self.outbox.values())))

        wire.greet = greet
        wire.say(hello_without_number(self.identity, wire.binding))
        self.world.run_wire(wire, until_ready=True)
        ready = State.GREETING if self.world.reader.waiting else State.READY
        assert wire.link.state in (ready, State.RECEIVING), wire.link.state
        return wire

    def post(
        self, audience: Iterable["Device"], *contents: bytes, order: f.Order | None = None
    ) -> f.Posting:
        """Keep a posting for the audience in the outbox, and send it if on line."""
        devices = tuple(each.id for each in audience)
        fanout = fanout_id(devices)
        self.audience[fanout] = devices
        parcels = [f.Parcel(fanout, content) for content in contents]
        posting = f.Posting(self.world.chance.randbytes(16), parcels, order)
        self.outbox[posting.id] = posting
        if self.wire is not None and self.wire.link.opened:
            self.wire.say(f.Send([posting]))
        return posting

    def hear(self, wire: Wire, frame: f.AnyFrame) -> None:
        """What a device does with a frame."""
        self.heard.append(frame)
        match frame:
            case f.Ready():
                wire.greet()
            case f.Accepted(ids, left_out):
                without = {device for entry in left_out for device in entry.devices}
                for name in ids:
                    posting = self.outbox.pop(name, None)
                    if posting is not None:
                        self.world.accepted(self, posting, without)
            case f.Refused():
                if frame.code != Code.STORAGE:
                    self.outbox.pop(frame.id, None)
                self.refusals.append(frame)
            case f.FanoutUnknown(fanouts, postings):
                wire.say(*(fanout_frame(self.audience[fanout]) for fanout in fanouts))
                again = [self.outbox[name] for name in postings if name in self.outbox]
                if again:
                    wire.say(f.Send(again))
            case f.Deliver(parcels):
                self._take(wire, parcels)
            case _:
                pass

    def disconnected(self) -> None:
        """Nothing that it keeps depends on the connection."""

    def _take(self, wire: Wire, parcels: list[f.Delivery]) -> None:
        acknowledged: list[int] = []
        aside: list[int] = []
        for seq, sealed in ((parcel.seq, parcel.sealed) for parcel in parcels):
            assert seq > wire.last_seq or not wire.ordered, "delivered out of order"
            wire.last_seq = seq
            known = self.world.numbered.setdefault((self.id, seq), sealed)
            assert known == sealed, "a number came twice while the server ran"
            if sealed in self.aside:
                aside.append(seq)
                continue
            name = hashlib.sha256(sealed).digest()
            if name not in self.seen:
                self.seen.add(name)
                self.shown.append(sealed)
            acknowledged.append(seq)
        if acknowledged:
            wire.say(f.Acknowledge(acknowledged))
        if aside:
            wire.say(f.SetAside(aside))


class World(Wires):
    """The server, its database, the devices and all wires."""

    def __init__(self, seed: int, devices: int) -> None:
        self.chance = random.Random(seed)
        self.now = 1000.0
        self.database = memory_database()
        self.wires: list[Wire] = []
        self.numbered: dict[tuple[DeviceId, int], bytes] = {}
        self.due: dict[tuple[DeviceId, bytes], Device] = {}
        self.accepted_postings: list[tuple[Device, f.Posting]] = []
        self.devices = [Device(self, number) for number in range(1, devices + 1)]
        self.by_id = {device.id: device for device in self.devices}
        for device in self.devices:
            self._enrol(device)
        self.start()

    def _enrol(self, device: Device) -> None:
        execute = self.database.writing.execute
        execute(
            "INSERT INTO users (number, address, pin, created_ms) VALUES (?, ?, ?, 0)",
            (device.number, device.address, f"{device.number:08x}"),
        )
        execute(
            "INSERT INTO devices (number, id, user, identity_key, name, standing, activated_ms)"
            " VALUES (?, ?, ?, ?, 'd', 'live', 0)",
            (device.number, device.id, device.number, device.key),
        )

    def start(self) -> None:
        """Start the server over what is on its disk."""
        self.numbered.clear()
        self.engine = Engine(self.database, wrapping())
        self.writer = SteppedWriter(self.engine)
        self.reader = SteppedReader(self.engine)
        self.enterprise = EnterpriseCache(self.reader)
        self.counters = Counters()
        self.dispatcher = self.make_dispatcher()
        self.dispatcher.start_day(20_000)

    def make_dispatcher(self, **parts: Any) -> Dispatcher:
        return Dispatcher(
            enterprise=self.enterprise,
            writer=self.writer,
            reader=self.reader,
            counters=self.counters,
            **parts,
        )

    def crash(self, committed: bool) -> None:
        """The server dies; with `committed` just after a commit that nobody was told of."""
        if committed:
            self.writer.commit(told=False)
        self.writer.crash()
        self.reader.crash()
        for wire in list(self.wires):
            self.cut(wire, tell=False)
        self.start()

    def accepted(self, sender: Device, posting: f.Posting, without: Collection[bytes] = ()) -> None:
        """The server promised: each of these parcels is due, but to devices named as left out."""
        self.accepted_postings.append((sender, posting))
        for parcel in posting.parcels:
            for device in set(sender.audience[parcel.fanout]).difference(without):
                self.due[device, parcel.sealed] = self.by_id[device]

    # --- Steps ----------------------------------------------------------------------------

    def settle(self) -> None:
        """Run everything until nothing moves."""
        moved = True
        while moved:
            moved = self.run_wires()
            self.dispatcher.tick(self.now)
            moved = self.writer.commit() > 0 or moved
            moved = self.reader.release() > 0 or moved

    # --- Invariants -----------------------------------------------------------------------

    def stored(self, device: Device) -> list[bytes]:
        """What waits for the device on disk, in order, set aside or not."""
        rows = self.engine.read(WaitingParcels(device.number, 0, True, 10**6, 10**9))
        return [row.sealed for row in rows]

    def check_nothing_lost(self) -> None:
        """Each accepted parcel was shown by its device or waits for it on disk."""
        waiting = {device.id: set(self.stored(device)) for device in self.devices}
        for (name, sealed), device in self.due.items():
            shown = hashlib.sha256(sealed).digest() in device.seen
            assert shown or sealed in waiting[name], f"lost: {sealed!r}"

    def check_all_shown_once(self) -> None:
        """Each accepted parcel was shown, each once, and nothing waits but what is aside."""
        for (_, sealed), device in self.due.items():
            assert sealed in device.shown or sealed in device.aside, f"not delivered: {sealed!r}"
        for device in self.devices:
            assert len(set(device.shown)) == len(device.shown)
            assert set(self.stored(device)) <= device.aside
        self.check_nothing_shared()

    def check_nothing_shared(self) -> None:
        """No shared parcel is left without a mailbox."""
        shared = self.database.reading.execute(
            "SELECT count(*) FROM shared_parcel"
            " WHERE id NOT IN (SELECT shared FROM mailbox WHERE shared NOT NULL)"
        ).get
        assert shared == 0, "a shared parcel outlived its last mailbox"

    def check_counts(self) -> None:
        """The counts in memory are those on disk (when the writer is idle)."""
        assert self.writer.waiting == 0
        for device in self.devices:
            self.dispatcher._mailboxes.load([device.id], lambda error: None)
            mailbox = self.dispatcher._mailboxes.find(device.id)
            assert mailbox is not None
            waiting, aside = mailbox.waiting, mailbox.undecryptable
            assert waiting.parcels + aside.parcels == len(self.stored(device)), device.address
            (tally,) = self.engine.read(MailboxTallies((device.number,), limit=10**6)).tallies
            held = {tag: (each >> 40, each % (1 << 40)) for tag, each in mailbox.held.items()}
            assert held == {tag: tuple(each) for tag, *each in tally.senders}, device.address
            assert tally[:2] == (waiting.parcels, waiting.bytes), device.address
            assert tally[2:4] == (aside.parcels, aside.bytes), device.address
            assert tally.newest <= mailbox.newest


def byes(device: Device) -> list[str]:
    """The codes of the Byes that the device has heard."""
    return [frame.code for frame in device.heard if isinstance(frame, f.Bye)]


def of(device: Device, kind: type[f.Frame]) -> list[f.Frame]:
    """The frames of one kind that the device has heard."""
    return [frame for frame in device.heard if isinstance(frame, kind)]


def posting(
    world: World, sender: Device, receivers: Device | Iterable[Device], content: bytes
) -> f.Posting:
    """A posting in the sender's outbox, not sent yet."""
    audience = [receivers] if isinstance(receivers, Device) else receivers
    devices = tuple(each.id for each in audience)
    fanout = fanout_id(devices)
    sender.audience[fanout] = devices
    made = f.Posting(world.chance.randbytes(16), [f.Parcel(fanout, content)])
    sender.outbox[made.id] = made
    return made


def fill(world: World, sender: Device, receiver: Device, count: int, size: int = 8) -> None:
    """The sender posts so many parcels to the receiver: 0, 1, 2 … in `size` bytes."""
    sender.connect()
    for number in range(count):
        sender.post([receiver], number.to_bytes(size, "big"))
    world.settle()
