"""Epochs and answers: an honest server's hold, and each lie breaks its own rule."""

from dataclasses import replace

import pytest

from blackthorn.directory.commitment import Value
from blackthorn.directory.proof import OtherLeaf, RequestedLeaf, decode_map_proof
from blackthorn.directory.verify import (
    Absent,
    Gossip,
    Present,
    check_history,
    decode_gossip,
    verify_answer,
    verify_epoch,
)
from blackthorn.errors import VerificationError
from blackthorn.tlog.checkpoint import Checkpoint
from blackthorn.tlog.policy import parse_policy
from tests.support.small_directory import (
    ALICE,
    BOB,
    NOBODY,
    SmallDirectory,
    epoch_of,
    refused,
)


@pytest.fixture
def world() -> SmallDirectory:
    return SmallDirectory.of_three()


def test_what_an_honest_server_says_holds(world) -> None:
    epoch = epoch_of(world)
    assert verify_answer(world.answer(ALICE), ALICE, epoch, world.config) == Present(
        1, world.rows[ALICE][-1].value
    )
    assert verify_answer(world.answer(NOBODY), NOBODY, epoch, world.config) == Absent()
    value = world.set(ALICE, seq=2)
    world.publish()
    later = epoch_of(world, epoch.accepted)
    assert verify_answer(world.answer(ALICE), ALICE, later, world.config) == Present(2, value)
    assert later.time_ms >= epoch.time_ms


def test_D9_the_last_entry_is_no_head(world) -> None:
    world.set(ALICE)
    part = world.part()
    refused("D9", verify_epoch, part, (), None, world.terms())


def test_D9_a_head_of_another_place(world) -> None:
    first = world.part()
    world.publish()
    part = replace(world.part(), head=first.head)
    refused("D9", verify_epoch, part, (), None, world.terms())


def test_D10_a_smaller_checkpoint(world) -> None:
    old = world.part()
    world.publish()
    last = epoch_of(world).accepted
    refused("D10", verify_epoch, old, (), last, world.terms())


@pytest.mark.parametrize("grow", [False, True])
def test_D11_a_checkpoint_of_another_history(world, grow) -> None:
    last = epoch_of(world).accepted
    other = SmallDirectory()
    other.set(BOB)
    other.set(ALICE)
    other.set("carol@acme.example")
    other.publish()
    if grow:
        other.publish()
    proof = other.log.consistency_proof(last.size)
    refused("D11", verify_epoch, other.part(), proof, last, other.terms())


def test_D12_time_goes_back(world) -> None:
    last = epoch_of(world).accepted
    world.publish(replace(world.head(), unix_ms=last.unix_ms))
    refused(
        "D12", verify_epoch, world.part(), world.log.consistency_proof(last.size), last,
        world.terms(),
    )  # fmt: skip


def test_D13_another_configuration(world) -> None:
    terms = world.terms(config=replace(world.config, reset_delay_ms=1))
    refused("D13", verify_epoch, world.part(), (), None, terms)


def test_D14_nothing_newer_for_too_long(world) -> None:
    later = world.terms(now_ms=world.unix_ms + 3_602_000)
    refused("D14", verify_epoch, world.part(), (), None, later)
    assert verify_epoch(world.part(), (), None, replace(later, max_age_s=None))


def test_D15_the_log_of_somebody_else(world) -> None:
    terms = world.terms(config=replace(world.config, origin="other.example/ledger"))
    refused("D15", verify_epoch, world.part(), (), None, terms)


def test_T32_without_a_quorum_nothing_is_accepted(world) -> None:
    alone = world.signer.sign(world.checkpoint())
    refused("T32", verify_epoch, replace(world.part(), checkpoint=alone), (), None, world.terms())


def test_D16_the_answer_for_somebody_else(world) -> None:
    refused("D16", verify_answer, world.answer(BOB), ALICE, epoch_of(world), world.config)


def test_D17_another_place_in_the_map(world) -> None:
    epoch = epoch_of(world)
    swapped = replace(world.answer(ALICE), vrf_proof=world.place(BOB)[1])
    refused("D17", verify_answer, swapped, ALICE, epoch, world.config)


def test_D17_two_places_for_one_user(world) -> None:
    """The VRF gives one output: a second entry of the same user cannot be shown."""
    proof = bytearray(world.place(ALICE)[1])
    epoch = epoch_of(world)
    for at in range(80):
        proof[at] ^= 1
        refused(
            "D17", verify_answer, replace(world.answer(ALICE), vrf_proof=bytes(proof)), ALICE,
            epoch, world.config,
        )  # fmt: skip
        proof[at] ^= 1


def test_D18_half_an_answer(world) -> None:
    epoch, good = epoch_of(world), world.answer(ALICE)
    for change in ({"value": b""}, {"opening": b""}, {"version": 0}, {"opening": bytes(15)}):
        refused("D18", verify_answer, replace(good, **change), ALICE, epoch, world.config)
    absent = replace(world.answer(NOBODY), version=1)
    refused("D18", verify_answer, absent, NOBODY, epoch, world.config)


def test_D8_each_field_of_an_answer_is_bound(world) -> None:
    epoch, good = epoch_of(world), world.answer(ALICE)
    other = Value(bytes([9]) * 32, 1, 0).encode()
    for change in ({"value": other}, {"opening": bytes(16)}, {"version": 2}):
        refused("D8", verify_answer, replace(good, **change), ALICE, epoch, world.config)


def test_D7_D8_a_false_absence(world) -> None:
    """Somebody who is there cannot be shown as absent by any proof of the map."""
    epoch = epoch_of(world)
    for label in (BOB, NOBODY):
        map_proof = world.answer(label).map_proof
        lie = replace(world.answer(ALICE), value=b"", opening=b"", version=0, map_proof=map_proof)
        with pytest.raises(VerificationError) as caught:
            verify_answer(lie, ALICE, epoch, world.config)
        assert caught.value.rule in ("D7", "D8", "D18")


def test_D7_the_other_leaf_is_off_the_path(world) -> None:
    own = decode_map_proof(world.answer(ALICE).map_proof)
    leaf = world.place(ALICE)[0]
    end = OtherLeaf(leaf, world.tree.get(leaf))
    lie = replace(
        world.answer(ALICE), value=b"", opening=b"", version=0,
        map_proof=replace(own, end=end).encode(),
    )  # fmt: skip
    refused("D7", verify_answer, lie, ALICE, epoch_of(world), world.config)


def test_D6_every_other_encoding_of_a_proof(world) -> None:
    good = world.answer(ALICE).map_proof
    depth = good[1]
    assert isinstance(decode_map_proof(good).end, RequestedLeaf) and depth
    for bad in (b"", good[:1], good[:-1], good + b"\x00", b"\x04" + good[1:]):
        refused("D6", decode_map_proof, bad)
    stray = bytearray(good)
    stray[2 + (depth - 1) // 8] |= 1 if depth % 8 else 0
    if depth % 8:
        refused("D6", decode_map_proof, bytes(stray))
    zeros = bytes([1, 1, 0x80]) + bytes(32)
    refused("D6", decode_map_proof, zeros)


def test_a_flipped_bit_in_any_byte_is_refused(world) -> None:
    epoch, good = epoch_of(world), world.answer(ALICE)
    for name in ("vrf_proof", "value", "opening", "map_proof"):
        data = getattr(good, name)
        for at in range(len(data)):
            broken = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
            with pytest.raises(VerificationError):
                verify_answer(replace(good, **{name: broken}), ALICE, epoch, world.config)
    part = world.part()
    for name in ("checkpoint", "head"):
        data = getattr(part, name)
        for at in range(len(data)):
            broken = data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]
            try:
                verify_epoch(replace(part, **{name: broken}), (), None, world.terms())
            except VerificationError:
                continue
            assert name == "checkpoint" and b"w" in data[at - 60 : at + 60], at
            # A flipped name or id makes the line of a witness that nobody knows; two are left.


def test_D22_gossip_of_another_size() -> None:
    assert decode_gossip(Gossip(7, bytes(32)).encode()) == Gossip(7, bytes(32))
    refused("D22", decode_gossip, bytes(39))


def test_the_smallest_directory_has_an_absence_proof() -> None:
    world = SmallDirectory()
    world.publish()
    epoch = verify_epoch(world.part(), (), None, world.terms())
    assert verify_answer(world.answer(ALICE), ALICE, epoch, world.config) == Absent()
    assert Checkpoint(world.config.origin, world.log.size, world.log.root()).size == 2


def test_D36_whoever_was_there_stays() -> None:
    before = Present(3, Value(bytes(32), 4, 0))
    other = Value(bytes([1]) * 32, 4, 0)
    for found in (
        Absent(),
        Present(2, before.value),
        Present(4, Value(bytes(32), 3, 0)),
        Present(3, other),
    ):
        refused("D36", check_history, before, found)
    assert check_history(before, before) == before
    assert check_history(before, Present(4, Value(bytes([1]) * 32, 6, 0))).version == 4


def test_D37_swapped_and_swapped_back() -> None:
    before = Present(3, Value(bytes(32), 4, 0))
    refused("D37", check_history, before, Present(5, before.value))
    refused("D37", check_history, before, Present(6, Value(bytes([1]) * 32, 5, 0)))


def test_D38_a_head_ahead_of_its_witnesses_or_of_the_clock(world) -> None:
    ahead = replace(world.head(), unix_ms=world.unix_ms + 3_700_000)
    world.publish(ahead)
    refused("D38", verify_epoch, world.part(), (), None, world.terms())
    alone = world.signer.sign(world.checkpoint())
    unwitnessed = parse_policy(f"log {world.signer.vkey}\nquorum none\n")
    part = replace(world.part(), checkpoint=alone)
    refused("D38", verify_epoch, part, (), None, world.terms(policy=unwitnessed))


def test_the_ledgers_time_is_no_later_than_its_witnesses(world) -> None:
    note = world.note(time_s=world.unix_ms // 1000 - 100)
    epoch = verify_epoch(replace(world.part(), checkpoint=note), (), None, world.terms())
    assert epoch.time_ms == (world.unix_ms // 1000 - 100) * 1000
