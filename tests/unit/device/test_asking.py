"""Asking the ledger: whom, when, once; and what a device does when it is not answered."""

import msgspec
import pytest

from blackthorn.device.transparency import gossip
from blackthorn.device.transparency.directory_client import (
    AGAIN_MS,
    ALONG,
    ANSWER_MS,
    PENDING_MS,
    DirectoryClient,
    reached,
)
from blackthorn.directory.verify import Gossip
from blackthorn.link import frames as f
from blackthorn.link import limits as link_limits
from blackthorn.wire import limits as wire_limits
from tests.support.chain_ledger import DAY_MS, ChainLedger, Teller, ask, look

ME, BOB, CAROL = "me@acme.example", "bob@acme.example", "carol@acme.example"
NOBODY = "nobody@acme.example"
HOUR_MS = 3_600_000


@pytest.fixture
def world():
    ledger = ChainLedger()
    mine = ledger.begin(ME)
    bobs = ledger.begin(BOB)
    ledger.publish()
    return ledger, Teller(ledger, ME, mine), bobs


def tick(me, directory_client):
    with me.unit() as unit:
        return directory_client.ask(unit)


def answer(me, directory_client, asked, **how):
    with me.unit() as unit:
        return directory_client.looked_up(unit, me.ledger.looked_up(asked, **how))


def changed(frame, **fields):
    return msgspec.structs.replace(frame, **fields)


def fresh(me, directory_client, label):
    with me.unit() as unit:
        return directory_client.fresh(unit, label)


# --- Whom and when ------------------------------------------------------------------------


def test_a_moment_has_come_too_when_the_clock_was_set_back():
    assert reached(5, 5, 10) and reached(5, 6, 10) and not reached(6, 5, 10)
    assert reached(1_000, 5, 10), "it was set at most 10 ahead: the clock was set back since"


def test_the_own_entry_is_looked_at_on_connecting_and_every_six_hours(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    (asked,) = tick(me, directory_client)
    assert asked.addresses == [ME] and asked.have == 0
    (fetch,) = answer(me, directory_client, asked)
    with me.unit() as unit:
        assert directory_client.chain_part(unit, ledger.chain_part(fetch)) == []
    assert tick(me, directory_client) == [], "nothing is due"
    ledger.later(6 * HOUR_MS - 30_000)
    assert tick(me, directory_client) == []
    ledger.later(31_000)
    ledger.publish()
    (asked,) = tick(me, directory_client)
    assert asked.addresses == [ME] and asked.have > 0


def test_the_own_entry_is_looked_at_when_the_server_says_that_it_has_changed(world):
    _, me, _ = world
    directory_client = DirectoryClient()
    look(me, directory_client, ME)
    assert tick(me, directory_client) == []
    directory_client.own_changed()
    (asked,) = tick(me, directory_client)
    assert asked.addresses == [ME]


def test_one_question_is_open_at_a_time_and_names_each_once(world):
    _, me, _ = world
    directory_client = DirectoryClient()
    directory_client.want([BOB, BOB, NOBODY])
    (asked,) = tick(me, directory_client)
    assert asked.addresses == sorted([BOB, ME, NOBODY]) and directory_client.busy
    directory_client.want([CAROL])
    assert tick(me, directory_client) == []
    answer(me, directory_client, asked)
    assert tick(me, directory_client) == [], "a chain is awaited"


def test_many_are_asked_for_in_several_questions(world, monkeypatch):
    monkeypatch.setattr(link_limits, "MAX_LOOKUP_ADDRESSES", 3)
    _, me, _ = world
    directory_client = DirectoryClient()
    names = [f"x{n}@acme.example" for n in range(7)]
    directory_client.want(names)
    seen = []
    for _ in range(3):
        (asked,) = tick(me, directory_client)
        assert len(asked.addresses) <= 3
        seen += asked.addresses
        frames = answer(me, directory_client, asked)
        for each in frames:
            with me.unit() as unit:
                directory_client.chain_part(unit, me.ledger.chain_part(each))
    assert sorted(seen) == sorted([*names, ME])


def test_known_people_go_along_when_they_were_not_looked_at_for_long(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    names = [f"p{n:02}@acme.example" for n in range(ALONG + 8)]
    for each in names:
        ledger.begin(each)
    ledger.publish()
    look(me, directory_client, *names)
    ledger.later(DAY_MS)
    ledger.publish()
    directory_client.want([NOBODY])
    (asked,) = tick(me, directory_client)
    along = set(asked.addresses) - {NOBODY, ME}
    assert len(along) == ALONG and along <= set(names)


# --- Answers ------------------------------------------------------------------------------


def test_an_answer_to_another_question_is_not_taken(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    (asked,) = tick(me, directory_client)
    wrong = changed(ledger.looked_up(asked), request=asked.request + 1)
    with me.unit() as unit:
        assert directory_client.looked_up(unit, wrong) == []
        assert unit.records.directory.newest() is None
    assert directory_client.busy


def test_a_repeated_answer_is_not_taken_twice(world):
    _, me, _ = world
    directory_client = DirectoryClient()
    (asked,) = tick(me, directory_client)
    assert len(answer(me, directory_client, asked)) == 1
    assert answer(me, directory_client, asked) == []


def test_a_chain_that_nobody_asked_for_is_not_taken(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    with me.unit() as unit:
        assert directory_client.chain_part(unit, ledger.chain_part(f.FetchChain(1, BOB, 0))) == []
    assert me.chain(BOB) is None


def test_a_chain_comes_in_several_parts(world):
    ledger, me, bobs = world
    for number in range(3):
        ledger.add_device(BOB, bobs, f"d{number}")
    ledger.publish()
    directory_client = DirectoryClient()
    with me.unit() as unit:
        asked = ask(directory_client, unit, BOB)
    fetches = answer(me, directory_client, asked)
    (mine,) = [each for each in fetches if each.address == ME]
    with me.unit() as unit:
        directory_client.chain_part(unit, ledger.chain_part(mine))
    (fetch,) = [each for each in fetches if each.address == BOB]
    after = []
    while fetch is not None:
        after.append(fetch.after)
        whole = ledger.chain_part(fetch)
        part = changed(whole, statements=whole.statements[:1], more=len(whole.statements) > 1)
        with me.unit() as unit:
            frames = directory_client.chain_part(unit, part)
        fetch = frames[0] if frames else None
    assert after == [0, 1, 2, 3] and len(me.chain(BOB).devices) == 4


def test_a_server_that_always_promises_more_is_not_asked_for_ever(world, monkeypatch):
    monkeypatch.setattr(wire_limits, "MAX_CHAIN_STATEMENTS", 5)
    ledger, me, _ = world
    directory_client = DirectoryClient()
    with me.unit() as unit:
        asked = ask(directory_client, unit, BOB)
    frames = [each for each in answer(me, directory_client, asked) if each.address == BOB]
    rounds = 0
    while frames:
        rounds += 1
        told = changed(ledger.chain_part(f.FetchChain(asked.request, BOB, 0)), more=True)
        with me.unit() as unit:
            frames = directory_client.chain_part(unit, told)
    assert rounds <= 5 and me.chain(BOB) is None and me.alarms() == ["bad-chain"]


def test_an_epoch_between_answer_and_chain_is_looked_up_again_and_no_alarm(world):
    ledger, me, bobs = world
    directory_client = DirectoryClient()
    with me.unit() as unit:
        asked = ask(directory_client, unit, BOB)
    fetches = answer(me, directory_client, asked)
    ledger.add_device(BOB, bobs)
    ledger.publish()
    for each in fetches:
        with me.unit() as unit:
            directory_client.chain_part(unit, ledger.chain_part(each))
    assert me.alarms() == []
    (asked,) = tick(me, directory_client)
    assert BOB in asked.addresses
    for each in answer(me, directory_client, asked):
        with me.unit() as unit:
            directory_client.chain_part(unit, ledger.chain_part(each))
    assert len(me.chain(BOB).devices) == 2 and me.alarms() == []


def test_an_answer_that_another_process_has_overtaken_is_judged_by_nobody(world):
    """This one was asked before the other process accepted a larger ledger."""
    ledger, me, _ = world
    one, other = DirectoryClient(), DirectoryClient()
    look(me, one, ME)
    with me.unit() as unit:
        asked = ask(one, unit, BOB)
    old = ledger.looked_up(asked)
    ledger.later(60_000)
    ledger.publish()
    look(me, other, ME)
    with me.unit() as unit:
        assert one.looked_up(unit, old) == []
    assert me.alarms() == [], "it is smaller, and nobody's fault"
    (again,) = tick(me, one)
    assert BOB in again.addresses and again.have == ledger.log.size


# --- Not answered -------------------------------------------------------------------------


def test_a_server_that_answers_nothing_does_not_keep_the_device_waiting(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    tick(me, directory_client)
    ledger.later(ANSWER_MS - 1)
    assert tick(me, directory_client) == [] and directory_client.busy
    ledger.later(1)
    assert tick(me, directory_client) == [] and not directory_client.busy
    with me.unit() as unit:
        assert directory_client.why_not(unit, [ME])
    ledger.later(AGAIN_MS)
    (asked,) = tick(me, directory_client)
    assert asked.addresses == [ME]


def test_a_connection_that_ends_forgets_what_was_asked(world):
    _, me, _ = world
    directory_client = DirectoryClient()
    tick(me, directory_client)
    directory_client.disconnected()
    assert not directory_client.busy and len(tick(me, directory_client)) == 1


def test_somebody_who_waits_for_his_epoch_is_asked_for_quietly_every_two_seconds(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    look(me, directory_client, ME)
    with me.unit() as unit:
        asked = ask(directory_client, unit, CAROL)
    answer(me, directory_client, asked, pending=(CAROL,))
    assert me.alarms() == [] and tick(me, directory_client) == []
    assert fresh(me, directory_client, CAROL) is None
    with me.unit() as unit:
        assert "not in the ledger yet" in directory_client.why_not(unit, [CAROL])
    ledger.later(PENDING_MS)
    ledger.begin(CAROL)
    ledger.publish()
    (asked,) = tick(me, directory_client)
    assert asked.addresses == [CAROL]
    for each in answer(me, directory_client, asked):
        with me.unit() as unit:
            directory_client.chain_part(unit, ledger.chain_part(each))
    assert fresh(me, directory_client, CAROL) is not None


def test_a_person_whom_the_ledger_had_cannot_be_said_to_be_pending(world):
    _, me, _ = world
    directory_client = DirectoryClient()
    look(me, directory_client, BOB)
    with me.unit() as unit:
        asked = ask(directory_client, unit, BOB)
    answer(me, directory_client, asked, pending=(BOB,))
    assert me.alarms() == ["denied"] and fresh(me, directory_client, BOB) is None


def test_who_is_left_out_of_an_answer_is_not_believed_to_be_nobody(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    with me.unit() as unit:
        asked = ask(directory_client, unit, BOB)
        directory_client.looked_up(unit, changed(ledger.looked_up(asked), answers=[]))
        assert "does not answer for" in directory_client.why_not(unit, [BOB])
    assert fresh(me, directory_client, BOB) is None


# --- What a wish needs --------------------------------------------------------------------


def test_a_look_is_fresh_for_an_hour_by_the_devices_clock(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    assert fresh(me, directory_client, BOB) is None
    (asked,) = tick(me, directory_client)
    assert BOB in asked.addresses, "whoever is not fresh is wanted"
    for each in answer(me, directory_client, asked):
        with me.unit() as unit:
            directory_client.chain_part(unit, ledger.chain_part(each))
    assert fresh(me, directory_client, BOB).present
    ledger.later(HOUR_MS + 1)
    ledger.publish()
    look(me, directory_client, ME)
    assert fresh(me, directory_client, BOB) is None
    (asked,) = tick(me, directory_client)
    assert BOB in asked.addresses


def test_absence_is_told_once_for_each_proof_of_it(world):
    _, me, _ = world
    directory_client = DirectoryClient()
    look(me, directory_client, NOBODY)
    assert fresh(me, directory_client, NOBODY).present is False
    assert fresh(me, directory_client, NOBODY) is None
    look(me, directory_client)
    assert fresh(me, directory_client, NOBODY).present is False


def test_nobody_new_is_met_by_an_old_ledger_and_known_ones_are_still_refreshed(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    look(me, directory_client, BOB)
    note = ledger.note()
    ledger.unix_ms += 2 * HOUR_MS  # no new epoch: the witnesses' word has grown old
    ledger.note = lambda *_: note
    look(me, directory_client, BOB)
    assert directory_client.stale and me.alarms() == [] and me.chain(BOB) is not None
    assert fresh(me, directory_client, BOB) is None
    with me.unit() as unit:
        assert "too old" in directory_client.why_not(unit, [BOB])


def test_an_old_ledger_is_remembered_by_the_next_process(world):
    ledger, me, _ = world
    look(me, DirectoryClient(), BOB)
    ledger.unix_ms += 2 * HOUR_MS
    assert fresh(me, DirectoryClient(), BOB) is None


# --- A smaller ledger, a larger one -------------------------------------------------------


def test_a_server_that_shows_less_is_shown_its_own_newer_note_once(world):
    ledger, me, _ = world
    small = ledger.log.size
    part = ledger.epoch_part()
    ledger.later(60_000)
    ledger.publish()
    directory_client = DirectoryClient()
    look(me, directory_client, ME)
    newest = ledger.note()
    for number in range(2):
        with me.unit() as unit:
            asked = ask(directory_client, unit, BOB)
            told = directory_client.looked_up(unit, f.LookedUp(asked.request, part, [], [], []))
        assert told == ([f.TellCheckpoint(newest)] if not number else [])
        ledger.later(AGAIN_MS)
    assert me.alarms() == ["rollback"] and small < ledger.log.size


def test_when_somebody_has_seen_more_the_newest_checkpoint_is_asked_for(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    look(me, directory_client, ME)
    ledger.later(60_000)
    ledger.publish()
    with me.unit() as unit:
        data = b"\x01" + Gossip(ledger.log.size, ledger.log.root()).encode()
        gossip.receive(unit.records, b"t", BOB, data, unit.now_ms)
    (asked,) = tick(me, directory_client)
    assert asked.addresses == []
    assert answer(me, directory_client, asked) == [] and me.alarms() == []
    assert tick(me, directory_client) == [], "it was compared"


def test_an_older_checkpoint_is_proved_by_the_server(world):
    ledger, me, _ = world
    directory_client = DirectoryClient()
    look(me, directory_client, ME)
    old = ledger.log.size - 1
    with me.unit() as unit:
        data = b"\x01" + Gossip(old, ledger.log.root(old)).encode()
        gossip.receive(unit.records, b"t", BOB, data, unit.now_ms)
    (asked,) = tick(me, directory_client)
    assert asked == f.ProveConsistency(asked.request, old, ledger.log.size)
    proof = list(ledger.log.consistency_proof(old))
    with me.unit() as unit:
        directory_client.consistency(unit, f.Consistency(asked.request + 1, True, []))
        assert directory_client.busy and not unit.records.directory.alarms()
        directory_client.consistency(unit, f.Consistency(asked.request, True, proof))
    assert not directory_client.busy and me.alarms() == [] and tick(me, directory_client) == []


def test_strangers_in_leaves_are_asked_for_and_answered(world):
    _, me, _ = world
    directory_client = DirectoryClient()
    with me.unit() as unit:
        unit.records.peers.ask_for([(b"d" * 16, BOB)], unit.now_ms, 10)
        assert directory_client.awaits(unit)
    (asked,) = tick(me, directory_client)
    assert BOB in asked.addresses
    for each in answer(me, directory_client, asked):
        with me.unit() as unit:
            directory_client.chain_part(unit, me.ledger.chain_part(each))
    with me.unit() as unit:
        assert unit.records.peers.to_ask() == [] and not directory_client.awaits(unit)
