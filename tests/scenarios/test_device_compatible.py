"""The certificate for other programs: stated, shared, used by colleagues, and ended."""

from blackthorn.crypto.openpgp.recipients import seal_to
from blackthorn.crypto.openpgp_open import unseal
from blackthorn.crypto.secret import Secret
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.mail.recipient_keys import Origin, recipient_keys
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import local_chain
from blackthorn.simulation.linking import add_device, bring_up, revoke
from tests.scenarios.test_device_clocks import state_mail_key
from tests.support.device_world import World


def state_compatible(person, *, copies: bool):
    with person.unit() as unit:
        made = mail_keys.fresh_compatible(
            unit.records, person.address, unit.now_ms, lambda size: bytes(range(size))
        )
    person.enqueue(lambda unit: change_chain.enqueue_compatible(unit, made, copies=copies))
    bring_up(person.world)
    return made


def known_to(person, other):
    """The fingerprints that mail to the other is sealed to, and by whose word."""
    person.device.directory.want([other.address])
    bring_up(person.world)
    with person.vault.transaction() as records:
        return recipient_keys(records, other.address, person.world.now_ms)


def test_it_is_told_to_all_devices_and_sealed_to_by_colleagues_beside_the_other() -> None:
    world = World(71, "alice", "bob")
    alice, bob = world.people
    first = state_mail_key(alice)
    laptop = add_device(alice, "laptop")
    made = state_compatible(alice, copies=True)
    with laptop.vault.transaction() as records:
        assert mail_keys.has(records, made.fingerprint)
        newest = mail_keys.newest(records)
        assert newest is not None and newest.fingerprint == first.fingerprint
        secrets = mail_keys.secrets(records)
    found = known_to(bob, alice)
    assert found.origin is Origin.CHAIN
    assert [each.fingerprint for each in found.certificates] == [
        first.fingerprint,
        made.fingerprint,
    ]
    assert [each.post_quantum for each in found.certificates] == [True, False]
    sealed = [seal_to(b"hello", each, now=world.now) for each in found.certificates]
    assert unseal(sealed[0], Secret(first.secret)) == unseal(sealed[1], Secret(made.secret))
    assert {key.expose() for key in secrets} >= {first.secret, made.secret}
    assert not any(person.alarms() for person in (alice, bob, laptop))


def test_without_copies_colleagues_seal_to_the_first_alone() -> None:
    world = World(72, "alice", "bob")
    alice, bob = world.people
    first = state_mail_key(alice)
    state_compatible(alice, copies=False)
    assert [each.fingerprint for each in known_to(bob, alice).certificates] == [first.fingerprint]


def test_a_revoked_device_ends_it_and_the_person_may_revoke_it_alone() -> None:
    world = World(73, "alice", "bob")
    alice, bob = world.people
    state_mail_key(alice)
    laptop = add_device(alice, "laptop")
    state_compatible(alice, copies=True)
    assert len(known_to(bob, alice).certificates) == 2
    revoke(alice, laptop)
    bring_up(world)
    with alice.unit() as unit:
        assert local_chain.own(unit).compatible is None
    assert len(known_to(bob, alice).certificates) == 1
    again = state_compatible(alice, copies=True)
    assert known_to(bob, alice).certificates[1].fingerprint == again.fingerprint
    alice.enqueue(change_chain.enqueue_compatible_end)
    bring_up(world)
    assert len(known_to(bob, alice).certificates) == 1
    assert not alice.alarms() and not bob.alarms()
