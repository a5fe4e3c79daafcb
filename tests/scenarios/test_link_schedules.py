"""Seeded schedules over the whole link: messages late, wires cut, server and devices crashed.

Whatever happens, every accepted parcel is shown once by each device that it is for, nothing
is deleted before that, and of all Commits of an epoch one is accepted.
"""

import pytest

from blackthorn.errors import StorageError
from blackthorn.link import frames as f
from tests.support import runs
from tests.support.link_world import Device, World

SEED = runs.seed()
SCHEDULES = runs.many(40)
STEPS = 500
HANDLE = b"h" * 32


class Schedule:
    """One random life of a server with five devices."""

    def __init__(self, seed: int) -> None:
        self.world = World(seed, devices=5)
        self.chance = self.world.chance
        self.sent = 0
        self.epochs = dict.fromkeys((device.id for device in self.world.devices), 0)

    def run(self) -> None:
        actions = {
            self.deliver: 60,
            self.commit: 12,
            self.send: 14,
            self.send_commit: 3,
            self.connect: 8,
            self.cut: 2,
            self.resume_again: 1,
            self.second_connection: 1,
            self.stall: 2,
            self.tick: 6,
            self.crash: 1,
            self.full_disk: 1,
            self.slow_reads: 6,
        }
        for _ in range(STEPS):
            self.chance.choices(list(actions), list(actions.values()))[0]()
            if self.chance.random() < 0.02:
                self.world.check_nothing_lost()
        self.calm()

    def calm(self) -> None:
        """Let everything come to rest, with every device on line."""
        world = self.world
        world.writer.fail(None)
        world.reader.release()
        for wire in list(world.wires):
            world.cut(wire)
        for _ in range(2):  # a refusal for want of space is answered on the next connection
            for device in world.devices:
                device.connect()
                world.settle()
        world.check_counts()
        world.check_all_shown_once()
        self.check_commits()

    def check_commits(self) -> None:
        taken: dict[int, bytes] = {}
        for _, posting in self.world.accepted_postings:
            if posting.order is not None:
                first = taken.setdefault(posting.order.epoch, posting.order.token)
                assert first == posting.order.token, f"fork at epoch {posting.order.epoch}"
        assert sorted(taken) == list(range(len(taken)))

    # --- Actions --------------------------------------------------------------------------

    def any_device(self) -> Device:
        return self.chance.choice(self.world.devices)

    def deliver(self) -> None:
        if self.world.wires:
            wire = self.chance.choice(self.world.wires)
            self.world.step_wire(wire, to_server=self.chance.random() < 0.5)

    def commit(self) -> None:
        self.world.writer.commit()

    def tick(self) -> None:
        self.world.dispatcher.tick(self.world.now)

    def content(self, device: Device) -> bytes:
        self.sent += 1
        return b"%d from %d, %s" % (
            self.sent,
            device.number,
            self.chance.randbytes(4).hex().encode(),
        )

    def send(self) -> None:
        device = self.any_device()
        audience = self.chance.sample(self.world.devices, self.chance.choice((1, 1, 1, 2, 4)))
        contents = [self.content(device) for _ in range(self.chance.choice((1, 1, 2)))]
        device.post(audience, *contents)
        if self.chance.random() < 0.1:
            audience[0].aside.add(contents[0])

    def send_commit(self) -> None:
        """A Commit at the epoch that the device believes in; it learns from refusals."""
        device = self.any_device()
        epoch = self.epochs[device.id]
        behind = [r for r in device.refusals if r.code == "epoch-taken"]
        device.refusals.clear()
        mine = [p.order.epoch for d, p in self.world.accepted_postings if d is device and p.order]
        epoch = max([epoch + len(behind), *(each + 1 for each in mine)])
        self.epochs[device.id] = epoch
        if not any(posting.order for posting in device.outbox.values()):
            order = f.Order(HANDLE, epoch, self.chance.randbytes(16))
            device.post(self.world.devices, self.content(device), self.content(device), order=order)

    def connect(self) -> None:
        device = self.any_device()
        if device.wire is None:
            device.connect(resume=self.chance.random() < 0.9)

    def cut(self) -> None:
        if self.world.wires:
            self.world.cut(self.chance.choice(self.world.wires))

    def resume_again(self) -> None:
        """Resume on a connection that receives already: what was set aside may come again."""
        wire = self.any_device().wire
        if wire is not None and wire.link.opened:
            wire.ordered = False  # what was on its way mixes with what comes again
            wire.say(f.Resume(set_aside=self.chance.random() < 0.5))

    def second_connection(self) -> None:
        """Connect anew while the old connection still stands, as after a change of network."""
        device = self.any_device()
        if device.wire is not None:
            device.connect()

    def stall(self) -> None:
        """A peer stops reading, or reads again."""
        if self.world.wires:
            session = self.chance.choice(self.world.wires).session
            if session.paused_since is None:
                self.world.dispatcher.pause(session, self.world.now)
            else:
                self.world.dispatcher.unpause(session)

    def crash(self) -> None:
        self.world.crash(committed=self.chance.random() < 0.5)

    def slow_reads(self) -> None:
        """Answers of the store come late, some of them from before what came meanwhile."""
        if self.chance.random() < 0.4:
            self.world.reader.release()
            self.world.reader.hold(early=self.chance.random() < 0.5)
        else:
            self.world.reader.release()

    def full_disk(self) -> None:
        full = StorageError("the disk is full: nothing was stored; free some space")
        self.world.writer.fail(full if self.chance.random() < 0.5 else None)


@pytest.mark.parametrize("number", range(SCHEDULES))
def test_accepted_parcels_survive_any_schedule(number: int) -> None:
    print(f"seed {SEED}, schedule {number}")
    Schedule(SEED + number).run()
