"""The promise of *accepted*, under SIGKILL (fault A1): at random moments, under load.

Real server processes are killed while devices send to each other, commit to conversations
and acknowledge. Then everything that was ever accepted must have been shown by each device
it was for, nothing twice, nothing may be left on disk, and no conversation have forked. The
devices lose acknowledgements now and then, and recognise repetitions as real devices do, by
the SHA-256 of the sealed bytes.
"""

import asyncio
import hashlib
import random
from pathlib import Path
from typing import Any

import pytest
import uvloop

from bench.enterprise import EnrolledDevice, ServerProcess, make_enterprise
from blackthorn.edges.link.client import LinkClosedError, LinkConnection, connect
from blackthorn.errors import UnavailableError
from blackthorn.ids import Fingerprint
from blackthorn.link import frames as f
from blackthorn.link.fanout import fanout_frame
from blackthorn.link.hello import sign_hello
from blackthorn.storage.sqlite.database import Database
from tests.support import runs
from tests.support.forked_server import ForkedServer

KILLS = runs.pick(40, 200)
LANES = 2
"""Servers killed side by side, each with devices of its own, to use both cores."""

DEVICES = 6
UNANSWERED = 8
LOAD_SECONDS = 0.25
"""The kill falls evenly into so long after the devices have begun to connect."""

COLD_STARTS = 20
"""One in so many servers is started as `blackthorn serve`, the others are forked."""

CALM_SECONDS = 20
HANDLE = b"c" * 32


class Phone:
    """A device that sends and receives for ever, and keeps on its disk what a device keeps."""

    def __init__(self, lane: "Lane", enrolled: EnrolledDevice) -> None:
        self.lane = lane
        self.chance = lane.chance
        self.enrolled = enrolled
        self.audiences: list[f.Fanout] = []
        self.outbox: dict[bytes, f.Posting] = {}
        self.seen: set[bytes] = set()
        self.repeated = 0
        self.epoch = 0
        self.link: LinkConnection | None = None

    async def connect(self, port: int, pin: Fingerprint) -> None:
        """Connect and go on; a server killed meanwhile is what this test is about."""
        try:
            link = await connect("127.0.0.1", port, pin, self.hear)
            link.send(sign_hello(self.enrolled.identity, link.binding))
            self.link = link
        except UnavailableError:
            self.link = None

    def hear(self, frame: f.AnyFrame) -> None:
        """One frame of the server; what can no longer be answered is answered next time."""
        try:
            self._hear(frame)
        except LinkClosedError:
            self.link = None

    def _hear(self, frame: f.AnyFrame) -> None:
        assert self.link is not None
        match frame:
            case f.Ready():
                self.link.send(f.Resume(), *self.audiences)
                if self.outbox:
                    self.link.send(f.Send(list(self.outbox.values())))
                self.push()
            case f.Accepted(ids):
                for name in ids:
                    self.lane.accepted(self, self.outbox.pop(name))
                self.push()
            case f.Refused(name, code):
                posting = self.outbox.pop(name)
                assert posting.order is not None and code in ("epoch-taken", "epoch-ahead"), code
                self.epoch = posting.order.epoch + (1 if code == "epoch-taken" else -1)
                self.push()
            case f.Deliver(parcels):
                self.take(parcels)
            case f.Drained() | f.EpochPushed():
                pass
            case _:
                raise AssertionError(f"unexpected {type(frame).__name__}")

    def take(self, parcels: list[f.Delivery]) -> None:
        """Save what is new, then acknowledge; one acknowledgement in ten is lost."""
        assert self.link is not None
        for parcel in parcels:
            name = hashlib.sha256(parcel.sealed).digest()
            self.repeated += name in self.seen
            self.seen.add(name)
        if self.lane.calm or self.chance.random() > 0.1:
            self.link.send(f.Acknowledge([parcel.seq for parcel in parcels]))

    def push(self) -> None:
        """Keep so many postings unanswered."""
        assert self.link is not None
        new: list[f.Posting] = []
        while not self.lane.calm and len(self.outbox) < UNANSWERED:
            posting = self.posting()
            self.outbox[posting.id] = posting
            new.append(posting)
        if new:
            self.link.send(f.Send(new))

    def posting(self) -> f.Posting:
        """A message to one or some; or, if none is on its way, sometimes a Commit to all."""
        chance = self.chance
        size = chance.choice((100, 1000, 1000, 3000, 20_000))
        committing = any(posting.order for posting in self.outbox.values())
        if committing or chance.random() > 0.1:
            to = chance.choice(self.audiences).id
            return f.Posting(chance.randbytes(16), [f.Parcel(to, chance.randbytes(size))])
        order = f.Order(HANDLE, self.epoch, chance.randbytes(16))
        to = self.audiences[-1].id
        parcels = [f.Parcel(to, chance.randbytes(size)) for _ in range(2)]
        return f.Posting(chance.randbytes(16), parcels, order)


class Lane:
    """One server, killed again and again."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.chance = random.Random(seed)
        self.directory, enrolled = make_enterprise(folder, DEVICES)
        self.phones = [Phone(self, device) for device in enrolled]
        self.by_id = {phone.enrolled.id: phone for phone in self.phones}
        self.lists = {}
        for phone in self.phones:
            sizes = (1, 1, 3)
            chosen = [self.chance.sample(enrolled, size) for size in sizes] + [enrolled]
            phone.audiences = [fanout_frame([each.id for each in some]) for some in chosen]
            self.lists.update({told.id: told.devices for told in phone.audiences})
        self.due: list[tuple[Phone, bytes]] = []
        self.commits: dict[int, bytes] = {}
        self.postings = 0
        self.calm = False
        self.busy_kills = 0

    def accepted(self, sender: Phone, posting: f.Posting) -> None:
        """The server has promised this posting."""
        self.postings += 1
        for parcel in posting.parcels:
            name = hashlib.sha256(parcel.sealed).digest()
            self.due += [(self.by_id[device], name) for device in self.lists[parcel.fanout]]
        if posting.order is not None:
            token = self.commits.setdefault(posting.order.epoch, posting.order.token)
            assert token == posting.order.token, f"a fork at epoch {posting.order.epoch}"
            sender.epoch = posting.order.epoch + 1

    async def run(self, kills: int) -> None:
        """Kill the server so often, then let all come to rest and check."""
        for number in range(kills):
            start = ServerProcess if number % COLD_STARTS == 0 else ForkedServer
            with await asyncio.to_thread(start, self.directory) as server:
                connecting = asyncio.gather(*self._connect(server))
                await asyncio.sleep(self.chance.uniform(0, LOAD_SECONDS))
                self.busy_kills += any(phone.outbox and phone.link for phone in self.phones)
                await asyncio.to_thread(server.kill)
                await connecting
        self.calm = True
        with await asyncio.to_thread(ServerProcess, self.directory) as server:
            await asyncio.gather(*self._connect(server))
            for _ in range(CALM_SECONDS * 10):
                await asyncio.sleep(0.1)
                if not self._missing() and not any(phone.outbox for phone in self.phones):
                    break
            await asyncio.sleep(0.5)  # for the last acknowledgements
            assert await asyncio.to_thread(server.stop) == 0
        self._check()

    def _connect(self, server: ServerProcess | ForkedServer) -> list[asyncio.Task[None]]:
        pin = self.directory.fingerprint()
        return [asyncio.create_task(phone.connect(server.port, pin)) for phone in self.phones]

    def _missing(self) -> list[tuple[Phone, bytes]]:
        return [(phone, name) for phone, name in self.due if name not in phone.seen]

    def _check(self) -> None:
        assert not self._missing(), "accepted and never delivered"
        assert not any(phone.outbox for phone in self.phones), "never answered"
        assert sorted(self.commits) == list(range(len(self.commits)))
        database = Database.open(self.directory.database)
        database.check()
        for table in ("mailbox", "shared_parcel"):
            assert database.reading.execute(f"SELECT count(*) FROM {table}").get == 0, table
        database.close()


@pytest.mark.real_start
def test_accepted_survives_sigkill(tmp_path: Path) -> None:
    seed = runs.seed()
    lanes = [Lane(tmp_path / f"lane{number}", seed + number) for number in range(LANES)]

    faults: list[dict[str, Any]] = []

    async def all_lanes() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, fault: faults.append(fault))
        async with asyncio.TaskGroup() as group:
            for lane in lanes:
                group.create_task(lane.run(KILLS // LANES))

    uvloop.run(all_lanes())
    assert not faults, faults
    postings = sum(lane.postings for lane in lanes)
    repeated = sum(phone.repeated for lane in lanes for phone in lane.phones)
    busy = sum(lane.busy_kills for lane in lanes)
    commits = sum(len(lane.commits) for lane in lanes)
    print(f"{postings} postings accepted, {commits} Commits, {repeated} parcels recognised again")
    print(f"{busy} of {KILLS} kills while postings were unanswered")
    assert busy > KILLS // 2, "the load must be there when the server dies"
    assert repeated > 0, "a kill must sometimes fall between delivery and deletion"
    assert postings > 10 * KILLS
