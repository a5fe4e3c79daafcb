"""Gossip: what is said in messages, what is compared, and what comes of two truths."""

import pytest

from blackthorn.device.transparency import gossip, limits
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.device.transparency.evidence import proves
from blackthorn.device.transparency.gossip import DAY_MS, WITHHELD_MS
from blackthorn.directory.verify import Gossip
from blackthorn.tlog.checkpoint import Checkpoint
from tests.support.chain_ledger import ChainLedger, Teller, look

ME, BOB, CAROL = "me@acme.example", "bob@acme.example", "carol@acme.example"
TALK, OTHER_TALK = b"t" * 32, b"o" * 32
ORIGIN = "acme.example/ledger"


@pytest.fixture
def me():
    ledger = ChainLedger()
    mine = ledger.begin(ME)
    ledger.begin(BOB)
    ledger.publish()
    teller = Teller(ledger, ME, mine)
    look(teller, DirectoryClient(), ME)
    return teller


def grow(me, looking=True):
    """One more epoch, which the device sees."""
    me.ledger.later(60_000)
    me.ledger.publish()
    if looking:
        look(me, DirectoryClient(), ME)


def plain(size, root):
    return b"\x01" + Gossip(size, root).encode()


def with_note(ledger, size, root):
    note = ledger.note(Checkpoint(ORIGIN, size, root))
    return b"\x02" + Gossip(size, root).encode() + note


def hear(me, data, sender=BOB, talk=TALK, after_ms=0):
    with me.unit() as unit:
        gossip.receive(unit.records, talk, sender, data, unit.now_ms + after_ms)


def waiting(me):
    with me.unit() as unit:
        return [(each.sender, each.size) for each in gossip.pending(unit.records)]


def saying(me, talk=TALK, after_ms=0):
    with me.unit() as unit:
        return gossip.outgoing(unit.records, talk, unit.now_ms + after_ms)


def first_alarm(me):
    with me.unit() as unit:
        (alarm,) = unit.records.directory.alarms()
        return alarm


# --- What is said -------------------------------------------------------------------------


def test_nothing_is_said_before_a_checkpoint_was_accepted():
    ledger = ChainLedger()
    me = Teller(ledger, ME, ledger.begin(ME))
    assert saying(me) == b""


def test_what_is_said_is_the_newest_accepted_checkpoint_in_41_bytes(me):
    ledger = me.ledger
    assert saying(me) == plain(ledger.log.size, ledger.log.root())
    grow(me, looking=False)
    assert saying(me) != plain(ledger.log.size, ledger.log.root()), "it is not accepted yet"
    grow(me)
    assert saying(me) == plain(ledger.log.size, ledger.log.root())


# --- One truth ----------------------------------------------------------------------------


def test_who_has_seen_the_same_raises_nothing(me):
    hear(me, saying(me))
    assert waiting(me) == [] and me.alarms() == []


def test_an_older_checkpoint_that_is_still_kept_needs_no_proof(me):
    older = saying(me)
    grow(me)
    hear(me, older)
    assert waiting(me) == [] and me.alarms() == []


def test_an_older_one_that_is_not_kept_waits_for_the_servers_proof(me):
    ledger = me.ledger
    old = ledger.log.size - 1
    hear(me, plain(old, ledger.log.root(old)))
    assert waiting(me) == [(BOB, old)]
    with me.unit() as unit:
        said, own = gossip.to_prove(unit.records)
        proof = ledger.log.consistency_proof(old)
        gossip.compare(unit.records, said, own, list(proof), unit.now_ms)
    assert waiting(me) == [] and me.alarms() == []


def test_a_larger_one_waits_until_the_server_shows_it(me):
    ledger = me.ledger
    grow(me, looking=False)
    hear(me, plain(ledger.log.size, ledger.log.root()))
    with me.unit() as unit:
        assert gossip.awaits_larger(unit.records)
        assert gossip.to_prove(unit.records) is None
    look(me, DirectoryClient(), ME)
    with me.unit() as unit:
        assert not gossip.awaits_larger(unit.records)
    assert me.alarms() == []


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x00",
        b"\x01",
        b"\x01" + b"x" * 39,
        b"\x03" + b"x" * 40,
        b"\x01" + bytes(8) + b"x" * 32,
        b"\x01" + b"\xff" * 40,
    ],
)
def test_who_says_something_else_is_not_listened_to(me, data):
    hear(me, data)
    assert waiting(me) == [] and me.alarms() == []


# --- Two truths ---------------------------------------------------------------------------


def test_another_root_of_the_same_size_is_a_split_view(me):
    size = me.ledger.log.size
    hear(me, plain(size, b"\x11" * 32))
    assert me.alarms() == ["split-view"]
    alarm = first_alarm(me)
    assert BOB in alarm.text and not alarm.evidence, "a word alone proves nothing"


def test_with_the_others_signed_note_it_is_proved(me):
    size = me.ledger.log.size
    hear(me, plain(size, b"\x11" * 32))
    hear(me, with_note(me.ledger, size, b"\x11" * 32))
    alarm = first_alarm(me)
    assert "has signed two different trees" in proves(alarm.evidence)


def test_a_note_that_the_log_has_not_signed_proves_nothing(me):
    size = me.ledger.log.size
    forged = with_note(replace_signer(me.ledger), size, b"\x11" * 32)
    hear(me, forged)
    assert me.alarms() == ["split-view"] and not first_alarm(me).evidence


def replace_signer(ledger):
    return ChainLedger(seed=ledger.seed + 1)


def test_a_note_of_another_checkpoint_than_was_said_proves_nothing(me):
    size = me.ledger.log.size
    note = me.ledger.note(Checkpoint(ORIGIN, size + 1, b"\x11" * 32))
    hear(me, b"\x02" + Gossip(size, b"\x11" * 32).encode() + note)
    assert me.alarms() == ["split-view"] and not first_alarm(me).evidence


@pytest.mark.parametrize("noted", [False, True])
def test_a_proof_that_does_not_join_two_sizes_is_a_split_view(me, noted):
    ledger = me.ledger
    old = ledger.log.size - 1
    data = with_note(ledger, old, b"\x22" * 32) if noted else plain(old, b"\x22" * 32)
    hear(me, data)
    with me.unit() as unit:
        said, own = gossip.to_prove(unit.records)
        proof = list(ledger.log.consistency_proof(old))
        gossip.compare(unit.records, said, own, proof, unit.now_ms)
    assert me.alarms() == ["split-view"] and waiting(me) == []
    assert bool(first_alarm(me).evidence) == noted
    if noted:
        assert "a proof that does not join them" in proves(first_alarm(me).evidence)


def test_after_a_conflict_the_own_note_goes_along_in_that_conversation_for_a_day(me):
    size = me.ledger.log.size
    hear(me, plain(size, b"\x11" * 32))
    with me.unit() as unit:
        note = unit.records.directory.newest().note
    assert saying(me) == b"\x02" + saying(me, OTHER_TALK)[1:] + note
    assert saying(me, OTHER_TALK)[:1] == b"\x01"
    assert saying(me, after_ms=DAY_MS)[:1] == b"\x01"


def test_whoever_is_told_a_note_that_he_cannot_judge_says_his_own_too(me):
    """So the one with the larger tree comes to hold both."""
    ledger = me.ledger
    hear(me, with_note(ledger, ledger.log.size + 9, b"\x33" * 32))
    assert saying(me)[:1] == b"\x02"


def test_the_same_person_raises_one_alarm_however_often_he_writes(me):
    for _ in range(3):
        hear(me, plain(me.ledger.log.size, b"\x11" * 32))
        grow(me)
        hear(me, plain(me.ledger.log.size, b"\x12" * 32))
    assert me.alarms() == ["split-view"]
    hear(me, plain(me.ledger.log.size, b"\x13" * 32), sender=CAROL)
    assert me.alarms() == ["split-view", "split-view"]


# --- Withheld -----------------------------------------------------------------------------


def test_a_larger_ledger_that_is_not_shown_for_an_hour_is_withheld(me):
    hear(me, plain(me.ledger.log.size + 5, b"\x44" * 32))
    hear(me, plain(me.ledger.log.size + 5, b"\x44" * 32), after_ms=WITHHELD_MS // 2)
    with me.unit() as unit:
        gossip.check_withheld(unit.records, unit.now_ms + WITHHELD_MS - 1)
    assert me.alarms() == []
    with me.unit() as unit:
        gossip.check_withheld(unit.records, unit.now_ms + WITHHELD_MS)
    assert me.alarms() == ["withheld"]


# --- Bounds -------------------------------------------------------------------------------


def test_nobody_crowds_out_what_others_have_said(me):
    size = me.ledger.log.size
    hear(me, plain(size + 5, b"\x44" * 32), sender=CAROL)
    for number in range(200):
        hear(me, plain(size + 100 + number, b"\x55" * 32), sender=BOB)
    assert (CAROL, size + 5) in waiting(me)
    assert len(waiting(me)) <= limits.MAX_WAITING_GOSSIP
    assert (BOB, size + 299) in waiting(me), "his newest counts"
    for number in range(100):
        hear(me, plain(size + 9, b"\x66" * 32), sender=f"user{number}@acme.example")
    assert len(waiting(me)) <= limits.MAX_WAITING_GOSSIP


def test_a_note_that_comes_later_is_kept_with_what_waits(me):
    size = me.ledger.log.size + 5
    hear(me, plain(size, b"\x44" * 32))
    hear(me, with_note(me.ledger, size, b"\x44" * 32), after_ms=50)
    with me.unit() as unit:
        (one,) = gossip.pending(unit.records)
        assert one.note and one.heard_ms == unit.now_ms
