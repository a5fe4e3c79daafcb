"""The auditor: an honest log replays, and each lie of an operator breaks its own rule."""

from dataclasses import replace

import pytest

from blackthorn.directory import entries, records
from blackthorn.directory.audit import Replay, resume
from blackthorn.directory.entries import ConfigEntry, Mutation, Record
from blackthorn.errors import VerificationError
from tests.support.small_directory import ALICE, BOB, SmallDirectory

A = bytes([5]) * 32


def lived_in() -> SmallDirectory:
    world = SmallDirectory()
    for label in (ALICE, BOB):
        world.set(label)
    world.publish()
    world.set(ALICE, seq=2)
    world.publish()
    world.publish()
    return world


def replayed(world: SmallDirectory) -> Replay:
    replay = Replay()
    for entry in world.entries:
        replay.feed(entry)
    return replay


def refused(rule, world, place=None):
    with pytest.raises(VerificationError) as caught:
        replayed(world)
    assert caught.value.rule == rule, caught.value
    if place is not None:
        assert f"entry {place} of the log" in str(caught.value)


def test_an_honest_log_replays() -> None:
    world = lived_in()
    replay = replayed(world)
    replay.check_checkpoint(world.checkpoint())
    assert (replay.users, replay.epoch, replay.tally.mutations) == (2, 3, 3)
    assert replay.version(world.place(ALICE)[0]) == 2
    assert replay.version(A) == 0


def test_a_replay_goes_on_from_its_saved_state() -> None:
    world = lived_in()
    saved = resume(replayed(world).save())
    before = len(world.entries)
    world.set(BOB, seq=2)
    world.publish()
    for entry in world.entries[before:]:
        saved.feed(entry)
    saved.check_checkpoint(world.checkpoint())
    assert saved.tally == replayed(world).tally


def test_D23_a_log_that_begins_otherwise() -> None:
    world = lived_in()
    del world.entries[0]
    refused("D23", world, 0)


def test_D24_an_epoch_left_out_or_of_the_past() -> None:
    world = lived_in()
    world.publish(replace(world.head(), epoch=world.epoch + 2))
    refused("D24", world, len(world.entries) - 1)


def test_D25_a_time_that_stands_still() -> None:
    world = lived_in()
    world.publish(replace(world.head(), unix_ms=world.unix_ms))
    refused("D25", world)


@pytest.mark.parametrize("version", [0, 1, 2, 4])
def test_D26_a_version_that_does_not_rise_by_one(version) -> None:
    world = lived_in()
    index = world.place(ALICE)[0]
    world.add(Mutation(world.epoch + 1, index, version, A).encode())
    refused("D26", world, len(world.entries) - 1)


def test_D26_a_new_user_begins_with_one() -> None:
    world = lived_in()
    world.add(Mutation(world.epoch + 1, A, 2, A).encode())
    refused("D26", world)


def test_D27_a_mutation_that_is_not_counted() -> None:
    world = lived_in()
    world.set(BOB)
    world.publish(replace(world.head(), changes=0))
    refused("D27", world)


def test_D28_a_user_that_is_not_counted() -> None:
    world = lived_in()
    world.set("ghost@acme.example")
    world.publish(replace(world.head(), users=2))
    refused("D28", world)


def test_D29_a_map_that_its_mutations_do_not_make() -> None:
    world = lived_in()
    lie = world.tree.updated({world.place(ALICE)[0]: A})
    world.publish(replace(world.head(), map_root=lie.root))
    refused("D29", world, len(world.entries) - 1)


def test_D30_a_head_of_a_configuration_that_was_not_logged() -> None:
    world = lived_in()
    secret = replace(world.config, reset_delay_ms=0)
    world.publish(replace(world.head(), config=secret.digest))
    refused("D30", world)


def test_D31_a_configuration_that_lowers_the_delay() -> None:
    world = lived_in()
    weaker = replace(world.config, reset_delay_ms=0)
    world.add(ConfigEntry(world.epoch + 1, weaker.encode()).encode())
    refused("D31", world, len(world.entries) - 1)


def test_D32_a_checkpoint_of_other_entries() -> None:
    world = lived_in()
    replay = replayed(world)
    for lie in (
        replace(world.checkpoint(), root=A),
        replace(world.checkpoint(), size=1),
        replace(world.checkpoint(), origin="other.example/ledger"),
    ):
        with pytest.raises(VerificationError) as caught:
            replay.check_checkpoint(lie)
        assert caught.value.rule == "D32"


def test_D32_a_checkpoint_in_the_middle_of_an_epoch() -> None:
    world = lived_in()
    world.set(BOB)
    with pytest.raises(VerificationError) as caught:
        replayed(world).check_checkpoint(world.checkpoint())
    assert caught.value.rule == "D32"


def test_D4_a_typed_entry_that_no_schema_knows() -> None:
    world = lived_in()
    world.add(Record(entries.COMMAND, world.epoch + 1, b"wipe all").encode())
    refused("D4", world, len(world.entries) - 1)


def test_typed_entries_are_counted() -> None:
    world = lived_in()
    body = records.encode_record(entries.RELEASE, {"name": "b", "version": "1", "digest": A})
    world.add(Record(entries.RELEASE, world.epoch + 1, body).encode())
    world.publish()
    assert replayed(world).tally.records == 1


def test_D33_a_saved_state_that_is_damaged() -> None:
    saved = replayed(lived_in()).save()
    for data in (b"", saved[:-1], saved + b"x", b"\x80"):
        with pytest.raises(VerificationError) as caught:
            resume(data)
        assert caught.value.rule == "D33"


def test_a_flipped_bit_anywhere_in_the_log_is_found_and_its_place_named() -> None:
    world = lived_in()
    for place, entry in enumerate(world.entries):
        for at in range(0, len(entry), 1 if len(entry) < 100 else 97):
            broken = entry[:at] + bytes([entry[at] ^ 1]) + entry[at + 1 :]
            replay = Replay()
            with pytest.raises(VerificationError):
                for index, each in enumerate(world.entries):
                    replay.feed(broken if index == place else each)
                replay.check_checkpoint(world.checkpoint())
