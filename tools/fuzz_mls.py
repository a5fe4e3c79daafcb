"""`make fuzz`: throw mutated bytes at every door of MLS, millions of them, and count.

    python -m tools.fuzz_mls --runs 10000000 --seed 1

Each door may refuse with `MLSError` and nothing else; what is signed or sealed may not be
accepted when a byte of it has changed; what parses must encode to the same bytes; the group
stays byte-identical. Work goes in slices, each with its own printed seed, so that a finding is
repeated by `--seed SEED --slice K`.
"""

import argparse
import random
import resource
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from blackthorn.mls.codec import decode
from blackthorn.mls.errors import MLSError
from blackthorn.mls.extension import Extension, external_senders, required_capabilities
from blackthorn.mls.framing.framing import encode_message, read_message
from blackthorn.mls.framing.key_package import (
    KeyPackagePrivate,
    VerifiedKeyPackage,
    parse_key_package,
)
from blackthorn.mls.group.group import Group
from blackthorn.mls.tree.ratchet_tree import read_ratchet_tree
from blackthorn.wire.tls import Reader, TLSDecodeError
from tools.fuzz_group import NOW, FuzzFindingError, FuzzGroup, believe

SLICE = 100_000


@dataclass
class Door:
    """One way in: sound inputs to start from, and what is done with an input.

    `knock` raises `MLSError` to refuse. `sealed`: nothing but a sound input may be taken.
    """

    name: str
    sound: Sequence[bytes]
    knock: Callable[[bytes], object]
    weight: int
    sealed: bool = False


@dataclass
class Tally:
    """What happened at the doors."""

    knocks: Counter[str] = field(default_factory=Counter)
    taken: Counter[str] = field(default_factory=Counter)
    tried: int = 0
    """Inputs made; those that happen to be sound are not counted as knocks."""
    slowest: float = 0.0
    slowest_door: str = ""


# --- The doors ----------------------------------------------------------------------------


def _parse(data: bytes) -> None:
    if encode_message(decode(read_message, data, "message")) != data:
        raise FuzzFindingError("what was parsed encodes to other bytes")


def _tree(data: bytes) -> None:
    if decode(read_ratchet_tree, data, "ratchet tree").encode() != data:
        raise FuzzFindingError("the tree encodes to other bytes")


def _extensions(data: bytes) -> None:
    for read in (required_capabilities, external_senders):
        for number in (3, 5):
            read([Extension(number, data)])


def _reader(data: bytes) -> None:
    reader = Reader(data)
    try:
        reader.vector(lambda each: each.optional(Reader.opaque))
        reader.u16s()
        reader.vector(lambda each: (each.u8(), each.vector(Reader.opaque)))
        reader.finish()
    except TLSDecodeError as error:
        raise MLSError("refused") from error


def doors(group: FuzzGroup) -> list[Door]:
    """All ways in."""
    messages = group.messages()
    everything = [*messages, group.welcome, group.dave, *group.group_infos]
    states = [group.before, group.alice.serialise()]
    trees = [group.alice.ratchet_tree()]
    stored = [group.key_package.serialise()]
    return [
        Door("message", messages, group.hear, 8, sealed=True),
        Door("insider", group.plaintexts(messages), group.insider, 3),
        Door("parse", everything, _parse, 4),
        Door("welcome", [group.welcome], group.join, 2),
        Door("group info", group.group_infos, group.enter, 2, sealed=True),
        Door("key package", [group.dave], lambda data: offered(data), 3, sealed=True),
        Door("stored group", states, Group.deserialise, 1),
        Door("stored key package", stored, KeyPackagePrivate.deserialise, 1),
        Door("ratchet tree", trees, _tree, 1),
        Door("extensions", [b"\x06\x00\x01\x00\x02\x00\x03\x00\x00"], _extensions, 1),
        Door("reader", [*trees, *messages[:1]], _reader, 2),
    ]


def offered(data: bytes) -> VerifiedKeyPackage:
    """Verify a key package."""
    return parse_key_package(data, now=NOW, validate=believe)


# --- Mutation -----------------------------------------------------------------------------

_LENGTHS = (b"\x00", b"\x3f", b"\x40\x3f", b"\x7f\xff", b"\xbf\xff\xff\xff", b"\x80\x00\x40\x00")


def mutate(seeded: random.Random, data: bytes, other: bytes) -> bytes:
    """The data with one to four changes."""
    changed = bytearray(data)
    for _ in range(seeded.choice((1, 1, 1, 2, 4))):
        if not changed:
            return seeded.randbytes(seeded.randrange(64))
        place, what = int(seeded.random() * len(changed)), int(seeded.random() * 9)
        if what < 3:
            changed[place] ^= 1 << int(seeded.random() * 8)
        elif what == 3:
            changed[place] = int(seeded.random() * 256)
        elif what == 4:
            del changed[place : place + 1 + int(seeded.random() * 16)]
        elif what == 5:
            changed[place:place] = seeded.randbytes(1 + int(seeded.random() * 16))
        elif what == 6:
            length = seeded.choice(_LENGTHS)
            changed[place : place + len(length)] = length
        elif what == 7:
            start = int(seeded.random() * len(other)) if other else 0
            changed[place : place + 64] = other[start : start + 64]
        else:
            del changed[place:]
    return bytes(changed)


def inputs(seeded: random.Random, open_doors: Sequence[Door]) -> Iterator[tuple[Door, bytes]]:
    """Mutated inputs without end, each with its door."""
    weights = [door.weight for door in open_doors]
    while True:
        for door in seeded.choices(open_doors, weights, k=1000):
            data = seeded.choice(door.sound)
            yield door, mutate(seeded, data, seeded.choice(door.sound))


def fuzz(runs: int, seed: int, tally: Tally) -> None:
    """Knock `runs` times. Raises `FuzzFindingError`, which names the input in hex."""
    group = FuzzGroup(seed)
    open_doors = doors(group)
    sound = {door.name: set(door.sound) for door in open_doors}
    source = inputs(random.Random(seed), open_doors)
    clock = time.perf_counter
    for _ in range(runs):
        door, data = next(source)
        tally.tried += 1
        if data in sound[door.name]:
            continue
        began = clock()
        try:
            door.knock(data)
        except MLSError:
            pass
        except Exception as error:
            raise FuzzFindingError(f"{door.name}: {error!r} for {data.hex()}") from error
        else:
            tally.taken[door.name] += 1
            if door.sealed:
                raise FuzzFindingError(f"{door.name}: taken {data.hex()}")
        took = clock() - began
        if took > tally.slowest:
            tally.slowest, tally.slowest_door = took, door.name
        tally.knocks[door.name] += 1
    if group.bob.serialise() != group.before:
        raise FuzzFindingError("the group has changed")


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--slice", type=int, default=0, help="begin with this slice")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="stop after these")
    given = parser.parse_args()
    tally, began, number = Tally(), time.monotonic(), given.slice
    while (done := tally.tried) < given.runs and time.monotonic() - began < given.seconds:
        print(f"slice {number}, seed {given.seed + number}", file=sys.stderr)
        fuzz(min(SLICE, given.runs - done), given.seed + number, tally)
        number += 1
    seconds, total = time.monotonic() - began, sum(tally.knocks.values())
    for name, count in tally.knocks.most_common():
        print(f"{name:20} {count:>12,} inputs, {tally.taken[name]:>9,} taken")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{total:,} inputs in {seconds:.0f} s, {total / seconds:,.0f} a second; slowest "
        f"{tally.slowest * 1000:.1f} ms ({tally.slowest_door}); peak {peak} MiB; nothing found"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
