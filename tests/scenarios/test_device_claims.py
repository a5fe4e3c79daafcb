"""Claimed key packages: only those of devices that the ledger has, each used once, none weaker."""

import pytest

from blackthorn.device.conversations import key_packages, left_out, limits
from blackthorn.link import frames as f
from blackthorn.mls import suites
from blackthorn.server.messaging import limits as messaging_limits
from blackthorn.simulation.linking import add_device
from tests.scenarios.test_device_hostile import package_of, replace_packages
from tests.support.device_world import World
from tests.support.evil_server import EvilServer, changed

DAY = 24 * 3600.0


def spoil(world, device):
    """All key packages of the device that the server has now are of no use."""
    world.database.writing.execute(
        "UPDATE key_package SET package = CAST(id AS BLOB)"
        " WHERE device = (SELECT number FROM devices WHERE id = ?)",
        (bytes(device.keys.device),),
    )


def test_a_device_that_the_ledger_does_not_have_is_left_out():
    """The server hands out a key package of a device of its own in Bob's name."""
    world = EvilServer(870, "alice", "bob")
    alice, bob, *_ = world.people
    ghost = world.ghost(bob)
    ghost.connect()
    number = alice.write(bob, "secret")
    world.settle()
    assert alice.outcomes[number].error == ""
    world.check_received(bob, ["secret"])
    assert not ghost.history() and not ghost.conversations()
    assert not alice.alarms()


def test_nothing_is_said_to_a_user_of_whose_devices_the_ledger_has_none():
    world = EvilServer(871, "alice", "bob")
    alice, bob, *_ = world.people
    ghost = world.ghost(bob)

    def only_the_ghost(frame):
        if not isinstance(frame, f.KeyPackages):
            return frame
        given = [each for each in frame.claimed if each.device == ghost.keys.device]
        return changed(frame, claimed=given)

    world.lie(alice, only_the_ghost)
    number = alice.write(bob, "secret")
    world.settle()
    assert "no key package of bob@acme.example can be used" in alice.outcomes[number].error
    assert not ghost.history() and not bob.history()


def test_a_device_whose_statement_is_not_published_yet_is_added_when_it_is():
    world = World(872, "alice", "bob")
    alice, bob = world.people
    tablet = add_device(bob)
    world.settle()
    alice.write(bob, "to both")
    world.settle()
    assert "to both" in bob.received() and "to both" in tablet.received()


def test_the_same_key_package_twice_is_noticed():
    world = EvilServer(873, "alice", "bob")
    alice, bob, *_ = world.people
    given = []

    def again(frame):
        if not isinstance(frame, f.KeyPackages):
            return frame
        given.append(frame.claimed)
        return changed(frame, claimed=given[0])

    world.lie(alice, again)
    alice.create_group("one", bob)
    world.settle()
    alice.create_group("two", bob)
    world.settle()
    (alarm,) = alice.open_alarms()
    assert (alarm.code, alarm.address) == ("key-package-reuse", bob.address)
    assert [each.name for each in bob.conversations()] == ["one"]


def test_last_resort_key_packages_may_come_again():
    world = World(874, "alice", "bob")
    alice, bob = world.people
    world.database.writing.execute(
        "DELETE FROM key_package WHERE device = ? AND last_resort = 0", (bob.number,)
    )
    for name in ("one", "two"):
        alice.create_group(name, bob)
        world.settle()
    assert not alice.alarms() and len(bob.conversations()) == 2


@pytest.mark.parametrize("suite", [suites.SUITE_1])
def test_a_suite_on_which_the_device_does_not_insist_is_refused(suite):
    world = World(875, "alice", "bob")
    alice, bob = world.people
    replace_packages(world, bob, package_of(world, bob, suite))
    number = alice.write(bob, "secret")
    world.settle()
    assert "weaker suite" in alice.outcomes[number].error and not bob.history()


def test_nobody_is_claimed_of_whom_the_ledger_was_not_asked():
    """A claim is sent only after the lookup that it rests on has held."""
    world = World(876, "alice", "bob", "carol")
    alice, bob, carol = world.people
    heard = []
    for kind in (f.LookUp, f.ClaimKeyPackages):
        serve = world.dispatcher._handlers[kind]
        world.dispatcher._handlers[kind] = lambda s, frame, now, serve=serve: (
            heard.append(type(frame).__name__),
            serve(s, frame, now),
        )
    alice.create_group("team", bob, carol)
    world.settle()
    assert heard[:2] == ["LookUp", "ClaimKeyPackages"]
    assert heard.count("ClaimKeyPackages") == 1


def test_a_device_whose_link_lasts_for_weeks_renews_its_key_packages():
    world = World(877, "alice")
    (alice,) = world.people
    wire, sets = alice.wire, []
    for _ in range(5):
        found = world.database.writing.execute("SELECT package, last_resort FROM key_package")
        sets.append(set(found))
        world.later(7 * 86_400)
        wire.say(f.Ping(1))  # the link has not been silent
        world.run_wires()
        world.publish()
        world.settle()
    assert alice.wire is wire
    assert [len(packages) for packages in sets] == [61, 101, 101, 101, 101]
    last_resort = {row for row in sets[0] if row[1]}
    assert sets[0] & sets[1] == sets[1] & sets[2] == sets[2] & sets[3] == last_resort
    assert not sets[3] & sets[4]


def test_a_bad_key_package_ends_no_operation_and_its_owner_is_added_later():
    world = World(878, "alice", "bob", "carol")
    alice, bob, carol = world.people
    spoil(world, carol)
    number = alice.create_group("team", bob, carol)
    world.settle()
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    (told,) = [line for line in alice.history() if line.sort == "event" and not line.shown]
    assert told.text.startswith("carol@acme.example is not in here yet")
    alice.write_group("team", "without Carol")
    world.settle()
    assert bob.received() == ["without Carol"] and not carol.history()
    world.wake(7 * DAY)  # her device has published new ones
    world.wake(DAY, 2)
    alice.write_group("team", "with Carol")
    world.settle()
    assert carol.received() == ["with Carol"] and not alice.alarms()


def test_bad_key_packages_of_an_own_second_device_block_no_new_conversation():
    world = World(882, "alice", "bob")
    alice, bob = world.people
    tablet = add_device(alice)
    world.settle()
    world.cut(tablet.wire)
    spoil(world, tablet)
    number = alice.write(bob, "hello")
    world.settle()
    assert alice.outcomes[number].final and not alice.outcomes[number].error
    assert bob.received() == ["hello"]


def test_whoever_was_removed_meanwhile_is_not_added_later():
    world = World(879, "alice", "bob", "carol")
    alice, bob, carol = world.people
    tablet = add_device(carol)
    world.settle()
    spoil(world, tablet)
    world.away.add(carol.address)
    for person in (carol, tablet):
        world.cut(person.wire)
    alice.create_group("team", bob, carol)
    world.settle()
    assert "a device of carol@acme.example is not in here yet" in alice.events()[0]
    alice.change_group("team", [], [carol])
    world.settle()
    world.wake(DAY, 3)
    assert all("added" not in event for event in bob.events()[1:])
    with alice.unit() as unit:
        assert not left_out.due(unit)


def test_a_claim_is_repeated_three_times_at_most_for_a_bad_key_package():
    world = World(880, "alice", "bob")
    alice, bob = world.people
    replace_packages(world, bob, package_of(world, bob, suites.SUITE_1))
    claims, serve = [], world.dispatcher._handlers[f.ClaimKeyPackages]
    world.dispatcher._handlers[f.ClaimKeyPackages] = lambda s, frame, now: (
        claims.append(frame),
        serve(s, frame, now),
    )
    number = alice.write(bob, "secret")
    world.settle()
    assert alice.outcomes[number].final and len(claims) == 3
    assert claims[1].addresses == [bob.address] and claims[1].devices == [bob.keys.device]


def test_private_halves_are_kept_thirty_days_after_their_packages():
    world = World(881, "alice")
    (alice,) = world.people
    counts = []
    for days in (27, 30, 2):
        world.wake(days * DAY)
        with alice.unit() as unit:
            counts.append(unit.records.key_packages.count())
    assert counts == [60 + 1 + 100, 60 + 2 + 200, 2 + 200]


# --- A stock that others use up -----------------------------------------------------------------


def test_a_stock_that_is_claimed_is_refilled_on_line_and_the_person_is_told(monkeypatch):
    monkeypatch.setattr(messaging_limits, "MAX_DAILY_CLAIMS", 1_000)
    world = World(7401, "alice", "mallory")
    alice, mallory = world.people
    before = len(stock_of(world, alice))
    for _ in range(before - 40):
        mallory.wire.say(f.ClaimKeyPackages(0, [alice.address]))
        world.settle()
    assert len(stock_of(world, alice)) == limits.KEY_PACKAGE_STOCK
    with alice.vault.transaction() as records:
        assert key_packages.drained(records, alice.now_ms) == 60
        week = 7 * 24 * 3_600_000
        assert key_packages.drained(records, alice.now_ms + week) == 0


def test_a_server_that_says_without_end_that_none_are_left_gets_new_ones_once_an_hour():
    world = World(7402, "alice")
    (alice,) = world.people
    made = []
    for _ in range(20):
        answered = alice.device.receive(f.KeyPackageStock(0), alice.now_ms)
        made += [frame for frame in answered if isinstance(frame, f.PublishKeyPackages)]
    assert len(made) == 1
    world.later(limits.REFILL_SECONDS)
    alice.connect()
    world.settle()
    answered = alice.device.receive(f.KeyPackageStock(0), alice.now_ms)
    assert any(isinstance(frame, f.PublishKeyPackages) for frame in answered)


def test_a_stock_that_is_empty_for_ever_fills_no_disk_and_is_an_alarm(monkeypatch):
    world = World(7404, "alice")
    (alice,) = world.people
    with alice.unit() as unit:
        monkeypatch.setattr(limits, "MAX_KEPT_KEY_PACKAGES", unit.records.key_packages.count() + 90)
    made = []
    for _ in range(4):
        alice.connect()
        world.settle()
        answered = alice.device.receive(f.KeyPackageStock(0), alice.now_ms)
        made += [frame for frame in answered if isinstance(frame, f.PublishKeyPackages)]
        world.later(2 * limits.REFILL_SECONDS)
    assert len(made) == 1 and alice.alarms() == ["overrun"]


def test_a_device_that_claims_too_much_waits_and_says_until_when(monkeypatch):
    monkeypatch.setattr(messaging_limits, "CLAIMS_BURST", 0)
    world = World(7403, "alice", "bob", "carol")
    alice, bob, carol = world.people
    alice.write(bob, "first")
    world.settle()
    number = alice.write(carol, "second")
    world.settle()
    assert bob.received() == ["first"] and not carol.received()
    waiting = alice.outcomes[number]
    assert not waiting.final and "more conversations than the server allows" in waiting.error
    world.later(60)
    alice.tick()
    world.settle()
    assert carol.received() == ["second"] and alice.outcomes[number].error == ""


def stock_of(world, person):
    query = "SELECT id FROM key_package WHERE device = ? AND last_resort = 0"
    return world.database.reading.execute(query, (person.number,)).fetchall()
