"""The certificate for other programs: stated, shared, known to colleagues, and ended."""

from types import SimpleNamespace
from typing import Any

import pytest

from blackthorn.crypto.openpgp.armor import read_certificates
from blackthorn.crypto.openpgp.recipients import judge, seal_to_all
from blackthorn.crypto.openpgp_open import unseal
from blackthorn.crypto.openpgp_seal import parse_certificate
from blackthorn.crypto.secret import Secret
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.mail.recipient_keys import recipient_key
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import local_chain
from blackthorn.programs.device.openpgp import certificate
from blackthorn.simulation.linking import add_device, bring_up, revoke
from tests.scenarios.test_device_clocks import state_mail_key
from tests.support.device_world import World


def make_compatible(person):
    with person.unit() as unit:
        return mail_keys.fresh_compatible(
            unit.records, person.address, unit.now_ms, lambda size: bytes(range(size))
        )


def state_compatible(person, *, copies: bool):
    made = make_compatible(person)
    person.enqueue(lambda unit: change_chain.enqueue_compatible(unit, made, copies=copies))
    bring_up(person.world)
    return made


def known_to(person, other):
    """The certificate that mail to the other is sealed to, and their other one."""
    person.device.directory.want([other.address])
    bring_up(person.world)
    with person.vault.transaction() as records:
        chain = records.directory.chain(other.address)
        sealed_to = recipient_key(records, other.address, person.world.now_ms)
    assert chain is not None and sealed_to is not None
    return sealed_to, chain.compatible


@pytest.mark.parametrize("copies", [True, False])
def test_it_is_told_to_all_devices_and_known_to_colleagues_who_seal_to_the_other(copies) -> None:
    world = World(71, "alice", "bob")
    alice, bob = world.people
    first = state_mail_key(alice)
    laptop = add_device(alice, "laptop")
    made = state_compatible(alice, copies=copies)
    with laptop.vault.transaction() as records:
        assert mail_keys.has(records, made.fingerprint)
        newest = mail_keys.newest(records)
        assert newest is not None and newest.fingerprint == first.fingerprint
        secrets = mail_keys.secrets(records)
    sealed_to, compatible = known_to(bob, alice)
    assert compatible == made.certificate
    assert sealed_to.fingerprint == first.fingerprint and sealed_to.post_quantum
    other = judge(compatible, alice.address, int(world.now))
    sealed = [seal_to_all(b"hello", [each], now=int(world.now)) for each in (sealed_to, other)]
    assert unseal(sealed[0], Secret(first.secret)) == unseal(sealed[1], Secret(made.secret))
    assert {key.expose() for key in secrets} >= {first.secret, made.secret}
    assert not any(person.alarms() for person in (alice, bob, laptop))


def test_a_revoked_device_ends_it_and_the_person_may_revoke_it_alone() -> None:
    world = World(73, "alice", "bob")
    alice, bob = world.people
    state_mail_key(alice)
    laptop = add_device(alice, "laptop")
    state_compatible(alice, copies=True)
    assert known_to(bob, alice)[1]
    revoke(alice, laptop)
    bring_up(world)
    with alice.unit() as unit:
        assert local_chain.own(unit).compatible is None
    assert not known_to(bob, alice)[1]
    again = state_compatible(alice, copies=True)
    assert known_to(bob, alice)[1] == again.certificate
    alice.enqueue(change_chain.enqueue_compatible_end)
    bring_up(world)
    assert not known_to(bob, alice)[1]
    assert not alice.alarms() and not bob.alarms()


def test_only_what_was_stated_and_is_no_more_counts_as_revoked() -> None:
    world = World(74, "alice")
    (alice,) = world.people
    program: Any = SimpleNamespace(device=SimpleNamespace(unit=lambda now_ms: alice.unit()))

    def exported() -> tuple[list[str], bool]:
        states = [each.state for each in certificate.list_certificates(program)]
        (newest,) = read_certificates(certificate.export_public(program))
        return states, parse_certificate(newest).revoked

    state_compatible(alice, copies=False)
    assert exported() == (["in use"], False)
    alice.enqueue(change_chain.enqueue_compatible_end)
    bring_up(world)
    assert exported() == (["revoked"], True)
    world.later(60)
    make_compatible(alice)
    assert exported() == (["not stated yet", "revoked"], False)
