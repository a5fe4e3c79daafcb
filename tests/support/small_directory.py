"""A small directory with real keys, made by hand, for tests: what an honest server would say."""

import hashlib
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from blackthorn.crypto import vrf
from blackthorn.crypto.secret import Secret
from blackthorn.directory import lookup
from blackthorn.directory.commitment import Value, commit
from blackthorn.directory.config import DirectoryConfig
from blackthorn.directory.entries import ConfigEntry, Head, Mutation
from blackthorn.directory.prefix_tree import PrefixTree
from blackthorn.directory.verify import Accepted, Terms, VerifiedEpoch, verify_epoch
from blackthorn.errors import VerificationError
from blackthorn.tlog.checkpoint import Checkpoint, LogSigner
from blackthorn.tlog.cosignature import Cosigner, add_lines
from blackthorn.tlog.merkle import MerkleLog
from blackthorn.tlog.policy import parse_policy

ORIGIN = "acme.example/ledger"
ALICE, BOB, NOBODY = "alice@acme.example", "bob@acme.example", "nobody@acme.example"


@dataclass
class Row:
    """One version of one user."""

    version: int
    value: Value
    opening: bytes
    at: int


@dataclass
class SmallDirectory:
    """Everything in memory; `publish` ends an epoch."""

    seed: int = 7
    quorum: str = "most"
    rows: dict[str, list[Row]] = field(default_factory=dict)
    places: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        print(f"seed {self.seed}")
        self.chance = random.Random(self.seed)
        rand = self.chance.randbytes
        self.signer = LogSigner(ORIGIN, Secret(rand(32)))
        self.witnesses = [Cosigner(f"w{n}.example", Secret(rand(32))) for n in range(3)]
        self.vrf = Secret(rand(32))
        names = "".join(f"witness w{n} {each.vkey}\n" for n, each in enumerate(self.witnesses))
        self.policy_text = f"log {self.signer.vkey}\n{names}group most 2 w0 w1 w2\n"
        self.policy_text += f"quorum {self.quorum}\n"
        self.policy = parse_policy(self.policy_text)
        self.config = DirectoryConfig(
            ORIGIN,
            "acme.example",
            str(self.signer.vkey),
            vrf.public_key(self.vrf),
            (rand(32), rand(1952)),
            1,
            72 * 3600 * 1000,
            10_000,
            600_000,
            hashlib.sha256(self.policy_text.encode()).digest(),
        )
        self.log = MerkleLog()
        self.entries: list[bytes] = []
        self.tree = PrefixTree()
        self.epoch, self.unix_ms, self.changes = 0, 1_000_000, 0
        self.heads: dict[int, int] = {}
        self.add(ConfigEntry(1, self.config.encode()).encode())

    @classmethod
    def of_three(cls) -> "SmallDirectory":
        """Three users, one epoch."""
        made = cls()
        for label in (ALICE, BOB, "carol@acme.example"):
            made.set(label)
        made.publish()
        return made

    def add(self, entry: bytes) -> None:
        self.entries.append(entry)
        self.log.append(entry)

    def place(self, label: str) -> tuple[bytes, bytes]:
        if label not in self.places:
            output, proof = vrf.prove(self.vrf, label.encode())
            self.places[label] = output[:32], proof
        return self.places[label]

    def set(self, label: str, seq: int = 1, flags: int = 0) -> Value:
        """A further version of a user, of some chain, in the epoch under way."""
        value = Value(self.chance.randbytes(32), seq, flags)
        self.put(label, value)
        return value

    def put(self, label: str, value: Value) -> None:
        """A further version of a user's entry, whatever it says."""
        rows = self.rows.setdefault(label, [])
        version, opening = len(rows) + 1, self.chance.randbytes(16)
        index = self.place(label)[0]
        commitment = commit(opening, label, version, value.encode())
        rows.append(Row(version, value, opening, len(self.entries)))
        self.tree = self.tree.updated({index: commitment})
        self.add(Mutation(self.epoch + 1, index, version, commitment).encode())
        self.changes += 1

    def head(self) -> Head:
        return Head(
            self.epoch + 1,
            self.unix_ms + 10_000,
            self.tree.root,
            self.tree.users,
            self.changes,
            self.config.digest,
        )

    def publish(self, head: Head | None = None) -> lookup.EpochPart:
        head = head or self.head()
        self.epoch, self.unix_ms, self.changes = self.epoch + 1, self.unix_ms + 10_000, 0
        self.heads[self.epoch] = len(self.entries)
        self.add(head.encode())
        return self.part()

    @property
    def now_ms(self) -> int:
        return self.unix_ms + 1_000

    def checkpoint(self) -> Checkpoint:
        return Checkpoint(ORIGIN, self.log.size, self.log.root())

    def note(self, checkpoint: Checkpoint | None = None, time_s: int | None = None) -> bytes:
        checkpoint = checkpoint or self.checkpoint()
        time_s = self.unix_ms // 1000 if time_s is None else time_s
        return add_lines(
            self.signer.sign(checkpoint), [w.cosign(checkpoint, time_s) for w in self.witnesses]
        )

    def part(self) -> lookup.EpochPart:
        proof = tuple(self.log.inclusion_proof(self.log.size - 1, self.log.size))
        return lookup.EpochPart(self.note(), self.entries[-1], proof)

    def terms(self, **changes: object) -> Terms:
        return replace(Terms(self.policy, self.config, self.now_ms, 3600), **changes)

    def answer(self, label: str) -> lookup.Answer:
        rows = self.rows.get(label)
        if not rows:
            return lookup.build_absent(self.tree, label, self.place(label))
        row = rows[-1]
        return lookup.build_present(
            self.tree, label, self.place(label), row.version, row.value.encode(), row.opening
        )

    def receipt(self, label: str, version: int) -> lookup.Receipt:
        row = self.rows[label][version - 1]
        epoch = int.from_bytes(self.entries[row.at][1:9], "big")
        head = self.heads[epoch]
        return lookup.Receipt(
            row.value.seq,
            version,
            row.value.encode(),
            row.opening,
            self.place(label)[1],
            self.entries[row.at],
            row.at,
            tuple(self.log.inclusion_proof(row.at)),
            self.entries[head],
            head,
            tuple(self.log.inclusion_proof(head)),
        )


def epoch_of(
    world: SmallDirectory, last: Accepted | None = None, **changes: object
) -> VerifiedEpoch:
    """The newest epoch as a client verifies it, who accepted `last` before."""
    proof = world.log.consistency_proof(last.size) if last else ()
    return verify_epoch(world.part(), proof, last, world.terms(**changes))


def refused(rule: str, act: Callable[..., object], *arguments: object) -> None:
    """Holds that this breaks exactly that rule."""
    with pytest.raises(VerificationError) as caught:
        act(*arguments)
    assert caught.value.rule == rule, caught.value
