"""Devices whose clocks are wrong: what they sign is dated by the ledger's time (H29, H30)."""

from itertools import pairwise

import pytest

from blackthorn.crypto import openpgp_dates
from blackthorn.device.account import reconciler
from blackthorn.device.conversations import key_packages
from blackthorn.device.mail import keys as mail_keys
from blackthorn.device.operations import change_chain
from blackthorn.device.transparency import ledger_state, local_chain
from blackthorn.identity.statements import RevokeDevice, SetOpenPGP, decode
from blackthorn.link import frames as f
from blackthorn.mls.framing.key_package import read_key_package_message
from blackthorn.simulation.linking import add_device, bring_up, revoke
from blackthorn.wire.tls import Reader
from tests.support.device_world import World

MINUTE_MS, HOUR, DAY = 60_000, 3600, 86_400


def statements_of(person) -> list:
    with person.unit() as unit:
        chain = local_chain.own(unit)
    return [decode(data).statement for data in chain.statements]


def ledger_ms(person) -> int:
    with person.unit() as unit:
        return ledger_state.clock_ms(unit)


def state_mail_key(person):
    with person.unit() as unit:
        made = mail_keys.fresh(unit.records, person.address, ledger_state.clock_ms(unit))
    person.enqueue(lambda unit: change_chain.enqueue_mail_key(unit, made))
    bring_up(person.world)
    return made


@pytest.mark.parametrize("ahead_ms", [3 * MINUTE_MS, 30 * MINUTE_MS, -20 * MINUTE_MS])
def test_a_device_with_a_wrong_clock_revokes_and_stays_usable(ahead_ms: int) -> None:
    """The new mail key was dated ahead, and every later command ended with its refusal."""
    world = World(41, "alice", "bob")
    alice, bob = world.people
    state_mail_key(alice)
    laptop = add_device(alice, "laptop")
    alice.ahead_ms = ahead_ms
    alice.restart()
    world.later(700)
    alice.connect()
    world.settle()
    number = revoke(alice, laptop)
    bring_up(world)
    assert not alice.outcomes[number].error
    revoked, key = statements_of(alice)[-2:]
    assert isinstance(revoked.body, RevokeDevice) and isinstance(key.body, SetOpenPGP)
    ahead_s = world.now - 20 * 60
    assert ahead_s * 1000 < revoked.time_ms <= ledger_ms(alice) <= world.now_ms
    with alice.vault.transaction() as records:
        stated = next(k for k in records.mail_keys.all() if k.fingerprint == key.body.fingerprint)
    assert ahead_s < openpgp_dates.created(stated.certificate) <= world.now
    alice.write(bob, "still here")
    world.settle()
    assert bob.received() == ["still here"] and not alice.alarms() and not bob.alarms()
    alice.ahead_ms = 0
    alice.restart()
    bring_up(world)
    alice.write(bob, "and the clock is right")
    world.settle()
    assert bob.received() == ["still here", "and the clock is right"]


def test_key_packages_of_a_device_two_hours_wrong_are_good_at_once() -> None:
    """Others refused packages dated ahead, and the person could not be reached."""
    for ahead_ms in (2 * HOUR * 1000, -2 * HOUR * 1000):
        world = World(42, "alice", "bob")
        alice, bob = world.people
        bob.ahead_ms = ahead_ms
        with bob.vault.transaction() as records:
            records.settings.put(key_packages.NEWEST_SET, b"")  # so that a new set is due
        bob.restart()
        bob.connect()
        world.settle()
        with bob.unit() as unit:
            package = read_key_package_message(Reader(key_packages.make(unit, 1)[0]))
        lifetime = package.leaf.lifetime
        assert lifetime is not None
        assert lifetime.not_before <= world.now < lifetime.not_after
        alice.write(bob, "hello")
        world.settle()
        assert bob.received() == ["hello"], ahead_ms


def test_a_statement_of_a_device_that_was_away_has_the_new_time_of_the_ledger() -> None:
    world = World(43, "alice")
    (alice,) = world.people
    laptop = add_device(alice, "laptop")
    before = ledger_ms(alice)
    for person in (alice, laptop):
        world.cut(person.wire)
    world.later(3 * HOUR)
    world.publish()
    revoke(alice, laptop)
    alice.connect()
    world.settle()
    assert statements_of(alice)[-1].time_ms >= before + 3 * HOUR * 1000 - MINUTE_MS


def test_a_revocation_goes_while_witnesses_are_silent_for_two_hours() -> None:
    """It is dated by the newest time that the device has, which nothing could renew."""
    world = World(44, "alice")
    (alice,) = world.people
    laptop = add_device(alice, "laptop")
    world.publish()
    alice.connect()
    world.settle()
    before = ledger_ms(alice)
    world.cosigning = False
    world.cut(laptop.wire)
    world.later(2 * HOUR)
    alice.connect()
    number = revoke(alice, laptop)
    world.settle()
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    assert statements_of(alice)[-1].time_ms == before
    laptop.connect()
    world.settle()
    assert laptop.wire is None, "the server does not let it in any more"


def test_a_refused_mail_key_waits_longer_each_time_and_holds_back_no_revocation() -> None:
    world = World(45, "alice")
    (alice,) = world.people
    state_mail_key(alice)
    laptop, phone = add_device(alice, "laptop"), add_device(alice, "phone")
    serve = world.dispatcher._handlers[f.SubmitStatement]
    stated: list[float] = []

    def refuse(session, frame, now):
        if isinstance(decode(frame.statement).statement.body, SetOpenPGP):
            stated.append(world.now)
            session.transmit(f.StatementStored(frame.request, "the server refuses it [I40]"))
        else:
            serve(session, frame, now)

    world.dispatcher._handlers[f.SubmitStatement] = refuse
    revoke(alice, laptop)
    for _ in range(160):
        world.later(31)
        alice.connect()
        world.settle()
    waits = [after - before for before, after in pairwise(stated)]
    assert all(2 * wait <= longer + 65 for wait, longer in pairwise(waits))
    assert 6 <= len(stated) <= 9 and waits[0] >= 30 and waits[-1] >= 900
    number = revoke(alice, phone)
    world.settle()
    assert not alice.outcomes[number].error
    world.dispatcher._handlers[f.SubmitStatement] = serve
    world.later(HOUR)
    bring_up(world)
    with alice.unit() as unit:
        assert not reconciler.remaining(unit)


def test_keys_dated_ahead_of_the_first_checkpoint_are_made_anew() -> None:
    """The server's word at the activation is not verified; the first checkpoint is."""
    world = World(46, "alice", "bob")
    alice, bob = world.people
    with alice.unit() as unit:
        unit.records.settings.put("ledger-clock", b"")
        ledger_state.claim_time(unit.records.settings, world.now_ms + 2 * DAY * 1000)
        key_packages.make_set(unit)
        key_packages.make_last_resort(unit)
        ahead = mail_keys.fresh(unit.records, alice.address, ledger_state.clock_ms(unit))
        change_chain.enqueue_mail_key(unit, ahead)
    assert openpgp_dates.created(ahead.certificate) > world.now
    alice.restart()
    bring_up(world)
    stated = statements_of(alice)[-1].body
    assert isinstance(stated, SetOpenPGP) and stated.fingerprint != ahead.fingerprint
    with alice.unit() as unit:
        for setting in (key_packages.NEWEST_SET, key_packages.LAST_RESORT):
            made = unit.records.settings.get(setting) or b""
            assert int.from_bytes(made[:8], "big") <= ledger_state.clock_ms(unit) <= world.now_ms
    bob.write(alice, "hello")
    world.settle()
    assert alice.received() == ["hello"]


def test_the_time_of_the_ledger_never_goes_back_and_is_its_witnesses() -> None:
    world = World(47, "alice")
    (alice,) = world.people
    alice.ahead_ms = 50 * MINUTE_MS
    alice.restart()
    seen = [ledger_ms(alice)]
    for seconds in (700, 40, 7000, 1):
        world.wake(seconds)
        seen.append(ledger_ms(alice))
    with alice.vault.transaction() as records:
        newest = records.directory.newest()
    assert seen == sorted(seen) and seen[-1] == newest.quorum_s * 1000 <= world.now_ms
