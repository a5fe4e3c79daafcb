"""False reports of lost texts, and texts that go again where they must not."""

import hashlib

import pytest

from blackthorn.device.conversations import content, heal_messages
from blackthorn.device.healing import limits
from blackthorn.device.healing.past_members import members_at
from blackthorn.device.operations.healing.send_heal import SendHeal
from blackthorn.simulation.device import Person
from blackthorn.simulation.linking import bring_up
from blackthorn.simulation.memory import CrashError
from blackthorn.simulation.recovery import reset
from tests.scenarios.test_device_again import MINUTE
from tests.scenarios.test_device_healing import four
from tests.scenarios.test_device_life_recovery import wait_for_delay
from tests.support.device_world import World
from tests.support.losing import again, claim, group_id, lose, say, told
from tests.support.stranding import come_back, go_off_line, live, sealed

NOT_SENT = ": not sent again"
SALT = bytes(16)


def team(*later: str) -> World:
    """Alice, Bob, Carol and Dan are in the group; the others are not yet."""
    world = World(31, "alice", "bob", "carol", "dan", *later)
    alice, bob, carol, dan = world.people[:4]
    alice.create_group("team", bob, carol, dan)
    world.settle()
    for number in range(3):
        alice.write_group("team", f"of alice {number}")
    world.settle()
    return world


def reports(author: Person, text: str) -> list:
    """What the author's device has noted of a text that others could not read."""
    (line,) = [line for line in author.history() if line.text == text]
    with author.unit() as unit:
        return unit.records.lost.reports(line.conversation, line.message)


def a_text(words: str) -> bytes:
    return content.encode(content.TextContent(SALT, words, 1, 1))


def test_a_receipt_for_what_was_never_sent_is_told_and_answered_by_nothing() -> None:
    world = team()
    alice, _, _, dan = world.people
    for number in range(3):
        claim(dan, alice, group_id(dan, "team"), digests=[bytes([number]) * 16], counts=[99])
    assert len(told(alice, "for texts of this device, which never sent them" + NOT_SENT)) == 1
    assert all(again(dan, f"of alice {number}") == [""] for number in range(3))
    assert not alice.alarms()
    with alice.vault.transaction() as records:
        assert records.outbox.all() == []


def test_a_newcomer_gets_no_text_of_before_by_counting_or_by_parcels() -> None:
    world = team("erin")
    alice, bob, _, _, erin = world.people
    group = group_id(alice, "team")
    with alice.unit() as unit:
        texts = unit.records.healing.sent_in(group)
    alice.change_group("team", [erin], [])
    world.settle()
    claim(erin, alice, group, counts=range(1, 4))
    claim(erin, alice, group, digests=[text.digests for text in texts if text.count])
    say(erin, None, heal_messages.Missed(group, 0), group=group)
    live(world, 5 * MINUTE)
    assert erin.received() == []
    assert told(alice, "written when it was no member" + NOT_SENT)
    assert bob.received() == [f"of alice {number}" for number in range(3)]


def test_an_account_that_was_reset_gets_nothing() -> None:
    world = team()
    alice, bob, *_ = world.people
    world.cut(bob.wire)
    world.people.remove(bob)
    phone = reset(world, "bob")
    bring_up(world)
    wait_for_delay(world)
    group = group_id(alice, "team")
    for _ in range(2):
        claim(phone, alice, group, counts=range(1, 4))
        alice.change_group("team", [bob.address], [])
        bring_up(world)
        live(world, 5 * MINUTE)
    assert [text for text in phone.received() if text.startswith("of alice")] == []


def test_one_liar_who_reports_everything_brings_nothing_into_the_group() -> None:
    world = team()
    alice, bob, carol, dan = world.people
    for _ in range(5):
        claim(dan, alice, group_id(dan, "team"), counts=range(1, 4))
        say(dan, None, heal_messages.Missed(group_id(dan, "team"), 0), group=group_id(dan, "team"))
        live(world, 2 * 3600, 280)
    for number in range(3):
        (report,) = reports(alice, f"of alice {number}")
        assert (report.user, report.times) == (dan.address, limits.MAX_AGAIN_TO_DEVICE)
        for person in (bob, carol, dan):
            assert again(person, f"of alice {number}") == [""]


def test_what_goes_again_to_a_device_in_a_day_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_AGAIN_A_DAY", 2)
    world = team()
    alice, _, _, dan = world.people
    claim(dan, alice, group_id(dan, "team"), counts=range(1, 4))
    assert [bool(reports(alice, f"of alice {number}")) for number in range(3)] == [1, 1, 0]
    assert told(alice, "too many were sent to it again today" + NOT_SENT)


def test_who_was_removed_gets_nothing_and_both_are_told() -> None:
    world = team()
    alice, _, _, dan = world.people
    lose(world, alice, "team", "lost", dan)
    alice.write_group("team", "the next one")
    world.settle()
    alice.change_group("team", [], [dan])
    world.settle()
    live(world, 30 * MINUTE)
    assert again(dan, "lost") == []
    assert len(told(dan, "1 text of alice@acme.example could not be read on this device")) == 1
    claim(dan, alice, group_id(dan, "team"), counts=[4])
    assert again(dan, "lost") == []
    assert told(alice, f"a device of {dan.address} asks for 1 text")


def test_nobody_but_a_member_sends_a_text_again_into_a_group() -> None:
    world = team("erin")
    alice, bob, _, dan, erin = world.people
    group = group_id(alice, "team")
    bob.change_group("team", [], [dan])
    world.settle()
    for person in (dan, erin):
        say(person, alice, heal_messages.Again(group, a_text(f"of {person.name}")))
        assert again(alice, f"of {person.name}") == []
        assert told(alice, f"a message of {person.address} cannot be shown here")
    say(bob, alice, heal_messages.Again(bytes(32), a_text("of no group")))
    assert [line.kind for line in alice.history() if line.text == "of no group"] == ["direct"]
    assert alice.set_aside() == []


def test_in_a_group_nothing_is_heard_of_other_conversations() -> None:
    world = team("erin")
    alice, bob, _, dan, erin = world.people
    alice.create_group("other", erin, dan)
    world.settle()
    alice.write_group("other", "of the other")
    world.settle()
    group, other = group_id(alice, "team"), group_id(alice, "other")
    for message in (
        heal_messages.Missed(other, 0),
        heal_messages.Lost(group, alice.keys.device, [], [1]),
        heal_messages.Again(other, a_text("moved")),
        heal_messages.Question(bytes(16), [heal_messages.AskedItem(group, 1, bytes(16), "S3")]),
    ):
        say(dan, None, message, group=group)
    assert len(told(bob, f"a message of {dan.address} cannot be shown here")) == 4
    assert reports(alice, "of the other") == reports(alice, "of alice 0") == []
    assert again(alice, "moved") == again(bob, "moved") == []


def test_a_text_that_goes_again_closes_no_parcel_of_another_author() -> None:
    world = team()
    alice, _, carol, dan = world.people
    with dan.unit() as unit:
        parcel = hashlib.sha256(b"of alice").digest()
        group = unit.records.conversations.named("group", "team")[0].id
        unit.records.lost.add(parcel, group, alice.keys.device, dan.now_ms + 10**9, 10)
    say(carol, dan, heal_messages.Again(group, a_text("of carol"), parcel[:16]))
    assert again(dan, "of carol") == ["sent again"]
    with dan.unit() as unit:
        assert unit.records.lost.parcels_of(group, alice.keys.device) == [parcel]
        assert not unit.records.parcels.seen(parcel)


def test_garbage_of_an_insider_is_noted_within_bounds_and_reported_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each copy names Alice as its author; its content does not open."""
    monkeypatch.setattr(limits, "MAX_LOST_TEXTS", 4)
    monkeypatch.setattr(limits, "MAX_REPORTS_A_DAY", 3)
    world = team()
    alice, _, _, dan = world.people
    whole = sealed(world, alice, "team", "seen before")
    world.put_parcel(dan, whole)
    world.settle()
    with dan.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        key = unit.envelope_key(unit.open(record.id))
        copies = [key.seal(key.open(whole), world.chance.randbytes) for _ in range(12)]
    for copy in copies:
        world.put_parcel(dan, copy)
        live(world, MINUTE)
    with dan.unit() as unit:
        assert len(unit.records.lost.parcels_of(record.id, alice.keys.device)) == 4
        today = unit.now_ms // 86_400_000
        assert 1 <= unit.records.lost.pace(alice.keys.device, 0, today).count <= 3
    assert len(told(alice, "which never sent them")) == 1
    assert again(dan, "seen before") == [""]


def test_what_was_for_the_group_goes_to_the_person_if_somebody_has_joined() -> None:
    """Between the decision and the sealing."""
    world = team("erin")
    alice, bob, _, dan, erin = world.people
    group = group_id(alice, "team")
    with alice.unit() as unit:
        epoch = unit.open(group).group.epoch
        assert len(members_at(unit, group, epoch)) == 4
    alice.change_group("team", [erin], [])
    world.settle()
    part = heal_messages.encode_part(heal_messages.Again(group, a_text("for dan")))
    device = dan.keys.device
    operation = SendHeal(dan.address, SALT, part, device=device, group=group, of_epoch=epoch)
    alice.enqueue(operation.enqueue)
    live(world, MINUTE)
    assert again(dan, "for dan") == ["sent again"]
    assert again(erin, "for dan") == again(bob, "for dan") == []


def test_nothing_goes_again_where_the_device_that_asked_is_not() -> None:
    world = team()
    alice, _, _, dan = world.people
    alice.write(dan, "direct")
    world.settle()
    part = heal_messages.encode_part(heal_messages.Again(group_id(alice, "team"), a_text("x")))
    alice.enqueue(SendHeal(dan.address, SALT, part, device=bytes(16)).enqueue)
    live(world, MINUTE)
    assert again(dan, "x") == []
    assert alice.waiting() == 0


@pytest.mark.parametrize("who", ["alice", "dan"])
@pytest.mark.parametrize("stored", [False, True])
def test_a_crash_at_any_write_neither_loses_a_text_nor_shows_it_twice(
    who: str, stored: bool
) -> None:
    for write in range(1, 14, 3):
        world = four()
        alice, bob, carol, dan = world.people
        lose(world, alice, "team", "lost", carol, dan)
        alice.write_group("team", "the next one")
        live(world, 9 * MINUTE)
        struck = {"alice": alice, "dan": dan}[who]
        struck.vault.crash_in(write, stored=stored)
        for _ in range(120):
            try:
                live(world, 15)
            except CrashError:
                struck.restart()
                struck.connect()
                world.settle()
        for person in (carol, dan):
            assert again(person, "lost") == ["sent again"], write
        assert again(bob, "lost") == [""]


def test_two_processes_over_one_vault_report_and_answer_once() -> None:
    world = four()
    alice, _, _, dan = world.people
    twins = [Person(world, one.name, one.vault, one.keys) for one in (alice, dan)]
    lose(world, alice, "team", "lost", dan)
    for twin in twins:
        world.people.append(twin)
        twin.connect(receives=False)
    alice.write_group("team", "the next one")
    live(world, 30 * MINUTE)
    assert again(dan, "lost") == ["sent again"]
    (report,) = reports(alice, "lost")
    assert report.times == 1


def test_a_device_that_was_away_while_its_text_was_reported_answers_later() -> None:
    world = four()
    alice, _, _, dan = world.people
    lose(world, alice, "team", "lost", dan)
    alice.write_group("team", "the next one")
    world.settle()
    go_off_line(alice)
    live(world, 3 * 3600, 280)
    assert again(dan, "lost") == []
    come_back(alice)
    live(world, 2 * MINUTE)
    assert again(dan, "lost") == ["sent again"]
