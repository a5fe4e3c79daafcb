"""Hostile logs before honest witnesses, and witnesses that obey or forget (attacks 11 to 14)."""

import shutil
from dataclasses import replace

import pytest

from blackthorn.directory.entries import Head, Mutation, decode_entry
from blackthorn.errors import SecurityError
from blackthorn.link import frames as f
from blackthorn.storage.sqlite.stores.witness import WitnessStore
from blackthorn.tlog.policy import NO_QUORUM
from tests.hostile.test_hostile_ledger import different
from tests.support.attacks import attack
from tests.support.evil_server import EvilServer, changed
from tests.support.hostile_harness import conclude, verified
from tests.support.ledger_world import LedgerWorld
from tests.support.witnesses import RealWitness, Tiles, use

WRONG_MAPS = {
    "a version that was left out": "D26",
    "one change too many": "D27",
    "one user too many": "D28",
    "an entry of the map without a change": "D29",
}


def falsify(ledger, how):
    """The ledger's next epoch breaks a rule that only a replay sees."""
    epochs = ledger.ledger._epochs
    builder = epochs._builder
    draft, sign = builder.draft, builder._sign
    if how == "an entry of the map without a change":
        epochs._tip = replace(epochs._tip, tree=epochs._tip.tree.updated({b"\x77" * 32: bytes(32)}))

    def falsified(entries):
        entries[:] = [false(decode_entry(each)) for each in entries]
        return sign(entries)

    def false(entry):
        match how, entry:
            case "a version that was left out", Mutation():
                entry = replace(entry, version=entry.version + 1)
            case "one change too many", Head():
                entry = replace(entry, changes=entry.changes + 1)
            case "one user too many", Head():
                entry = replace(entry, users=entry.users + 1)
            case "an entry of the map without a change", Head():
                entry = replace(entry, users=entry.users - 1)
        return entry.encode()

    def drafted(*arguments):
        made = draft(*arguments)
        builder._sign, builder.draft = sign, draft
        return replace(made, tip=replace(made.tip, head=made.epoch.entries[-1]))

    builder._sign, builder.draft = falsified, drafted


def new_user(ledger):
    """Somebody comes, so that the next epoch changes the map."""
    ledger.begin(ledger.add_user("walter"), ledger.model())


@attack(11)
@pytest.mark.parametrize("how", WRONG_MAPS)
def test_an_auditor_cosigns_no_wrong_map_and_nobody_sees_it(how, tmp_path):
    world = EvilServer(1201, "alice", "bob")
    alice, bob, *_ = world.people
    fork = world.fork(alice)
    tiles = Tiles(fork.ledger)
    witnesses = [
        RealWitness(world, 0, tmp_path / "witness"),
        RealWitness(world, 1, tmp_path / "auditor", tiles),
    ]
    refusals = use(fork.ledger, witnesses)
    different(world, fork.ledger, "as it should be")
    before = fork.ledger.ledger.published.size
    assert not refusals and before > world.ledger.ledger.published.size
    falsify(fork.ledger, how)
    new_user(fork.ledger)
    world.publish()
    assert refusals and all(f"[{WRONG_MAPS[how]}]" in each for each in refusals)
    assert fork.ledger.ledger.published.size == before, "one of two is no quorum"
    alice.write(bob, world.secret())
    world.wake(60)
    conclude(world)


@attack(11, alarm="bad-log", checks=1)
@pytest.mark.parametrize("how", WRONG_MAPS)
def test_a_device_of_a_small_directory_sees_a_wrong_map_though_all_witnesses_obey(how):
    world = EvilServer(1202, "alice", "bob")
    alice, bob, *_ = world.people
    fork = world.fork(alice)
    falsify(fork.ledger, how)
    new_user(fork.ledger)
    world.publish()
    world.wake(3700)
    alice.create_group("team", bob)
    world.settle()
    assert not alice.conversations()
    conclude(world, {alice: ["bad-log"]})


def two_of_three(self):
    """The policy of a world with three witnesses, of which two are enough."""
    policy = ALL(self)
    (group,) = policy.groups
    return replace(policy, groups=(replace(group, threshold=2),))


ALL = LedgerWorld._policy


@attack(12, alarm="unwitnessed", checks=1)
def test_one_witness_of_three_that_obeys_is_not_enough_and_the_others_keep_the_proof(
    monkeypatch, tmp_path
):
    monkeypatch.setattr(LedgerWorld, "_policy", two_of_three)
    world = EvilServer(1203, "alice", "bob", witnesses=3)
    alice, bob, *_ = world.people
    honest = [RealWitness(world, number, tmp_path / str(number)) for number in (1, 2)]
    use(world.ledger, honest)
    fork = world.fork(alice, witnesses=[0])
    different(world, world.ledger, "for everybody")
    size = world.ledger.ledger.published.size
    different(world, fork.ledger, "for alice")
    waiting = fork.ledger.ledger.waiting
    assert waiting is not None and waiting.size == size, "one signature of three, same size"
    for each in honest:
        assert "another root" in each.ask(fork.ledger)
        (evidence,) = each.evidence()
        assert "two different trees" in verified(evidence)
    fork.ledger.ledger._epochs._policy = replace(fork.ledger.policy, quorum=NO_QUORUM)
    fork.ledger.ledger._epochs.cosigned([], world.now_ms)
    world.publish()
    assert fork.ledger.ledger.published.root != world.ledger.ledger.published.root
    alice.write(bob, world.secret())
    world.check(alice)
    assert not bob.received() and alice.waiting() == 1
    conclude(world, {alice: ["unwitnessed"]})


@attack(13)
@pytest.mark.parametrize("lost", ["an old database", "an empty one", "the anchor"])
def test_a_witness_that_was_set_back_signs_nothing(lost, tmp_path):
    world = EvilServer(1204, "alice", "bob")
    alice, bob, *_ = world.people
    witnesses = [RealWitness(world, number, tmp_path / str(number)) for number in (0, 1)]
    refusals = use(world.ledger, witnesses)
    victim = witnesses[0]
    different(world, world.ledger, "one")
    victim.store._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
    shutil.copy(victim.database, tmp_path / "backup")
    different(world, world.ledger, "two")
    assert not refusals
    victim.stop()
    for each in victim.folder.glob("witness.db*"):
        each.unlink()
    if lost == "the anchor":
        (victim.folder / "anchor").unlink()
    if lost == "an empty one":
        victim.store = WitnessStore.create(victim.database)
        victim.store.add_log(world.ledger.policy.log, victim.now_s())
    else:
        shutil.copy(tmp_path / "backup", victim.database)
        victim.store = WitnessStore.open(victim.database)
    with pytest.raises(SecurityError):
        victim.start()
    # The other one alone is no quorum: nothing new is published, and what was told holds.
    use(world.ledger, witnesses[1:])
    before = world.ledger.ledger.published.size
    different(world, world.ledger, "three")
    assert world.ledger.ledger.published.size == before
    alice.write(bob, world.secret())
    world.settle()
    assert bob.received()
    conclude(world)


@attack(13)
def test_a_witness_whose_database_is_set_back_while_it_runs_signs_nothing(tmp_path):
    world = EvilServer(1205, "alice", "bob")
    witness = RealWitness(world, 0, tmp_path / "0")
    refusals = use(world.ledger, [witness])
    different(world, world.ledger, "one")
    witness.store._connection.execute("DELETE FROM cosigned")
    different(world, world.ledger, "two")
    assert refusals and all("restored from a backup" in each for each in refusals)
    world.ledger.cosign = lambda *which: LedgerWorld.cosign(world.ledger, *which)
    world.publish()
    conclude(world)


@attack(14)
def test_an_auditor_that_is_shown_no_entries_does_not_cosign(tmp_path):
    world = EvilServer(1206, "alice", "bob")
    alice, bob, *_ = world.people
    fork = world.fork(alice)
    tiles = Tiles(fork.ledger)
    refusals = use(
        fork.ledger,
        [
            RealWitness(world, 0, tmp_path / "witness"),
            RealWitness(world, 1, tmp_path / "auditor", tiles),
        ],
    )
    different(world, fork.ledger, "shown")
    tiles.hidden = True
    before = fork.ledger.ledger.published.size
    different(world, fork.ledger, "hidden")
    assert refusals and all("is missing" in each for each in refusals)
    assert fork.ledger.ledger.published.size == before
    alice.write(bob, world.secret())
    world.settle()
    conclude(world)


@attack(14, alarm="withheld", checks=1)
def test_a_device_that_is_shown_no_entries_says_so():
    world = EvilServer(1207, "alice", "bob")
    alice, *_ = world.people
    different(world, world.ledger, "hidden")
    world.lie(alice, lambda frame: changed(frame, entries=[])
              if isinstance(frame, f.Entries) else frame)  # fmt: skip
    world.wake(3700)
    assert world.told
    conclude(world, {alice: ["withheld"]})
