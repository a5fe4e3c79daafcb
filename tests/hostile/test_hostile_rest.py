"""Who asks for whom, who is in the log, and poisoned input (attacks 42 to 44)."""

import hashlib
import hmac
import random
import time
import tracemalloc
from collections.abc import Callable

import pytest

from blackthorn.crypto import vrf
from blackthorn.crypto.secret import Secret
from blackthorn.device.conversations import content, self_group
from blackthorn.device.core import envelope
from blackthorn.directory.commitment import commit
from blackthorn.directory.entries import Mutation, decode_entry
from blackthorn.directory.proof import decode_map_proof
from blackthorn.directory.verify import (
    decode_config,
    decode_evidence,
    decode_gossip,
    decode_value,
)
from blackthorn.errors import DecodeError, VerificationError
from blackthorn.governance.ledger_time import resume
from blackthorn.identity.statements import decode
from blackthorn.link import frames as f
from blackthorn.mls.errors import MLSError
from blackthorn.mls.group.processing import read_group_message
from blackthorn.tlog.tiles import format_bundle, parse_bundle
from blackthorn.tlog.verify import parse_policy
from blackthorn.wire.note import parse_note
from tests.support import runs
from tests.support.attacks import attack
from tests.support.evil_server import EvilServer
from tests.support.hostile_harness import conclude, spellings
from tests.support.insiders import parcels_of
from tools.fuzz_mls import mutate


def lookups_of(world, person):
    """The addresses of each lookup that the person has asked for."""
    frames = [f.decode(data) for address, data in world.heard_of if address == person.address]
    return [sorted(each.addresses) for each in frames if isinstance(each, f.LookUp)]


@attack(42)
def test_a_routine_lookup_names_all_contacts_so_that_it_tells_of_none():
    """Alice comes back after hours and makes a group with one of three contacts: with whom?"""
    world = EvilServer(1601, "alice", "bob", "carol", "dave")
    alice, *others = world.people[:4]
    for other in others:
        alice.write(other, world.secret())
    world.settle()
    everybody = sorted([alice.address, *(each.address for each in others)])
    for number, other in enumerate(others):
        world.leave(alice)
        world.wake(7 * 3600)
        before = len(lookups_of(world, alice))
        alice.create_group(f"group {number}", other)
        world.come(alice)
        first, *more = lookups_of(world, alice)[before:]
        assert first == everybody, "one question, whoever it is"
        assert all(each == [alice.address] for each in more)
        assert other.conversations()[-1].kind == "group" or len(other.conversations()) == 2
    conclude(world)


@attack(43)
def test_a_dictionary_of_all_addresses_finds_nobody_in_the_public_log():
    world = EvilServer(1602, "alice", "bob")
    ledger = world.ledger
    entries = ledger.store.entries(0, 10_000, 2**40)
    mutations = [each for each in map(decode_entry, entries) if isinstance(each, Mutation)]
    assert len(mutations) == len(world.people)
    places = {each.index for each in mutations}
    commitments = {each.commitment for each in mutations}
    dictionary = [person.address.encode() for person in world.people]
    dictionary += [f"user{number}@acme.example".encode() for number in range(500)]
    public = ledger.config.vrf_key
    found = 0
    for address in dictionary:
        for place in guesses(address, public):
            found += place in places
        for opening in (bytes(16), address[:16].ljust(16), hashlib.sha256(address).digest()[:16]):
            for value in (bytes(36) + b"\0", hashlib.sha256(address).digest() + bytes(5)):
                found += commit(opening, address.decode(), 1, value) in commitments
    assert found == 0
    held = b"".join(entries)
    for person in world.people:
        assert not any(needle in held for needle in spellings(person.address.encode()))
    # The search can see: whoever has the secret key finds them all.
    for person in world.people:
        assert vrf.prove(ledger.keys.vrf, person.address.encode())[0][:32] in places
    conclude(world)


def guesses(address: bytes, public: bytes) -> list[bytes]:
    """Where an outsider may think that a user lies: hashes, and VRFs of keys that he has."""
    found = [
        hashlib.sha256(address).digest(),
        hashlib.sha512(address).digest()[:32],
        hmac.digest(public, address, "sha256"),
        hashlib.sha256(public + address).digest(),
    ]
    for key in (bytes(32), public, hashlib.sha256(b"guess").digest()):
        found.append(vrf.prove(Secret(key), address)[0][:32])
    return found


# --- 44: poisoned input -------------------------------------------------------------------

RUNS = runs.many(250)
"""Inputs at each door, besides what is written out below."""

MOST_BYTES = 64 * 2**20
MOST_SECONDS = 20.0

POISON = [
    b"",
    b"\0" * 5,
    b"\xff" * 64,
    b"\xdf\xff\xff\xff\xff" + b"\x00" * 16,
    b"\x9b" + b"\xff" * 8,  # CBOR: an array of 2^64 - 1
    b"\x5b" + b"\xff" * 8 + b"x",  # CBOR: a string of 2^64 - 1 bytes
    b"\x81" * 5_000 + b"\x00",  # CBOR: arrays in arrays
    b"\xd9\xd9\xf7" * 2_000,  # CBOR: tags of tags
    b"\x91" * 5_000,  # MessagePack: arrays in arrays
    b"\xc6\xff\xff\xff\xff",  # MessagePack: 4 GiB of bytes
    b"\x00\x01\x00\x02" + b"\xff" * 40,  # MLS: lengths of 2^30
    b"[" * 50_000,
    b'{"format": ' * 9_000,
    b"9" * 10_000,
    b"acme.example/ledger\n" + b"9" * 4_000 + b"\n",
    ("\u2014 " * 5_000).encode(),
]


@pytest.fixture(scope="module")
def sound() -> dict[str, list[bytes]]:
    """Sound input for each door, out of a world that has lived a little."""
    world = EvilServer(1603, "alice", "bob")
    alice, bob, *_ = world.people
    told: list[bytes] = []

    def keep(frame):
        told.append(f.encode(frame))
        return frame

    world.lie([alice, bob], keep)
    alice.create_group("team", bob)
    alice.write_group("team", "hello")
    world.settle()
    world.wake(3_700)
    frames = [f.decode(each) for each in told]
    answers = [answer for each in frames if isinstance(each, f.LookedUp) for answer in each.answers]
    notes = [each.epoch.checkpoint for each in frames if isinstance(each, f.LookedUp)]
    entries = world.ledger.store.entries(0, 100, 2**40)
    statements = [row.statement for row in world.ledger.store.statements(alice.address, 0)]
    with bob.unit() as unit:
        keys = unit.envelopes()
        opened = [
            envelope.open_group_parcel(each, keys)[1]
            for each in parcels_of(world)
            if each[:1] == b"\x01"
        ]
    welcomes = [each[1:] for each in parcels_of(world) if each[:1] == b"\x02"]
    replay = world.ledger.audit()
    fork_notes = evidence_of(world, alice, bob)
    return {
        "frames": told + world.heard,
        "notes": notes,
        "entries": entries,
        "map proofs": [each.map_proof for each in answers],
        "values": [each.value for each in answers if each.value],
        "config": [world.ledger.config.encode()],
        "policy": [world.ledger.policy_text.encode()],
        "gossip": [bytes(7) + b"\x09" + bytes(32)],
        "statements": statements,
        "envelopes": parcels_of(world),
        "messages": opened + welcomes,
        "texts": [content.encode(content.TextContent(b"salt" * 4, "hello", 5, 1))],
        "snapshots": [self_group.encode(self_group.Snapshot([], []), b"salt" * 4, 5)],
        "bundles": [format_bundle(entries)],
        "evidence": fork_notes,
        "replays": [replay.save()],
    }


def evidence_of(world, alice, bob) -> list[bytes]:
    """A file of evidence: Alice was shown an old tree."""
    heard: list[f.LookedUp] = []

    def replay(frame):
        if isinstance(frame, f.LookedUp):
            heard.append(frame)
            return f.LookedUp(frame.request, heard[0].epoch, [], [], [])
        return frame

    world.lie(alice, replay)
    world.wake(700, times=2)
    return [each.evidence for each in alice.open_alarms() if each.evidence]


DOORS: dict[str, tuple[Callable[[bytes], object], type[Exception]]] = {
    "frames": (f.decode, DecodeError),
    "notes": (parse_note, VerificationError),
    "entries": (decode_entry, VerificationError),
    "map proofs": (decode_map_proof, VerificationError),
    "values": (decode_value, VerificationError),
    "config": (decode_config, VerificationError),
    "policy": (lambda data: parse_policy(data.decode("utf-8", "replace")), VerificationError),
    "gossip": (decode_gossip, VerificationError),
    "statements": (decode, VerificationError),
    "envelopes": (lambda data: envelope.open_group_parcel(data, []), DecodeError),
    "messages": (read_group_message, MLSError),
    "texts": (content.decode, content.ContentError),
    "snapshots": (self_group.decode, content.ContentError),
    "bundles": (lambda data: parse_bundle(data, 8), VerificationError),
    "evidence": (decode_evidence, VerificationError),
    "replays": (resume, VerificationError),
}


@attack(44)
@pytest.mark.parametrize("door", DOORS)
def test_a_decoder_takes_poison_within_its_bounds_and_says_one_kind_of_error(door, sound):
    seed = 1604
    print(f"seed {seed}")
    chance = random.Random(f"{seed} {door}")
    samples = sound[door]
    opens, error = DOORS[door]
    inputs = list(POISON)
    inputs += [mutate(chance, chance.choice(samples), chance.choice(samples)) for _ in range(RUNS)]
    inputs += [chance.randbytes(chance.randrange(300)) for _ in range(RUNS // 2)]
    inputs += [each[: chance.randrange(len(each) + 1)] for each in samples[:50]]
    tracemalloc.start()
    begun = time.process_time()
    refused = 0
    for data in inputs:
        try:
            opens(data)
        except error:
            refused += 1
    spent = time.process_time() - begun
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused > len(POISON) // 2
    assert peak < MOST_BYTES and spent < MOST_SECONDS, (peak, spent)


@attack(44)
def test_devices_and_the_server_survive_poison_on_the_link():
    """Whatever comes to a device is one error of that link; whatever goes to the server, too."""
    world = EvilServer(1605, "alice", "bob")
    alice, bob, *_ = world.people
    for data in [
        *POISON,
        *(mutate(world.chance, each, world.heard[0]) for each in world.heard[:40]),
    ]:
        wire = alice.connect()
        world.settle()
        wire.to_server.append(data)
        world.settle()
    alice.connect()
    world.settle()
    for sealed in [each for each in POISON if each]:
        world.put_parcel(bob, sealed)
        world.settle()
    alice.write(bob, world.secret())
    world.settle()
    assert bob.received()
    conclude(world)
