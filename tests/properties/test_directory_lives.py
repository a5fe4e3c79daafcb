"""Random lives of a directory: honest ones raise no alarm for anybody, and no lie gets through.

Users come and change, epochs end, configurations and typed entries are logged; clients look in
when it suits them, keep what they verified, and never see anything that does not fit; an auditor
replays every entry and goes on from saved states.
"""

import random
from dataclasses import dataclass, field, fields, replace

import pytest

from blackthorn.directory import entries, records
from blackthorn.directory.audit import Replay, resume
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.entries import ConfigEntry, Record
from blackthorn.directory.verify import (
    Absent,
    Accepted,
    Answer,
    Observation,
    Present,
    Receipt,
    VerifiedEpoch,
    check_history,
    verify_answer,
    verify_epoch,
    verify_receipt,
)
from blackthorn.errors import VerificationError
from tests.support import runs
from tests.support.small_directory import SmallDirectory, refused

LABELS = [f"user{n}@acme.example" for n in range(8)]


def seeded() -> random.Random:
    seed = runs.seed()
    return random.Random(seed)


@dataclass
class Client:
    """Somebody who trusts what he has verified, and nothing else."""

    config: DirectoryConfig
    last: Accepted | None = None
    known: dict[str, Present] = field(default_factory=dict)
    seen: dict[str, list[Observation]] = field(default_factory=dict)

    def look(self, world: SmallDirectory, labels: list[str]) -> None:
        epoch = self.epoch(world)
        self.last = epoch.accepted
        for label in labels:
            answer = verify_answer(world.answer(label), label, epoch, self.config)
            rows = world.rows.get(label, [])
            if isinstance(answer, Absent):
                assert not rows and label not in self.known
            else:
                assert answer == Present(len(rows), rows[-1].value)
                if label in self.known:
                    check_history(self.known[label], answer)
                self.known[label] = answer
            before = self.seen.setdefault(label, [])
            for version in range(1, len(rows) + 1):
                receipt = world.receipt(label, version)
                seq, logged_ms = verify_receipt(receipt, label, epoch, self.config, before)
                assert seq == version
                assert logged_ms == 1_000_000 + 10_000 * world.born[label, version]
            before.append(Observation(epoch.accepted, len(rows)))

    def epoch(self, world: SmallDirectory) -> VerifiedEpoch:
        """The newest one; under the old configuration a new one is refused."""
        proof = world.log.consistency_proof(self.last.size) if self.last else ()
        if self.config != world.config:
            old = world.terms(config=self.config)
            refused("D13", verify_epoch, world.part(), proof, self.last, old)
            self.config = world.config
        return verify_epoch(world.part(), proof, self.last, world.terms(config=self.config))


class Life(SmallDirectory):
    """A directory in which things happen by chance."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.born: dict[tuple[str, int], int] = {}
        self.auditor = Replay()

    def step(self, chance: random.Random) -> None:
        """One epoch."""
        if chance.random() < 0.1:
            delay = self.config.reset_delay_ms + chance.randrange(10**6)
            self.config = replace(self.config, reset_delay_ms=delay)
            self.add(ConfigEntry(self.epoch + 1, self.config.encode()).encode())
        if chance.random() < 0.2:
            body = {"name": "x", "version": str(self.epoch), "digest": chance.randbytes(32)}
            made = records.encode_record(entries.RELEASE, body)
            self.add(Record(entries.RELEASE, self.epoch + 1, made).encode())
        for label in chance.sample(LABELS, chance.choice([0, 0, 1, 1, 2, 5])):
            version = len(self.rows.get(label, [])) + 1
            self.born[label, version] = self.epoch + 1
            self.set(label, seq=version)
        self.publish()
        self.audit(chance)

    def audit(self, chance: random.Random) -> None:
        for entry in self.entries[self.auditor.size :]:
            self.auditor.feed(entry)
        self.auditor.check_checkpoint(self.checkpoint())
        if chance.random() < 0.3:
            self.auditor = resume(self.auditor.save())


def test_an_honest_directory_alarms_nobody() -> None:
    chance = seeded()
    world = Life(seed=chance.randrange(2**32))
    clients = [Client(world.config) for _ in range(4)]
    for _ in range(60):
        world.step(chance)
        for client in clients:
            if chance.random() < 0.3:
                client.look(world, chance.sample(LABELS, 2))
    assert world.auditor.users == len(world.rows)


def said(world: SmallDirectory, label: str) -> tuple[Answer, list[Receipt]]:
    rows = world.rows.get(label, [])
    return world.answer(label), [world.receipt(label, n + 1) for n in range(len(rows))]


def test_nothing_that_was_said_of_others_or_before_passes_for_now() -> None:
    """Each field of an answer and of a receipt, replaced by any other that was ever true."""
    chance = seeded()
    world = Life(seed=chance.randrange(2**32))
    told: list[tuple[Answer, list[Receipt]]] = []
    for _ in range(12):
        world.step(chance)
        told += [said(world, label) for label in chance.sample(LABELS, 3)]
    epoch = verify_epoch(world.part(), (), None, world.terms())
    for label in LABELS:
        answer, receipts = said(world, label)
        truth = verify_answer(answer, label, epoch, world.config)
        for other, others in told:
            for name in (each.name for each in fields(Answer)):
                lie = replace(answer, **{name: getattr(other, name)})
                if lie != answer:
                    with pytest.raises(VerificationError):
                        verify_answer(lie, label, epoch, world.config)
            if other != answer:
                with pytest.raises(VerificationError):
                    verify_answer(other, label, epoch, world.config)
            for receipt in receipts:
                when = verify_receipt(receipt, label, epoch, world.config)
                for one in others:
                    name = chance.choice([each.name for each in fields(Receipt)])
                    lie = replace(receipt, **{name: getattr(one, name)})
                    if lie != receipt:
                        with pytest.raises(VerificationError):
                            verify_receipt(lie, label, epoch, world.config)
                assert when == verify_receipt(receipt, label, epoch, world.config)
        assert isinstance(truth, Present) == (label in world.rows)
