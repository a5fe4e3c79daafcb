"""The ledger: how large a lookup is and how long checking takes, on real trees of random users.

The figures of AKD (WhatsApp's directory) stand beside ours: 2,130 bytes for a lookup in the
11-level tree of its published test vectors, about 5 kB at a million users by its own design.
Sizes are chosen by `--sizes 5000,100000,1000000`; a million users take some minutes.
"""

import gc
import random
import time
from dataclasses import dataclass

from bench.figures import Figure, Figures
from blackthorn.crypto import vrf
from blackthorn.crypto.secret import Secret
from blackthorn.directory.audit import Replay
from blackthorn.directory.commitment import Value, commit
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.entries import ConfigEntry, Head, Mutation
from blackthorn.directory.lookup import Answer, EpochPart, build_present
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.directory.verify import Terms, verify_answer, verify_epoch
from blackthorn.tlog.checkpoint import Checkpoint, LogSigner
from blackthorn.tlog.cosignature import Cosigner, add_lines
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.verify import Policy, parse_policy

SIZES = (5_000, 100_000)
GOALS = {5_000: 1_600, 100_000: 1_800, 1_000_000: 2_000}
AKD_BYTES = {5_000: 2_130.0, 100_000: 2_130.0, 1_000_000: 5_000.0}
ASKED = 300
"""Users whose lookups are made and checked."""

REPEATED = 20
"""Times that an epoch is verified; the first one also fills caches."""

CHANGES = 100
YEAR_USERS, YEAR_CHANGES, YEAR_HEADS = 5_000, 6, 365 * 24 * 6
"""A year of a small enterprise: six changes a user, a head each ten minutes."""

ORIGIN = "bench.example/ledger"


@dataclass
class House:
    """A log with its keys and three witnesses."""

    chance: random.Random
    signer: LogSigner
    witnesses: list[Cosigner]
    vrf: Secret
    config: DirectoryConfig
    policy: Policy

    @classmethod
    def make(cls) -> "House":
        """Fresh keys."""
        chance = random.Random(5)
        signer = LogSigner(ORIGIN, Secret(chance.randbytes(32)))
        witnesses = [Cosigner(f"w{n}.example", Secret(chance.randbytes(32))) for n in range(3)]
        secret = Secret(chance.randbytes(32))
        config = DirectoryConfig(
            ORIGIN,
            "bench.example",
            str(signer.vkey),
            vrf.public_key(secret),
            (chance.randbytes(32), chance.randbytes(1952)),
            1,
            72 * 3600 * 1000,
            10_000,
            600_000,
            chance.randbytes(32),
        )
        lines = "".join(f"witness w{n} {each.vkey}\n" for n, each in enumerate(witnesses))
        policy = parse_policy(f"log {signer.vkey}\n{lines}group most 2 w0 w1 w2\nquorum most\n")
        return cls(chance, signer, witnesses, secret, config, policy)

    def publish(self, log: MerkleLog, head: bytes) -> EpochPart:
        """The epoch that ends in `head`, cosigned by all three witnesses."""
        checkpoint = Checkpoint(ORIGIN, log.size, log.root())
        note = add_lines(
            self.signer.sign(checkpoint), [each.cosign(checkpoint, 10) for each in self.witnesses]
        )
        return EpochPart(note, head, tuple(log.inclusion_proof(log.size - 1, log.size)))


@dataclass
class Asked:
    """A user of whom everything is known."""

    label: str
    place: tuple[bytes, bytes]
    value: bytes
    opening: bytes

    @classmethod
    def make(cls, house: House, number: int) -> "Asked":
        """A user with a value and an opening of his own."""
        label = f"user{number}@bench.example"
        output, proof = vrf.prove(house.vrf, label.encode())
        value = Value(house.chance.randbytes(32), 1, 0).encode()
        return cls(label, (output[:32], proof), value, house.chance.randbytes(16))

    def answer(self, tree: PrefixTree) -> Answer:
        """What a server says of him."""
        return build_present(tree, self.label, self.place, 1, self.value, self.opening)


def _lookups(house: House, users: int) -> Figures:
    asked = [Asked.make(house, number) for number in range(ASKED)]
    leaves = {each.place[0]: commit(each.opening, each.label, 1, each.value) for each in asked}
    while len(leaves) < users:
        leaves[house.chance.randbytes(32)] = house.chance.randbytes(32)
    start = time.process_time()
    tree = PrefixTree.of(leaves.items())
    built = time.process_time() - start
    head = Head(1, 1_000, tree.root, users, users, house.config.digest).encode()
    log = MerkleLog(
        [house.config.encode(), *(Mutation(1, i, 1, c).encode() for i, c in leaves.items())]
    )
    log.append(head)
    part = house.publish(log, head)
    answers = [each.answer(tree) for each in asked]
    sizes = [part.size + each.size for each in answers]
    terms = Terms(house.policy, house.config, 20_000, 3_600)
    start = time.process_time()
    for _ in range(REPEATED):
        epoch = verify_epoch(part, (), None, terms)
    once = (time.process_time() - start) / REPEATED
    start = time.process_time()
    for answer in answers:
        verify_answer(answer, answer.label, epoch, house.config)
    each_ms = (time.process_time() - start) / ASKED * 1000
    akd = {"AKD": AKD_BYTES[users]} if users in AKD_BYTES else {}
    name = f"{users:,} users"
    published = _publish(house, log, tree, asked)
    return [
        Figure(f"lookup_mean_{users}", f"lookup answer, mean, {name}", sum(sizes) / ASKED, "B",
               at_most=GOALS.get(users), beside=akd),
        Figure(f"lookup_max_{users}", f"the largest of {ASKED}, {name}", max(sizes), "B"),
        Figure(f"verify_{users}", f"verify one lookup with its epoch, {name}",
               each_ms + once * 1000, "ms", at_most=2.0),
        Figure(f"publish_{users}", f"an epoch with {CHANGES} changes, {name}", published, "s",
               at_most=0.2),
        Figure(f"build_{users}", f"build the map at the start, {name}", built, "s"),
    ]  # fmt: skip


def _publish(house: House, log: MerkleLog, tree: PrefixTree, asked: list[Asked]) -> float:
    start = time.process_time()
    for each in asked[:CHANGES]:
        commitment = commit(each.opening, each.label, 2, each.value)
        tree = tree.updated({each.place[0]: commitment})
        log.append(Mutation(2, each.place[0], 2, commitment).encode())
    head = Head(2, 2_000, tree.root, tree.users, CHANGES, house.config.digest).encode()
    log.append(head)
    house.publish(log, head)
    return time.process_time() - start


def year(house: House) -> list[bytes]:
    """All entries of a year of YEAR_USERS users: 7.6 MB."""
    entries = [ConfigEntry(1, house.config.encode()).encode()]
    versions = {house.chance.randbytes(32): 0 for _ in range(YEAR_USERS)}
    changes = list(versions) * YEAR_CHANGES
    house.chance.shuffle(changes)
    tree, at = PrefixTree(), 0
    for epoch in range(1, YEAR_HEADS + 1):
        until = len(changes) * epoch // YEAR_HEADS
        for index in changes[at:until]:
            versions[index] += 1
            commitment = house.chance.randbytes(32)
            tree = tree.updated({index: commitment})
            entries.append(Mutation(epoch, index, versions[index], commitment).encode())
        head = Head(epoch, epoch * 600_000, tree.root, tree.users, until - at, house.config.digest)
        entries.append(head.encode())
        at = until
    return entries


def _replay(house: House) -> Figures:
    entries = year(house)
    megabytes = sum(map(len, entries)) / 1e6
    start = time.process_time()
    replay = Replay()
    for entry in entries:
        replay.feed(entry)
    seconds = time.process_time() - start
    name = f"replay a year of {YEAR_USERS:,} users, {megabytes:.1f} MB"
    return [Figure("replay_year", name, seconds, "s", at_most=10.0)]


def run(sizes: tuple[int, ...] = SIZES) -> Figures:
    """All figures, of one core."""
    house = House.make()
    figures: Figures = []
    for users in sizes:
        figures += _lookups(house, users)
        gc.collect()
    return figures + _replay(house)
