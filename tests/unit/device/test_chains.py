"""Kept chains: as of the last look at their user, verified once, damaged or not."""

import msgspec
import pytest

from blackthorn.device.core import verified_chains
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.errors import StorageError
from blackthorn.identity.statements import RevokeDevice
from tests.support.certificates import unsealable
from tests.support.chain_ledger import DAY_MS, DELAY_MS, ChainLedger, Teller, look

HOUR_MS = 3_600_000
ME, BOB = "me@acme.example", "bob@acme.example"


@pytest.fixture
def world():
    ledger = ChainLedger()
    mine, bobs = ledger.begin(ME), ledger.begin(BOB)
    ledger.publish()
    return ledger, Teller(ledger, ME, mine), bobs


def counted(monkeypatch):
    """How often a chain was replayed from its beginning, from now on."""
    calls = []
    replay = verified_chains.replay

    def counting(chain, terms):
        calls.append(chain.label)
        return replay(chain, terms)

    monkeypatch.setattr(verified_chains, "replay", counting)
    return calls


def test_nobody_is_known_before_he_was_looked_up(world):
    _, me, _ = world
    assert me.chain(BOB) is None
    with me.unit() as unit:
        assert unit.chains.live(BOB) is None


def test_a_chain_is_replayed_once_a_process(world, monkeypatch):
    _, me, bobs = world
    look(me, DirectoryClient(), BOB)
    calls = counted(monkeypatch)
    for _ in range(3):
        assert me.chain(BOB).devices == (bobs.info,)
    assert calls == []
    me.restart()
    for _ in range(3):
        assert me.chain(BOB).devices == (bobs.info,)
    assert calls == [BOB]


def test_which_devices_are_live_is_known_without_making_the_chain(world, monkeypatch):
    ledger, me, bobs = world
    directory_client = DirectoryClient()
    look(me, directory_client, BOB)
    tablet = ledger.add_device(BOB, bobs)
    ledger.publish()
    ledger.state(BOB, RevokeDevice(bobs.info.id, "lost", 1), tablet)
    ledger.publish()
    look(me, directory_client, BOB)
    me.restart()
    calls = counted(monkeypatch)
    with me.unit() as unit:
        assert unit.chains.live(BOB) == {tablet.info.id}
        assert not calls
        unit.chains.of(BOB)
        assert unit.chains.live(BOB) == {tablet.info.id} and calls == [BOB]


def test_a_reset_is_effective_as_of_the_last_look_at_that_user_alone(world):
    """Else a server that hides a cancel would let a reset's device in by looks at others."""
    ledger, me, bobs = world
    directory_client = DirectoryClient()
    new = ledger.reset(BOB)
    ledger.publish()
    look(me, directory_client, BOB)
    assert me.chain(BOB).pending is not None and me.chain(BOB).devices == (bobs.info,)
    ledger.later(DELAY_MS - HOUR_MS)
    ledger.publish()
    look(me, directory_client, BOB)
    ledger.later(2 * HOUR_MS)
    ledger.publish()
    look(me, directory_client, ME)
    for _ in range(2):
        assert me.chain(BOB).devices == (bobs.info,), "nobody has looked at Bob since"
        me.restart()
    look(me, directory_client, BOB)
    for _ in range(2):
        assert me.chain(BOB).devices == (new.info,)
        with me.unit() as unit:
            assert unit.chains.live(BOB) == {new.info.id}
        me.restart()


def test_a_reset_that_was_cancelled_meanwhile_never_becomes_effective(world):
    ledger, me, bobs = world
    directory_client = DirectoryClient()
    ledger.reset(BOB)
    ledger.publish()
    look(me, directory_client, BOB)
    ledger.cancel(BOB, bobs)
    ledger.publish()
    ledger.later(DELAY_MS + DAY_MS)
    ledger.publish()
    look(me, directory_client, BOB)
    chain = me.chain(BOB)
    assert chain.devices == (bobs.info,) and chain.pending is None
    assert not me.alarms(), "it ended with the reset"


@pytest.mark.parametrize("column", ["statements", "logged"])
def test_a_damaged_chain_is_an_error_of_the_store_and_nothing_else(world, column):
    ledger, me, _ = world
    ledger.reset(BOB)
    ledger.publish()
    look(me, DirectoryClient(), BOB)
    me.restart()
    me.vault._connection.execute(f"UPDATE chain SET {column} = x'c1'")
    with pytest.raises(StorageError, match="damaged"):
        me.chain(BOB)


def test_a_flipped_bit_in_a_kept_statement_is_noticed(world):
    _, me, _ = world
    look(me, DirectoryClient(), BOB)
    me.restart()
    ((kept,),) = me.vault._connection.execute(
        "SELECT statements FROM chain WHERE address = ?", (BOB,)
    )
    for at in range(50, len(kept), 997):
        altered = bytearray(kept)
        altered[at] ^= 1
        me.vault._connection.execute(
            "UPDATE chain SET statements = ? WHERE address = ?", (bytes(altered), BOB)
        )
        with pytest.raises(StorageError, match="damaged"):
            me.chain(BOB)


def test_a_turn_that_is_undone_leaves_no_chain_behind(world):
    ledger, me, bobs = world
    directory_client = DirectoryClient()
    look(me, directory_client, BOB)
    ledger.add_device(BOB, bobs)
    ledger.publish()
    with pytest.raises(RuntimeError), me.unit() as unit:
        directory_client.want([BOB])
        (asked,) = directory_client.ask(unit)
        (fetch,) = directory_client.looked_up(unit, ledger.looked_up(asked))
        directory_client.chain_part(unit, ledger.chain_part(fetch))
        assert len(unit.chains.of(BOB).devices) == 2
        raise RuntimeError
    assert me.chain(BOB).devices == (bobs.info,)


def test_the_ledgers_time_is_the_witnesses_when_they_are_behind_its_head(world):
    from blackthorn.ports.device_store import CheckpointRecord

    record = CheckpointRecord(1, bytes(32), b"", 1, 5_000, 4)
    assert verified_chains.ledger_ms(record) == 4_000
    assert verified_chains.ledger_ms(None) == 0


def test_a_stated_certificate_that_cannot_be_sealed_to_is_not_kept_and_alarms_nobody(
    world, monkeypatch
):
    """A server of before took it: the chain with it is valid history."""
    ledger, me, bobs = world
    certificate, body = unsealable(BOB)
    ledger.state(BOB, body, bobs)
    ledger.publish()
    part = ledger.chain_part
    monkeypatch.setattr(
        ledger,
        "chain_part",
        lambda asked: msgspec.structs.replace(part(asked), certificate=certificate),
    )
    look(me, DirectoryClient(), BOB)
    with me.unit() as unit:
        assert unit.records.directory.chain(BOB).certificate == b""
        assert not unit.records.directory.alarms()
    assert me.chain(BOB).openpgp.fingerprint == body.fingerprint
