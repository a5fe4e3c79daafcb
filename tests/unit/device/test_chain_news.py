"""What a person is told when a chain has grown."""

import pytest

from blackthorn.device.core.group_metadata import DIRECT, GROUP
from blackthorn.device.transparency import chain_news
from blackthorn.device.transparency.directory_client import DirectoryClient
from blackthorn.identity.bodies import RevokeDevice, SetRecovery
from blackthorn.ports.device_store import ConversationRecord
from tests.support.chain_ledger import DELAY_MS, ChainLedger, Teller, look

ME, BOB = "me@acme.example", "bob@acme.example"


@pytest.fixture
def world():
    ledger = ChainLedger()
    mine, bobs = ledger.begin(ME), ledger.begin(BOB)
    ledger.publish()
    me, directory_client = Teller(ledger, ME, mine), DirectoryClient()
    look(me, directory_client, ME, BOB)
    with me.unit() as unit:
        for number, name in ((1, BOB), (2, "carol@acme.example")):
            unit.records.conversations.put(record(number, DIRECT, name))
    return ledger, me, bobs, directory_client


def record(number, kind, name):
    return ConversationRecord(bytes([number]) * 32, kind, name, 1, "active", 1, 0, b"")


def again(world, label=BOB):
    ledger, me, _, directory_client = world
    ledger.publish()
    look(me, directory_client, label)


def test_a_person_whom_one_meets_is_no_news(world):
    _, me, _, _ = world
    assert me.events() == [] and me.alarms() == []


def test_devices_that_come_and_go_are_told_in_the_conversation_with_the_person(world):
    ledger, me, bobs, _ = world
    tablet = ledger.add_device(BOB, bobs, "tablet")
    again(world)
    ledger.state(BOB, RevokeDevice(bobs.info.id, "lost", 1), tablet)
    again(world)
    again(world)
    assert sorted(me.events()) == [
        f"{BOB} has added the device 'tablet'",
        f"{BOB} has revoked the device 'phone'",
    ]
    assert me.alarms() == []


def test_a_device_that_others_read_by_is_named_as_such(world):
    from dataclasses import replace

    from blackthorn.identity.bodies import AddDevice

    ledger, me, bobs, _ = world
    keeper = ledger.model("archive")
    keeper.info = replace(keeper.info, role="compliance")
    ledger.state(BOB, AddDevice(keeper.info), bobs, keeper)
    again(world)
    assert me.events() == [
        f"{BOB} has added the device 'archive' as a compliance device, which all see,"
    ]


def test_what_changes_no_device_is_not_told(world):
    ledger, me, bobs, _ = world
    ledger.state(BOB, SetRecovery(ledger.model().keys.public), bobs)
    again(world)
    assert me.events() == [] and me.alarms() == []


def test_what_ones_own_other_devices_do_is_told_and_what_this_one_did_is_not(world):
    ledger, me, _, _ = world
    tablet = ledger.add_device(ME, me.device)
    again(world, ME)
    assert me.alarms() == [], "this device has signed it"
    other = ledger.add_device(ME, tablet, "other")
    again(world, ME)
    assert me.alarms() == ["own-device"]
    ledger.state(ME, RevokeDevice(other.info.id, "sold", 1), tablet)
    again(world, ME)
    with me.unit() as unit:
        texts = [each.text for each in unit.records.directory.alarms()]
    assert texts == ["your device 'other' was added", "your device 'other' was revoked (sold)"]
    assert me.events() == []


# --- Resets -------------------------------------------------------------------------------


def test_a_reset_is_told_while_it_waits_and_when_it_is_effective(world):
    ledger, me, _, _ = world
    ledger.reset(BOB)
    again(world)
    (asked,) = me.events()
    assert asked.startswith(f"{BOB} asked for a new identity on 1970-01-01")
    assert "old devices are still valid" in asked and me.alarms() == ["reset-pending"]
    ledger.later(DELAY_MS)
    again(world)
    told = me.events()[-1]
    assert told.startswith(f"{BOB}'s identity was reset on 1970-01-01 by acme.example's enrolment")
    assert "None of the earlier devices confirmed it" in told
    assert me.alarms() == ["identity-reset"]
    again(world)
    assert len(me.events()) == 2, "a reset is no list of devices that came and went"


def test_a_reset_of_somebody_who_was_compared_is_a_stop(world):
    from dataclasses import replace

    ledger, me, _, _ = world
    with me.unit() as unit:
        known = unit.records.directory.chain(BOB)
        unit.records.directory.put_chain(replace(known, verified_ms=5))
    ledger.reset(BOB)
    again(world)
    ledger.later(DELAY_MS)
    again(world)
    assert me.alarms() == ["verified-reset"]


def test_a_cancel_is_told_to_who_has_heard_of_the_reset(world):
    ledger, me, bobs, _ = world
    ledger.reset(BOB)
    again(world)
    ledger.cancel(BOB, bobs)
    again(world)
    assert me.events()[-1] == f"a device of {BOB} has cancelled the request for a new identity"
    assert me.alarms() == [], "the alarm has ended with its cause"


def test_a_reset_that_came_and_went_unseen_is_not_told(world):
    ledger, me, bobs, _ = world
    ledger.reset(BOB)
    ledger.publish()
    ledger.cancel(BOB, bobs)
    again(world)
    assert me.events() == [] and me.alarms() == []


def test_a_new_acquaintance_is_told_a_reset_that_waits_and_none_of_long_ago(world):
    ledger, _, _, _ = world
    ledger.reset(BOB)
    ledger.publish()
    late = Teller(ledger, ME, ledger.model())
    look(late, DirectoryClient(), BOB)
    assert "reset-pending" in late.alarms()
    ledger.later(DELAY_MS)
    ledger.publish()
    later = Teller(ledger, ME, ledger.model())
    look(later, DirectoryClient(), BOB)
    assert "identity-reset" not in later.alarms()


def test_a_reset_is_told_in_the_groups_of_the_person_too(world, monkeypatch):
    ledger, me, _, _ = world
    with me.unit() as unit:
        unit.records.conversations.put(record(7, GROUP, "team"))
        unit.records.conversations.put(record(8, GROUP, "others"))
    monkeypatch.setattr(chain_news, "_in", lambda unit, group, address: group.name == "team")
    ledger.reset(BOB)
    again(world)
    with me.unit() as unit:
        places = {each.name for each in unit.records.history.latest(10)}
    assert places == {BOB, "team"}
