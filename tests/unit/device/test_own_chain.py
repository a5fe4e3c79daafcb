"""The own entry in the ledger: own changes that must come, identities that nobody made."""

import pytest

from blackthorn.device.transparency import local_chain, own_chain
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.device.transparency.evidence import proves
from blackthorn.identity.bodies import RevokeDevice
from tests.support.chain_ledger import DELAY_MS, ChainLedger, Teller, look

ME, BOB = "me@acme.example", "bob@acme.example"


@pytest.fixture
def world():
    ledger = ChainLedger()
    mine = ledger.begin(ME)
    ledger.publish()
    return ledger, Teller(ledger, ME, mine), mine


def stated(me, signed):
    """The device has submitted this statement, and the server says that it is stored."""
    with me.unit() as unit:
        local_chain.stored(unit, signed.encode())


def not_yet(ledger, label):
    """Takes the newest statement out of the ledger again: the server has stored it and no more."""
    from blackthorn.directory.commitment import commit

    row = ledger.rows[label].pop()
    signed = ledger.statements[label].pop()
    ledger.entries.pop()
    from blackthorn.tlog.merkle import MerkleLog

    ledger.log = MerkleLog()
    for each in ledger.entries:
        ledger.log.append(each)
    before = ledger.rows[label][-1]
    assert row.version == before.version + 1
    commitment = commit(before.opening, label, before.version, before.value.encode())
    ledger.tree = ledger.tree.updated({ledger.place(label)[0]: commitment})
    ledger.changes -= 1
    return signed


def wait_for(me):
    with me.unit() as unit:
        return own_chain.waiting(unit)


def epochs(me, directory_client, count):
    for _ in range(count):
        me.ledger.later(20_000)
        me.ledger.publish()
        directory_client.own_changed()
        look(me, directory_client, ME)


# --- Own changes --------------------------------------------------------------------------


def test_an_own_change_waits_until_the_ledger_shows_it(world):
    ledger, me, mine = world
    directory_client = DirectoryClient()
    look(me, directory_client, ME)
    ledger.add_device(ME, mine)
    signed = ledger.statements[ME][-1]
    stated(me, signed)
    assert wait_for(me).head == signed.statement.hash
    ledger.publish()
    look(me, directory_client, ME)
    assert wait_for(me) is None and me.alarms() == []


def test_a_server_that_goes_on_without_an_own_change_is_told_of(world):
    ledger, me, mine = world
    directory_client = DirectoryClient()
    look(me, directory_client, ME)
    ledger.add_device(ME, mine)
    stated(me, not_yet(ledger, ME))
    epochs(me, directory_client, 1 + own_chain.SPARE_EPOCHS - 1)
    assert me.alarms() == [], "it may have been made when the statement came"
    epochs(me, directory_client, 2)
    assert me.alarms() == ["not-published"]
    epochs(me, directory_client, 3)
    assert me.alarms() == ["not-published"]


def test_a_ledger_that_stands_still_is_no_such_alarm(world):
    """Witnesses may be away: the stale ledger is told elsewhere."""
    ledger, me, mine = world
    directory_client = DirectoryClient()
    look(me, directory_client, ME)
    ledger.add_device(ME, mine)
    stated(me, not_yet(ledger, ME))
    for _ in range(5):
        ledger.unix_ms += 120_000
        directory_client.own_changed()
        look(me, directory_client, ME)
    assert me.alarms() == []


def test_what_another_device_states_is_found_in_the_chain_and_waits_for_nothing(world):
    ledger, me, mine = world
    directory_client = DirectoryClient()
    look(me, directory_client, ME)
    ledger.add_device(ME, mine)
    ledger.publish()
    directory_client.own_changed()
    look(me, directory_client, ME)
    assert wait_for(me) is None and len(me.chain(ME).devices) == 2


# --- Identities that are not one's own ----------------------------------------------------


def test_an_identity_of_which_this_device_is_no_part_is_an_alarm(world):
    """The server has made an identity for the address before its owner came."""
    ledger, _, _ = world
    late = Teller(ledger, ME, ledger.model("mine"))
    look(late, DirectoryClient(), ME)
    assert late.alarms() == ["unknown-statement"]
    with late.unit() as unit:
        (alarm,) = unit.records.directory.alarms()
        assert own_chain.standing(unit) == "unknown"
    assert "statement 1 as the newest" in proves(alarm.evidence)


def test_a_cancelled_reset_of_another_device_does_not_make_one_believable(world):
    ledger, _, mine = world
    ledger.reset(ME, "another")
    ledger.publish()
    ledger.cancel(ME, mine)
    ledger.publish()
    late = Teller(ledger, ME, ledger.model("mine"))
    look(late, DirectoryClient(), ME)
    assert late.alarms() == ["unknown-statement"]


def test_a_device_that_was_just_enrolled_waits_for_its_first_epoch(world):
    ledger, _, _ = world
    new = ledger.begin(BOB)
    signed = ledger.statements[BOB][-1]
    bob = Teller(ledger, BOB, new)
    with bob.unit() as unit:
        local_chain.stored(unit, signed.encode())
        assert own_chain.standing(unit) == "unknown"
    ledger.publish()
    look(bob, DirectoryClient(), BOB)
    assert bob.alarms() == [] and wait_for(bob) is None
    with bob.unit() as unit:
        assert own_chain.standing(unit) == "live"


def test_a_device_that_asks_for_a_reset_is_pending_and_then_live(world):
    ledger, old, _ = world
    look(old, DirectoryClient(), ME)
    new = ledger.reset(ME)
    ledger.publish()
    me = Teller(ledger, ME, new)
    look(me, DirectoryClient(), ME)
    look(old, DirectoryClient(), ME)
    with me.unit() as unit:
        assert own_chain.standing(unit) == "pending"
    assert me.alarms() == [] and old.alarms() == ["own-reset"]
    ledger.later(DELAY_MS)
    ledger.publish()
    for each in (me, old):
        look(each, DirectoryClient(), ME)
    with me.unit() as unit:
        assert own_chain.standing(unit) == "live"
    with old.unit() as unit:
        assert own_chain.standing(unit) == "revoked"
    assert me.alarms() == []


def test_a_device_whose_reset_was_cancelled_knows_it_and_raises_nothing(world):
    ledger, _, mine = world
    new = ledger.reset(ME)
    ledger.publish()
    me = Teller(ledger, ME, new)
    look(me, DirectoryClient(), ME)
    ledger.cancel(ME, mine)
    ledger.publish()
    look(me, DirectoryClient(), ME)
    with me.unit() as unit:
        assert own_chain.standing(unit) == "revoked"
    assert me.alarms() == []


def test_a_revoked_device_knows_it(world):
    ledger, me, mine = world
    look(me, DirectoryClient(), ME)
    tablet = ledger.add_device(ME, mine)
    ledger.publish()
    ledger.state(ME, RevokeDevice(mine.info.id, "lost", 1), tablet)
    ledger.publish()
    look(me, DirectoryClient(), ME)
    with me.unit() as unit:
        assert own_chain.standing(unit) == "revoked"
