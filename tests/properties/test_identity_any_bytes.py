"""Any bytes at every door of identity: a value in its one form, or the one error.

And each bit of each statement counts: whichever is flipped, the chain is refused.
"""

import random
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

import pytest

from blackthorn.crypto.mnemonic import MnemonicError, from_words
from blackthorn.errors import VerificationError
from blackthorn.identity.chain import UnverifiedChain, extend, replay
from blackthorn.identity.fingerprint import encode_payload, parse_payload
from blackthorn.identity.rules import RULES
from blackthorn.identity.statements import (
    AddDevice,
    Cancel,
    Rotate,
    SetRecovery,
    decode,
    make,
)
from tests.support import runs
from tests.support.identity_world import (
    ALICE,
    BOB,
    BODIES,
    DELAY,
    Story,
    certificate_stated,
    device,
    revoke,
    signer,
)
from tests.support.work import Work
from tools.fuzz_mls import mutate

RUNS = runs.many(4_000)
"""Inputs at each door."""

FLIPS = runs.many(3_000)
"""Flipped bits of one whole chain."""


def full_story() -> Story:
    """A chain with a statement of every kind."""
    told = Story().begin(1).add(2).add(3, role="compliance")
    told.tell(certificate_stated(bytes(154)), 1)
    told.tell(Rotate(device(4), device(2).id), 2, 4)
    told.tell(SetRecovery(None), 4)
    told.reset(66).wait(1)
    told.tell(Cancel(told.verified.seq), 1)
    told.tell(revoke(3, 2), 1)
    told.reset(9).wait(DELAY)
    told.tell(AddDevice(device(10)), 9, 10)
    return told


TOLD = full_story()
SOUND = [make(TOLD.draft(body), [signer(1), signer(2)]).encode() for body in BODIES]


def new_seed() -> random.Random:
    """A seeded source whose seed is printed."""
    seed = runs.seed()
    return random.Random(seed)


def knock(door: Callable[[bytes], object], data: bytes) -> None:
    """Only the one error comes out, with a rule that exists and a text of one line."""
    try:
        door(data)
    except VerificationError as error:
        assert error.rule in RULES
        assert "\n" not in str(error)


def decodes_in_one_form(data: bytes) -> None:
    """What is taken is encoded to the very same bytes."""
    assert decode(data).encode() == data


def replays(data: bytes) -> None:
    replay(UnverifiedChain(ALICE, (data,)), TOLD.terms)


@pytest.mark.parametrize("door", [decodes_in_one_form, replays])
def test_any_bytes(door: Callable[[bytes], object]) -> None:
    seeded = new_seed()
    most = 0
    for _ in range(RUNS):
        data = seeded.choice(SOUND)
        match seeded.randrange(4):
            case 0:
                data = seeded.randbytes(seeded.randrange(300))
            case 1:
                # The part before keys and signatures, where the structure is.
                data = mutate(seeded, data[:200], data) + data[200:]
            case _:
                data = mutate(seeded, data, seeded.choice(SOUND))
        with Work() as work:
            knock(door, data)
        most = max(most, work.calls)
    assert most < 2_000


def test_any_text_of_a_code() -> None:
    seeded = new_seed()
    sound = encode_payload(Story(BOB).begin(11).verified, TOLD.verified).encode()
    for _ in range(RUNS):
        data = mutate(seeded, sound, sound)
        knock(lambda each: parse_payload(each.decode("latin-1")), data)
        knock(lambda each: parse_payload(each.decode("utf-8", "surrogateescape")), data)


def test_any_words() -> None:
    seeded = new_seed()
    sound = ("legal winner thank year wave sausage worth useful " * 3).encode()
    for _ in range(RUNS // 20):
        with suppress(MnemonicError):
            from_words(mutate(seeded, sound, sound).decode("utf-8", "replace"))


def test_memory_stays_small_whatever_the_lengths_say() -> None:
    seeded = new_seed()
    tracemalloc.start()
    try:
        for _ in range(300):
            data = seeded.choice(SOUND)
            place = seeded.randrange(len(data))
            size = (
                seeded.choice((b"\x5b", b"\x9b", b"\xbb", b"\x7b")) + b"\x00\x00\x00\x7f" + bytes(4)
            )
            knock(decode, data[:place] + size + data[place:])
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


def test_the_full_story_is_sound() -> None:
    assert replay(UnverifiedChain(ALICE, TOLD.statements), TOLD.terms) == TOLD.verified


def flipped(data: bytes, place: int) -> bytes:
    """The bytes with one bit changed."""
    changed = bytearray(data)
    changed[place // 8] ^= 1 << place % 8
    return bytes(changed)


def test_any_flipped_bit_of_any_statement_is_refused() -> None:
    seeded = new_seed()
    statements = TOLD.statements
    before = [replay(UnverifiedChain(ALICE, statements[:1]), TOLD.terms)]
    for data in statements[1:-1]:
        before.append(extend(before[-1], [data], TOLD.terms))
    for _ in range(FLIPS):
        which = seeded.randrange(len(statements))
        place = seeded.randrange(8 * len(statements[which]))
        forged = flipped(statements[which], place)
        with pytest.raises(VerificationError):
            if which:
                extend(before[which - 1], [forged], TOLD.terms)
            else:
                replay(UnverifiedChain(ALICE, (forged,)), TOLD.terms)


def test_every_bit_of_the_frame_of_a_statement_counts() -> None:
    """All bits but those of keys and signatures, of one whole statement."""
    data = TOLD.statements[3]
    known = replay(UnverifiedChain(ALICE, TOLD.statements[:3]), TOLD.terms)
    signature = len(data) - 3309 - 64
    for place in range(8 * (signature - 4)):
        with pytest.raises(VerificationError):
            extend(known, [flipped(data, place)], TOLD.terms)
