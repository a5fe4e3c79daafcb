"""Receipts, typed entries and configurations: what the log shows to be in it, and since when."""

from dataclasses import replace

import pytest

from blackthorn.directory.commitment import PENDING_RESET
from blackthorn.directory.entries import Head, decode_entry
from blackthorn.directory.lookup import Receipt
from blackthorn.directory.verify import (
    Observation,
    Present,
    verify_answer,
    verify_receipt,
)
from blackthorn.errors import VerificationError
from tests.support.small_directory import ALICE, BOB, SmallDirectory, epoch_of, refused


@pytest.fixture
def world() -> SmallDirectory:
    return SmallDirectory.of_three()


def test_a_receipt_tells_when(world) -> None:
    world.set(ALICE, seq=2, flags=PENDING_RESET)
    world.publish()
    when = world.unix_ms
    for _ in range(3):
        world.publish()
    epoch = epoch_of(world)
    assert verify_receipt(world.receipt(ALICE, 2), ALICE, epoch, world.config) == (2, when)


def test_D19_a_receipt_of_another_entry(world) -> None:
    epoch, good = epoch_of(world), world.receipt(ALICE, 1)
    bob = world.receipt(BOB, 1)
    for change in (
        {"mutation": bob.mutation, "index": bob.index, "proof": bob.proof},
        {"version": 2},
        {"version": 0},
        {"seq": 2},
        {"opening": bytes(16)},
        {"opening": b""},
        {"mutation": good.head},
    ):
        refused("D19", verify_receipt, replace(good, **change), ALICE, epoch, world.config)
    refused("D17", verify_receipt, good, BOB, epoch, world.config)


def test_D20_a_receipt_with_the_head_of_another_epoch(world) -> None:
    world.set(BOB)
    world.publish()
    later = world.receipt(BOB, 2)
    good = world.receipt(ALICE, 1)
    epoch = epoch_of(world)
    lie = replace(good, head=later.head, head_index=later.head_index, head_proof=later.head_proof)
    refused("D20", verify_receipt, lie, ALICE, epoch, world.config)
    refused("D20", verify_receipt, replace(good, head=good.mutation), ALICE, epoch, world.config)


def logged_again(world: SmallDirectory, head: Head) -> Receipt:
    """A reset that the log takes now, as one of that head's epoch; and that head once more."""
    now, world.epoch = world.epoch, head.epoch - 1
    world.set(ALICE, seq=2, flags=PENDING_RESET)
    world.heads[head.epoch] = len(world.entries)
    world.add(head.encode())
    world.epoch = now
    world.publish()
    return world.receipt(ALICE, 2)


def test_D20_a_reset_logged_behind_the_head_of_its_epoch(world) -> None:
    """The log takes a reset now, and says that it is of the first epoch. Its head is real."""
    first = world.heads[1]
    lie = logged_again(world, decode_entry(world.entries[first]))
    lie = replace(lie, head_index=first, head_proof=tuple(world.log.inclusion_proof(first)))
    refused("D20", verify_receipt, lie, ALICE, epoch_of(world), world.config)


def test_D39_a_past_epoch_that_is_logged_again(world) -> None:
    """The same with a second head: whoever knows a checkpoint in between sees it."""
    first = decode_entry(world.entries[world.heads[1]])
    world.publish()
    between = epoch_of(world).accepted
    lie = logged_again(world, first)
    epoch = epoch_of(world, between)
    assert verify_receipt(lie, ALICE, epoch, world.config) == (2, first.unix_ms)
    refused("D39", verify_receipt, lie, ALICE, epoch, world.config, [Observation(between, 1)])


def test_D39_a_head_that_is_later_than_the_last_one(world) -> None:
    world.set(ALICE, seq=2)
    world.publish(replace(world.head(), unix_ms=world.unix_ms + 30_000))
    world.publish()
    late = world.receipt(ALICE, 2)
    refused("D39", verify_receipt, late, ALICE, epoch_of(world), world.config)


def test_D40_a_reset_that_is_logged_in_hiding(world) -> None:
    """It is in the log for its whole delay before the map shows it to anybody."""
    before = world.tree
    world.set(ALICE, seq=2, flags=PENDING_RESET)
    hidden, tree = world.rows[ALICE].pop(), world.tree
    world.tree = before
    world.publish()
    last = epoch_of(world)
    shown = verify_answer(world.answer(ALICE), ALICE, last, world.config)
    assert isinstance(shown, Present) and shown.version == 1
    world.tree = tree
    world.rows[ALICE].append(hidden)
    world.publish()
    epoch, lie = epoch_of(world, last.accepted), world.receipt(ALICE, 2)
    assert verify_receipt(lie, ALICE, epoch, world.config)
    refused("D40", verify_receipt, lie, ALICE, epoch, world.config, [Observation(last.accepted, 1)])


def test_D40_an_entry_that_the_map_had_before_it_was_logged(world) -> None:
    last = epoch_of(world).accepted
    world.set(ALICE, seq=2)
    world.publish()
    receipt = world.receipt(ALICE, 2)
    epoch = epoch_of(world, last)
    assert verify_receipt(receipt, ALICE, epoch, world.config, [Observation(last, 1)])
    refused("D40", verify_receipt, receipt, ALICE, epoch, world.config, [Observation(last, 2)])


def test_an_honest_receipt_fits_all_that_was_seen_before(world) -> None:
    seen = [Observation(epoch_of(world).accepted, 1)]
    for seq in range(2, 6):
        world.set(ALICE, seq=seq)
        world.publish()
        seen.append(Observation(epoch_of(world).accepted, seq))
        world.publish()
        seen.append(Observation(epoch_of(world).accepted, seq))
    epoch = epoch_of(world)
    for version in range(1, 6):
        receipt = world.receipt(ALICE, version)
        assert verify_receipt(receipt, ALICE, epoch, world.config, seen)[0] == version


def test_a_flipped_bit_in_any_byte_of_a_receipt_is_refused(world) -> None:
    epoch, good = epoch_of(world), world.receipt(ALICE, 1)
    for name in ("value", "opening", "vrf_proof", "mutation", "head"):
        data = getattr(good, name)
        for at in range(len(data)):
            broken = data[:at] + bytes([data[at] ^ 0x10]) + data[at + 1 :]
            with pytest.raises(VerificationError):
                lie = replace(good, **{name: broken})
                verify_receipt(lie, ALICE, epoch, world.config)
    for name in ("proof", "head_proof"):
        hashes = getattr(good, name)
        for at in range(32 * len(hashes)):
            data = bytearray(b"".join(hashes))
            data[at] ^= 1
            lie = tuple(bytes(data[n : n + 32]) for n in range(0, len(data), 32))
            refused("D21", verify_receipt, replace(good, **{name: lie}), ALICE, epoch, world.config)


def test_D21_a_receipt_of_entries_that_are_not_in_the_log(world) -> None:
    epoch, good = epoch_of(world), world.receipt(ALICE, 1)
    for change in (
        {"index": good.index + 1},
        {"proof": ()},
        {"head_index": good.head_index + 1},
        {"head_proof": good.proof},
    ):
        refused("D21", verify_receipt, replace(good, **change), ALICE, epoch, world.config)
