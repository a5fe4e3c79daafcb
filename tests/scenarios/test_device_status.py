"""What `status` says of the ledger: how much, how new, by whose word, and of the own standing."""

from dataclasses import replace

from blackthorn.cli.device import status
from blackthorn.device.core import anchors
from blackthorn.device.operations import change_chain
from blackthorn.identity.keys import SigningKeys
from blackthorn.identity.statements import SetRecovery
from blackthorn.programs.device.status import ledger_status, vault_status
from blackthorn.simulation.linking import add_device
from blackthorn.tlog.policy import NO_QUORUM
from tests.support.device_world import World
from tests.support.evil_server import EvilServer


def policy_of(person):
    with person.unit() as unit:
        return anchors.pinned(unit.records.settings).policy


def standing(person):
    with person.unit() as unit:
        return status._standing(ledger_status(unit))


def test_a_live_device_and_who_cosigned_when():
    world = World(910, "alice")
    (alice,) = world.people
    with alice.vault.transaction() as records:
        newest = records.directory.newest()
    said = status._cosigned(newest, policy_of(alice))
    assert said == (
        "witness0.example at 2023-11-14T22:13:21.000Z, witness1.example at 2023-11-14T22:13:21.000Z"
    )
    assert status._cosigned(None, policy_of(alice)) == "never"
    assert standing(alice) == "live"


def test_a_note_without_the_witnesses_that_are_trusted_now():
    world, other = World(911, "alice"), World(912, "alice")
    (alice,), (stranger,) = world.people, other.people
    with alice.vault.transaction() as records:
        newest = records.directory.newest()
    said = status._cosigned(newest, policy_of(stranger))
    assert said == "not by the witnesses that are trusted now"


def test_a_change_that_waits_and_a_reset_are_said():
    world = EvilServer(913, "alice", "bob", epoch_ms=10_000)
    alice, bob, *_ = world.people
    keys = SigningKeys.generate(world.chance.randbytes).public
    alice.enqueue(lambda unit: change_chain.enqueue(unit, "the recovery key", SetRecovery(keys)))
    world.settle()
    assert standing(alice) == "live; a change of yours is not published yet"
    ghost = world.reset(bob)
    world.publish()
    world.settle()
    assert standing(alice) == "live"
    assert standing(bob).startswith("live; reset 2023-11-1")
    ghost.connect()
    world.settle()
    assert standing(ghost).startswith("pending until 2023-11-1")


def test_a_witness_under_the_same_roof_is_said_to_be_none():
    world = World(914, "alice", witnesses=1)
    (alice,) = world.people
    policy = policy_of(alice)
    own = "one embedded in the server; no independent one is required"
    assert status.witnesses(policy) == own
    (witness,) = policy.witnesses
    away = replace(policy, witnesses=(replace(witness, url="https://witness.example/"),))
    assert status.witnesses(away) == "witness0.example"
    nobody = status.witnesses(replace(policy, groups=(), quorum=NO_QUORUM))
    assert nobody.startswith("none: the server's operator can show")


def test_the_number_of_conversations_is_of_those_that_a_person_sees():
    """Not the hidden group of one's own devices, nor a text to nobody."""
    world = World(915, "alice", "bob")
    alice, bob = world.people
    add_device(alice)
    world.settle()

    def number():
        with alice.vault.transaction() as records:
            return vault_status(records).conversations

    with alice.vault.transaction() as records:
        assert [record.kind for record in records.conversations.all()] == ["self"]
    assert number() == 0
    bob.address, known = "nobody@acme.example", bob.address
    failed = alice.write(bob, "hello?")
    world.settle()
    assert "there is no user" in alice.outcomes[failed].error and number() == 0
    bob.address = known
    alice.write(bob, "hello")
    world.settle()
    assert number() == 1
