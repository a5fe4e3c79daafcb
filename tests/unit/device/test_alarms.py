"""Alarms: once for one fact, with evidence that proves something or none, and what each stops."""

import ast
from pathlib import Path

import pytest

from blackthorn.device.transparency import alarms, limits
from blackthorn.device.transparency.alarms import (
    AGAIN_MS,
    KINDS,
    LEDGER,
    Effect,
    Scope,
    raise_alarm,
)
from blackthorn.errors import UserError
from tests.support.chain_ledger import ChainLedger, Teller

ME, BOB, CAROL = "me@acme.example", "bob@acme.example", "carol@acme.example"
NOW = 5_000_000
FILE = b"{}"


@pytest.fixture
def me():
    ledger = ChainLedger()
    return Teller(ledger, ME, ledger.begin(ME))


@pytest.fixture
def records(me):
    with me.unit() as unit:
        yield unit.records


def raised_in_the_program():
    """The codes with which the program raises alarms, read from its source."""
    folder = Path(alarms.__file__).parent
    codes = set()
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in KINDS:
                codes.add(node.value)
    return codes


def test_every_kind_is_raised_somewhere_and_says_what_it_means():
    assert raised_in_the_program() >= set(KINDS)
    for code, kind in KINDS.items():
        assert code == code.lower() and " " not in code
        assert kind.meaning and not kind.meaning.endswith(".")


def test_every_alarm_of_the_ledger_stops_and_news_of_resets_do_not():
    about_ledger = [each for each in KINDS.values() if each.scope is Scope.LEDGER]
    assert about_ledger and all(each.effect is Effect.STOP for each in about_ledger)
    told = {code for code, each in KINDS.items() if each.effect is Effect.NOTICE}
    assert {"reset-pending", "own-reset", "own-device"} <= told
    assert KINDS["identity-reset"].effect is Effect.GROUPS
    assert KINDS["verified-reset"].effect is Effect.STOP


def test_an_alarm_is_raised_once_for_one_fact(records):
    assert raise_alarm(records, "bad-answer", BOB, "text", NOW)
    assert not raise_alarm(records, "bad-answer", BOB, "text", NOW + 1)
    assert raise_alarm(records, "bad-answer", CAROL, "text", NOW)
    assert raise_alarm(records, "bad-answer", BOB, "another", NOW)
    assert raise_alarm(records, "swapped", BOB, "text", NOW)
    assert [each.number for each in alarms.open_alarms(records)] == [1, 2, 3, 4]


def test_the_same_fact_in_other_words_is_the_same_alarm(records):
    assert raise_alarm(records, "split-view", LEDGER, "of 5", NOW, fact=BOB)
    assert not raise_alarm(records, "split-view", LEDGER, "of 6", NOW, fact=BOB)
    assert raise_alarm(records, "split-view", LEDGER, "of 6", NOW, fact=CAROL)


def test_an_alarm_takes_the_evidence_that_comes_later_and_keeps_the_first(records):
    raise_alarm(records, "split-view", LEDGER, "of 5", NOW, fact=BOB)
    raise_alarm(records, "split-view", LEDGER, "of 6, proved", NOW, FILE, fact=BOB)
    raise_alarm(records, "split-view", LEDGER, "of 7", NOW, b"[]", fact=BOB)
    (alarm,) = alarms.open_alarms(records)
    assert (alarm.text, alarm.evidence) == ("of 6, proved", FILE)


def test_what_was_accepted_is_raised_again_after_a_day_if_it_still_is_so(records):
    raise_alarm(records, "bad-epoch", LEDGER, "text", NOW)
    alarms.accept(records, 1)
    assert not raise_alarm(records, "bad-epoch", LEDGER, "text", NOW + AGAIN_MS - 1)
    assert raise_alarm(records, "bad-epoch", LEDGER, "text", NOW + AGAIN_MS)
    assert [each.number for each in alarms.open_alarms(records)] == [2]
    assert not raise_alarm(records, "bad-epoch", LEDGER, "text", NOW + 9 * AGAIN_MS)


def test_evidence_that_comes_after_an_alarm_was_accepted_does_not_open_it(records):
    raise_alarm(records, "bad-epoch", LEDGER, "text", NOW)
    alarms.accept(records, 1)
    raise_alarm(records, "bad-epoch", LEDGER, "text", NOW + 1, FILE)
    assert alarms.open_alarms(records) == []
    assert alarms.find(records, 1).evidence == FILE


def test_alarms_of_one_code_are_bounded_and_leave_room_for_others(records):
    for number in range(limits.MAX_ALARMS_PER_CODE + 5):
        raise_alarm(records, "bad-answer", BOB, f"lie {number}", NOW)
    assert len(records.directory.alarms()) == limits.MAX_ALARMS_PER_CODE
    assert raise_alarm(records, "bad-chain", BOB, "text", NOW)


def test_an_alarm_keeps_no_file_that_proves_nothing(me):
    ledger = me.ledger
    ledger.publish()
    note = ledger.note()
    with me.unit() as unit:
        nothing = alarms.evidence_of(unit.records, "fork", {"first": note, "second": note})
        assert nothing == b""
        said = {"first": note, "seen_ms": 5}
        assert alarms.evidence_of(unit.records, "stale", said)


def test_a_number_that_is_none_is_said(records):
    for act in (alarms.find, alarms.accept):
        with pytest.raises(UserError, match="there is no alarm 7"):
            act(records, 7)


# --- Stops --------------------------------------------------------------------------------


def stopped(records, *addresses, in_group=False):
    return [each.code for each in alarms.stops(records, set(addresses), in_group=in_group)]


def test_a_stop_is_about_its_person_alone_until_it_is_accepted(records):
    raise_alarm(records, "bad-chain", BOB, "text", NOW)
    assert stopped(records, BOB) == stopped(records, CAROL, BOB) == ["bad-chain"]
    assert stopped(records, CAROL) == stopped(records, LEDGER) == []
    alarms.accept(records, 1)
    assert stopped(records, BOB) == []
    assert alarms.find(records, 1).accepted, "it stays in the list"


def test_a_stop_of_the_ledger_stops_whoever_asks_for_it(records):
    raise_alarm(records, "rollback", LEDGER, "text", NOW)
    assert stopped(records, LEDGER, BOB) == ["rollback"]
    assert stopped(records, BOB) == []


def test_a_notice_stops_nothing(records):
    for code in ("reset-pending", "key-package-reuse", "own-device"):
        raise_alarm(records, code, BOB, "text", NOW)
    assert stopped(records, BOB) == stopped(records, BOB, in_group=True) == []


def test_a_reset_of_somebody_who_was_not_compared_stops_in_groups_alone(records):
    raise_alarm(records, "identity-reset", BOB, "text", NOW)
    assert stopped(records, BOB) == []
    assert stopped(records, BOB, in_group=True) == ["identity-reset"]
    raise_alarm(records, "verified-reset", BOB, "text", NOW)
    assert stopped(records, BOB) == ["verified-reset"]
