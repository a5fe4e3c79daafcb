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

from blackthorn.crypto.secret import Secret
from blackthorn.mls import protection
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import COMMIT, MEMBER, PROPOSAL, PUBLIC_MESSAGE
from blackthorn.mls.credential import BasicCredential, Credential
from blackthorn.mls.errors import MLSError
from blackthorn.mls.extension import Extension, external_senders, required_capabilities
from blackthorn.mls.external_proposing import propose_to_be_added
from blackthorn.mls.framing import (
    AuthenticatedContent,
    FramedContent,
    PrivateMessage,
    Sender,
    encode_message,
    read_message,
)
from blackthorn.mls.group import Group
from blackthorn.mls.key_package import (
    KeyPackagePrivate,
    VerifiedKeyPackage,
    create_key_package,
    parse_key_package,
)
from blackthorn.mls.policy import Policy
from blackthorn.mls.proposals import Remove
from blackthorn.mls.ratchet_tree import read_ratchet_tree
from blackthorn.mls.suites import SUITE_1, suite
from blackthorn.wire.tls import Reader, TLSDecodeError, u32

NOW = 1_800_000_000
SLICE = 100_000
OPEN = Policy(
    join=lambda join: None,
    propose=lambda outsider, proposal: None,
    reinitialise=lambda reinit: None,
    public_handshakes=True,
)


class FuzzFindingError(Exception):
    """A door took what it must refuse, or raised what it must not."""


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


# --- The group at whose doors we knock ----------------------------------------------------


def believe(credential: Credential, signature_key: bytes) -> None:
    """Accepts everybody."""


class House:
    """Bob's side of a group of three, and sound inputs of every kind."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed).randbytes
        self.suite = suite(SUITE_1)
        self.alice, self.bob = self._group()
        self.before = self.bob.serialise()

    def _member(self, name: bytes) -> tuple[BasicCredential, Secret, bytes]:
        private, public = self.suite.generate_signature_key(self.random)
        return BasicCredential(name), private, public

    def _offer(self, name: bytes) -> tuple[bytes, VerifiedKeyPackage, KeyPackagePrivate, Secret]:
        credential, private, public = self._member(name)
        message, own = create_key_package(
            self.suite, credential, private, public, random=self.random, now=NOW
        )
        return message, parse_key_package(message, now=NOW, validate=believe), own, private

    def _group(self) -> tuple[Group, Group]:
        credential, private, public = self._member(b"alice")
        alice = Group.create(
            self.suite, b"group", credential, private, public, random=self.random, now=NOW
        )
        offers = [self._offer(b"bob"), self._offer(b"carol")]
        made = alice.commit(
            add=[offer[1] for offer in offers], random=self.random, now=NOW, validate=believe
        )
        alice.merge_pending()
        self.welcome, (_, _, self.key_package, self.private) = made.welcome or b"", offers[0]
        bob = Group.join(self.welcome, self.key_package, self.private, now=NOW, validate=believe)
        return alice, bob

    def join(self, data: bytes) -> Group:
        """Read a Welcome with bob's key package."""
        return Group.join(data, self.key_package, self.private, now=NOW, validate=believe)

    def hear(self, data: bytes) -> object:
        """Read a message to the group."""
        return self.bob.process(data, now=NOW, validate=believe, policy=OPEN)

    def messages(self) -> list[bytes]:
        """A sound message of each kind that bob may read."""
        random, (dave, package, own, private) = self.random, self._offer(b"dave")
        member = self.bob.members[0]
        _, outsider = Group.join_externally(
            self.alice.group_info(),
            member.credential,
            private,
            package.signature_key,
            random=random,
            now=NOW,
            validate=believe,
        )
        commit = self.alice.commit(
            add=[package], remove=[2], random=random, now=NOW, validate=believe
        )
        self.alice.discard_pending()
        self.group_infos, self.dave = [self.alice.group_info()], dave
        return [
            self.alice.encrypt(b"hello", random=random, authenticated_data=b"data"),
            self.alice.propose_update(random=random),
            self.alice.propose_remove(2, random=random),
            self.alice.propose_add(package, random=random),
            commit.commit,
            outsider,
            propose_to_be_added(b"group", self.alice.epoch, own, private),
            self._in_the_clear(),
        ]

    def _in_the_clear(self) -> bytes:
        state = self.alice._state
        epoch, context = state.epoch, state.epoch.context
        content = FramedContent(
            context.group_id, context.epoch, Sender(MEMBER, 0), b"data", Remove(2)
        )
        signature = protection.sign(
            self.suite, PUBLIC_MESSAGE, content, context.encoded, state.signature_private
        )
        signed = AuthenticatedContent(PUBLIC_MESSAGE, content, signature)
        key = epoch.secrets.membership_key
        return encode_message(protection.protect_public(self.suite, signed, context.encoded, key))

    def enter(self, data: bytes) -> object:
        """Join by a GroupInfo from outside."""
        credential, private, public = self._member(b"erin")
        return Group.join_externally(
            data, credential, private, public, random=self.random, now=NOW, validate=believe
        )

    def insider(self, data: bytes) -> object:
        """Read a handshake whose plaintext is `data`, rightly sealed by alice."""
        commit = bool(data[:1]) and data[0] & 1 == 1
        content_type = COMMIT if commit else PROPOSAL
        epoch = self.alice._state.epoch
        generation, use = epoch.secret_tree.prepare_next(0, 0)
        context = epoch.context
        empty = PrivateMessage(context.group_id, context.epoch, content_type, b"", b"", b"")
        ciphertext = epoch.suite.aead.seal(use.key, use.nonce, data[1:], empty.content_aad)
        key, nonce = protection.sender_data_key(epoch.suite, epoch.sender_data, ciphertext)
        sender = u32(0) + u32(generation) + bytes(4)
        sealed = epoch.suite.aead.seal(key, nonce, sender, empty.sender_data_aad)
        forged = PrivateMessage(
            context.group_id, context.epoch, content_type, b"", sealed, ciphertext
        )
        heard = self.hear(encode_message(forged))
        if bytes([commit]) + data[1:].rstrip(b"\x00") not in self.known:  # zeros are padding
            raise FuzzFindingError("a plaintext was taken that nobody signed")
        self.bob = Group.deserialise(self.before)
        return heard

    def plaintexts(self, messages: Sequence[bytes]) -> list[bytes]:
        """The plaintexts of sound handshakes, behind a byte that says their kind."""
        epoch, found = self.bob._state.epoch, []
        for message in messages:
            parsed = decode(read_message, message, "message")
            if isinstance(parsed, PrivateMessage) and parsed.content_type != 1:
                sender = protection.open_sender_data(epoch.suite, parsed, epoch.sender_data)
                content, _ = protection.open_content(epoch.suite, parsed, sender, epoch.secret_tree)
                kind = bytes([parsed.content_type == COMMIT])
                found.append(kind + content.content.encoded_body + content.encoded_auth)
        self.known = {each.rstrip(b"\x00") for each in found}
        return found


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


def doors(house: House) -> list[Door]:
    """All ways in."""
    messages = house.messages()
    everything = [*messages, house.welcome, house.dave, *house.group_infos]
    states = [house.before, house.alice.serialise()]
    trees = [house.alice.ratchet_tree()]
    stored = [house.key_package.serialise()]
    return [
        Door("message", messages, house.hear, 8, sealed=True),
        Door("insider", house.plaintexts(messages), house.insider, 3),
        Door("parse", everything, _parse, 4),
        Door("welcome", [house.welcome], house.join, 2),
        Door("group info", house.group_infos, house.enter, 2, sealed=True),
        Door("key package", [house.dave], lambda data: offered(data), 3, sealed=True),
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
    house = House(seed)
    open_doors = doors(house)
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
    if house.bob.serialise() != house.before:
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
