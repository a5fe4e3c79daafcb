"""The start of a ledger: damaged rows are named and nothing is served; an older state stops it."""

import dataclasses

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.directory.entries import decode_entry
from blackthorn.errors import ConfigError, StorageError, VerificationError
from blackthorn.identity.statements import AddDevice, SetRecovery
from blackthorn.ports.ledger import KeepEvidence
from blackthorn.simulation.ledger import DELAY_MS
from blackthorn.simulation.memory import memory_database
from blackthorn.tlog.checkpoint import Checkpoint, LogSigner
from tests.support.ledger_world import LedgerWorld


def grown(seed: int, witnesses: int = 0) -> LedgerWorld:
    """A ledger of six epochs and three users, one of them with a second device."""
    world = LedgerWorld(seed, witnesses)
    world.settle(0)
    for name in ("alice", "bob", "carol"):
        world.user(name)
    alice, phone = world.user("dave")
    laptop = world.model()
    world.submit(alice, world.draft(alice, AddDevice(laptop.info)), phone, laptop)
    world.settle()
    return world


def test_a_restart_serves_what_was_served_before() -> None:
    world = grown(30, witnesses=1)
    before = world.ledger.published
    world.crash()
    after = world.ledger.published
    assert after is not before
    assert dataclasses.replace(after, tree=before.tree) == before
    assert after.tree.root == before.tree.root and after.tree.users == 4
    world.audit()


ENTRY = "UPDATE ledger_entry SET entry = ? WHERE place = ?"


@pytest.mark.parametrize("place", range(12))
def test_a_flipped_bit_in_any_entry_is_found_and_its_epoch_named(place: int) -> None:
    world = grown(31)
    (entry,) = world.store.entries(place, 1, 1)
    flipped = bytes([*entry[:-1], entry[-1] ^ 1])
    world.database.writing.execute(ENTRY, (flipped, place))
    ends = [size for size, _ in world.store.roots()]
    end = next(size for size in ends if size > place)
    start = max((size for size in ends if size <= place), default=0)
    with pytest.raises(StorageError, match=f"entries {start} to {end - 1} of the ledger"):
        world.crash()


def test_an_entry_that_is_none_is_named() -> None:
    world = grown(32)
    world.database.writing.execute(ENTRY, (b"\xff", 5))
    with pytest.raises(StorageError, match="entry 5 of the ledger is damaged"):
        world.crash()


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        ("DELETE FROM ledger_entry WHERE place = 11", "entry 11 of the ledger is missing"),
        ("INSERT INTO ledger_entry VALUES (12, x'01')", "entry 12 .* behind its last checkpoint"),
        ("UPDATE ledger_leaf SET seq = 3 WHERE place = 10", "leaf of entry 10 of the ledger"),
        ("UPDATE ledger_leaf SET version = 3 WHERE place = 10", "leaf of entry 10 of the ledger"),
        ("UPDATE ledger_label SET salt = x'00' WHERE user = 1", "leaf of entry 2 of the ledger"),
        ("UPDATE ledger_epoch SET note = x'00' WHERE size = 12", "not by this ledger's key"),
        ("DELETE FROM ledger_epoch WHERE size = 12", "signs|not by|behind its last"),
        ("UPDATE ledger_epoch SET root = zeroblob(32) WHERE size = 12", "entries 10 to 11"),
    ],
)
def test_other_damage_is_named_too(damage: str, text: str) -> None:
    world = grown(33)
    assert world.ledger.published.size == 12
    world.database.writing.execute(damage)
    with pytest.raises(StorageError, match=text):
        world.crash()


def test_a_statement_that_was_changed_on_the_disk_is_not_built_upon() -> None:
    world = grown(34)
    alice = "alice@acme.example"
    row = world.store.statements(alice, 0)[0]
    changed = row.statement[:-1] + bytes([row.statement[-1] ^ 1])
    world.database.writing.execute(
        "UPDATE chain_statement SET statement = ? WHERE head = ?", (changed, row.head)
    )
    world.crash()
    with pytest.raises(StorageError, match=r"breaks a rule: .* \[I19\]"):
        world.stored(alice)


# --- Keys and settings -----------------------------------------------------------------------


def test_other_keys_are_noticed() -> None:
    world = grown(35)
    world.keys = dataclasses.replace(world.keys, opening=Secret(bytes(32)))
    with pytest.raises(StorageError, match=r"ledger\.keys that belong to it"):
        world.crash()
    other = LedgerWorld(36)
    other.database = world.database
    with pytest.raises(StorageError, match="not by this ledger's key"):
        other.start()


def test_policy_configuration_and_keys_must_fit_each_other() -> None:
    world, other = LedgerWorld(37), LedgerWorld(38)
    for name, text in (("policy", "does not name the key"), ("config", "other ledger keys")):
        kept = getattr(world, name)
        setattr(world, name, getattr(other, name))
        with pytest.raises(ConfigError, match=text):
            world.start()
        setattr(world, name, kept)
    world.policy = dataclasses.replace(world.policy, logs=world.policy.logs + other.policy.logs)
    with pytest.raises(ConfigError, match="another policy"):
        world.start()


def test_new_settings_are_logged_and_a_shorter_delay_is_refused() -> None:
    world = grown(39)
    world.config = world.make_config(5_000)
    world.crash()
    world.settle(5_000)  # not only with the next heartbeat
    assert world.audit().config == world.config
    world.config = world.make_config(5_000, reset_delay_ms=DELAY_MS - 1)
    with pytest.raises(ConfigError, match="D31"):
        world.crash()


# --- Set back to an older state --------------------------------------------------------------


def set_back(world: LedgerWorld, state: bytes) -> None:
    """The administrator restores an old backup."""
    world.database = memory_database()
    world.database.writing.deserialize("main", state)
    world.start()


def test_a_witness_that_is_ahead_stops_the_ledger_until_the_newest_state_is_back() -> None:
    world = grown(40, witnesses=1)
    old = world.database.writing.serialize("main")
    world.settle(600_000)
    new = world.database.writing.serialize("main")
    size = world.ledger.published.size
    set_back(world, old)
    world.ledger.behind(size)
    assert f"has cosigned {size} entries" in world.ledger.problems()[0]
    served = world.ledger.published
    world.tick(3_600_000)
    assert world.writer.waiting == 0 and world.ledger.waiting is None
    assert world.ledger.published is served, "what was published is still told"
    set_back(world, new)
    assert world.ledger.problems() == []
    world.settle(600_000)
    world.audit()


def test_a_checkpoint_of_ours_that_we_do_not_hold_stops_the_ledger_for_good() -> None:
    world = grown(41, witnesses=1)
    old = world.database.writing.serialize("main")
    world.settle(600_000)
    newer = world.ledger.published.note
    set_back(world, old)
    world.ledger.behind(newer)
    world.writer.commit()
    world.crash()
    assert "and there are 12: the ledger has stopped" in world.ledger.problems()[0]
    alice = "alice@acme.example"
    phone = next(each for each in world.devices.values() if each.id in world.rows(alice))
    assert "stopped" in world.submit(alice, world.draft(alice, SetRecovery(None)), phone)[0]
    assert "stopped" in world.ledger.stopped
    assert world.store.evidence() == [newer]


def test_another_root_of_a_size_that_we_passed_stops_it_too() -> None:
    world = grown(42)
    signer = LogSigner(world.keys.origin, world.keys.log)
    world.ledger.behind(signer.sign(Checkpoint(world.keys.origin, 5, bytes(32))))
    assert "another root of its first 5 entries" in world.ledger.problems()[0]


def test_what_we_hold_and_what_is_not_ours_stops_nothing() -> None:
    world = grown(43, witnesses=1)
    first = world.ledger.published
    world.tick(600_000)
    world.writer.commit()
    world.ledger.behind(first.note)
    world.ledger.behind(world.ledger.waiting.note)
    world.ledger.behind(first.size)
    with pytest.raises(VerificationError):
        world.ledger.behind(b"no note")
    stranger = LogSigner(world.keys.origin, Secret(bytes(32)))
    with pytest.raises(VerificationError):
        world.ledger.behind(stranger.sign(Checkpoint(world.keys.origin, 900, bytes(32))))
    assert world.ledger.problems() == []
    world.settle()
    assert decode_entry(world.ledger.published.head).epoch == 7


def test_evidence_is_answered_once_the_newest_state_is_restored() -> None:
    world = grown(44, witnesses=1)
    old = world.database.writing.serialize("main")
    world.settle(600_000)
    new, note = world.database.writing.serialize("main"), world.ledger.published.note
    set_back(world, old)
    world.ledger.behind(note)
    world.writer.commit()
    set_back(world, new)
    world.writer.submit(KeepEvidence(note, 0), lambda result: None)
    world.writer.commit()
    world.crash()
    assert world.ledger.problems() == []
