"""Doubtful removals, other Commits of past epochs, silence: members have the word (H6, S5, S6)."""

from collections.abc import Callable

from blackthorn.device.account import heal_answers
from blackthorn.device.conversations import key_packages, rejoining
from blackthorn.device.conversations.heal_messages import AnsweredItem, Answers, AskedItem, Question
from blackthorn.device.core.members import indices_of
from blackthorn.device.healing import decisions, notes
from blackthorn.device.healing.states import Event
from blackthorn.mls.group.group import Group
from blackthorn.simulation.device import Person
from blackthorn.simulation.linking import bring_up, revoke
from tests.scenarios.test_device_past import (
    come,
    hide,
    seal_commit,
    show,
    stolen,
    withhold,
)
from tests.support import forks
from tests.support.device_world import World
from tests.support.stranding import epochs, live, members_of, standing, strand

DAY = 24 * 3600


def healing(person: Person) -> notes.Healing:
    with person.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        return notes.of(unit.records, record.id)


def other_commit(
    insider: Person, remove: tuple[Person, ...] = (), group: Group | None = None
) -> Callable[[], bytes]:
    """Seals another Commit of the insider's present epoch, each time in another envelope."""
    world = insider.world
    with insider.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        key = unit.envelope_key(unit.open(record.id))
    group = group or forks.fork(insider, "team")
    leaving = indices_of(group, (), {one.keys.device for one in remove})
    made = group.commit(
        remove=leaving,
        random=world.chance.randbytes,
        now=int(world.now),
        validate=forks.anybody,
    )
    return lambda: key.seal(made.commit, world.chance.randbytes)


# --- H6: a former device removes this one -------------------------------------------------------


def take_no_commit(world: World) -> None:
    """The server keeps Commits to itself from now on."""
    take = world.dispatcher._submission._take

    def drop(session, posting, lists, left_out):
        if posting.order is None:
            take(session, posting, lists, left_out)

    world.dispatcher._submission._take = drop


def removed_by_a_former_device(world: World, *also: Person, silent: bool = False) -> None:
    """Bob's stolen laptop removed Carol, as these have merged while it was Bob's.

    It is revoked; the server withholds from Carol that it was taken out of the group, or keeps that
    silent.
    """
    _, bob, carol, *_ = world.people
    laptop = stolen(world)
    if silent:
        take_no_commit(world)
    forged, _ = seal_commit(laptop, "team", remove=(carol,))
    for person in also:
        world.put_parcel(person, forged)
    world.settle()
    revoke(bob, laptop)
    world.settle()
    hide(world, bob)
    world.publish()
    withhold(world, carol)
    world.put_parcel(carol, forged)
    world.settle()


def test_a_removal_by_a_former_device_holds_once_two_users_say_so() -> None:
    world = World(701, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = world.people
    removed_by_a_former_device(world, alice, bob, dave)
    bring_up(world)
    hide(world, alice, dave)
    world.people.append(carol)
    come(world)
    assert standing(carol) == ["suspect"]
    number = carol.write_group("team", "waits")
    world.settle()
    assert not carol.outcomes[number].final
    assert "a change may be missing" in carol.outcomes[number].error
    show(world, alice, bob, dave)
    live(world, 1500)
    assert standing(carol) == ["removed"]
    assert carol.outcomes[number].final and carol.outcomes[number].error
    assert any("you were removed, say" in line for line in carol.events())
    assert not carol.alarms()


def test_a_removal_that_no_member_has_merged_comes_to_nothing() -> None:
    world = World(702, "alice", "bob", "carol", "dave")
    carol = world.people[2]
    removed_by_a_former_device(world, silent=True)
    world.people.append(carol)
    carol.connect()
    world.settle()
    live(world, 2, 1)
    assert any("removed this device" in line for line in carol.events())
    assert healing(carol).signal == "SAME"
    assert standing(carol) == ["active"]


def test_who_hears_nothing_of_a_removal_for_an_hour_asks_to_be_added_again() -> None:
    world = World(703, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = world.people
    removed_by_a_former_device(world)
    hide(world, alice, dave)
    world.people.append(carol)
    come(world)
    live(world, 3000, 60)
    assert standing(carol) == ["suspect"]
    live(world, 900, 60)
    assert standing(carol) == ["asking"]
    show(world, alice, bob, dave)
    live(world, 3600, 60)
    assert standing(carol) == ["active"] and len(epochs(world, "team")) == 1
    assert "carol@acme.example" in members_of(alice, "team")


def test_who_has_noted_something_vouches_for_nobody_and_calls_nobody_removed() -> None:
    """Else a device that was added again would write to whom a stolen laptop added."""
    world = World(704, "alice", "bob", "carol", "dave", "mallory")
    alice, bob, carol, dave, mallory = world.people
    laptop = stolen(world)
    forged, _ = seal_commit(laptop, "team", add=(mallory,), remove=(dave,))
    revoke(bob, laptop)
    bring_up(world)
    withhold(world, carol)
    world.put_parcel(carol, forged)
    world.settle()
    hide(world, alice, bob, dave, mallory)
    world.people.append(carol)
    carol.connect()
    world.settle()
    nonce = bytes(16)
    with carol.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        conversation = unit.open(record.id)
        group, secret = conversation.group, notes.branch_secret(unit, conversation)
        branch = decisions.branch(group.suite, secret, nonce)
        item = AskedItem(record.id, group.epoch, branch, "TAKEN")
        asked = Question(nonce, [item])

        def answers(person: Person) -> list[tuple[str, bool]]:
            heard = notes.Heard("direct", person.address, person.keys.device, b"", unit.now_ms)
            found = heal_answers.answer(unit, heard, asked)
            return [(one.kind, one.sure) for one in found]

        assert answers(mallory) == [("same", False)]
        assert answers(dave) == []


# --- S6: another Commit of an epoch that is past ------------------------------------------------


def team(seed: int, *names: str) -> World:
    world = World(seed, *names)
    first, *others = world.people
    first.create_group("team", *others)
    first.write_group("team", "hello")
    world.settle()
    live(world, 30)
    return world


def test_S6_another_commit_of_a_past_epoch_is_one_question_and_holds_no_text() -> None:
    world = team(711, "alice", "bob", "carol", "mallory")
    alice, bob, carol, mallory = world.people
    another = other_commit(mallory)
    first, second = another(), another()
    alice.change_group("team", [], [mallory])
    world.settle()
    hide(world, alice, carol)
    world.put_parcel(bob, first)
    world.settle()
    assert standing(bob) == ["suspect"] and not bob.set_aside()
    number = bob.write_group("team", "goes")
    world.settle()
    assert bob.outcomes[number].final and not bob.outcomes[number].error
    show(world, alice, carol)
    live(world, 1500)
    assert standing(bob) == ["active"] and "goes" in alice.received()
    asked = len(healing(bob).questions)
    world.put_parcel(bob, first)
    world.settle()
    assert standing(bob) == ["active"] and len(healing(bob).questions) == asked
    hide(world, alice, carol)
    world.put_parcel(bob, second)
    world.settle()
    assert standing(bob) == ["suspect"]


def test_S6_the_commit_that_was_merged_and_an_own_one_are_no_signal() -> None:
    world = team(712, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = world.people
    sent: list[bytes] = []
    take = world.dispatcher._submission._take

    def spy(session, posting, lists, left_out):
        sent.extend(parcel.sealed for parcel in posting.parcels)
        return take(session, posting, lists, left_out)

    world.dispatcher._submission._take = spy
    alice.change_group("team", [], [dave])
    world.settle()
    with bob.unit() as unit:
        unit.records.parcels.forget_seen_before(unit.now_ms + 1)
    for person in (alice, bob):
        for parcel in sent:
            world.put_parcel(person, parcel)
    world.settle()
    assert standing(alice) == standing(bob) == standing(carol) == ["active"]
    assert not healing(alice).failed and not healing(bob).failed


def test_S6_probes_have_a_count_of_their_own() -> None:
    world = team(713, "alice", "bob", "carol", "mallory")
    alice, bob, _, mallory = world.people
    another = other_commit(mallory)
    alice.change_group("team", [], [mallory])
    world.settle()
    for _ in range(12):
        world.put_parcel(bob, another())
        live(world, 30)
    with bob.unit() as unit:
        used = int.from_bytes(unit.records.settings.get("heal-doubts")[8:], "big")
        assert used == 8
        assert unit.records.settings.get("heal-probes") is None


def test_S6_whom_an_insider_removed_for_themself_alone_comes_back() -> None:
    world = team(714, "alice", "bob", "carol", "dave", "mallory")
    alice, bob, carol, dave, mallory = world.people
    world.put_parcel(dave, other_commit(mallory, (dave,))())
    world.settle()
    assert standing(dave) == ["removed"]
    alice.change_group("team", [], [carol])
    live(world, 3600, 30)
    assert standing(dave) == ["active"] and len(epochs(world, "team")) == 1
    dave.write_group("team", "still here")
    world.settle()
    assert "still here" in bob.received()


def test_S6_whom_all_call_removed_stays_so_and_the_week_ends() -> None:
    world = team(715, "alice", "bob", "carol", "dave", "mallory")
    alice, bob, carol, dave, mallory = world.people
    another = other_commit(mallory)
    alice.change_group("team", [], [dave])
    world.settle()
    hide(world, alice, bob, carol)
    world.put_parcel(dave, another())
    world.settle()
    assert standing(dave) == ["suspect"]
    number = dave.write_group("team", "waits")
    world.settle()
    assert not dave.outcomes[number].final
    show(world, alice, bob, carol)
    live(world, 1500)
    assert standing(dave) == ["removed"] and dave.outcomes[number].final
    world.later(8 * DAY)
    come(world)
    world.put_parcel(dave, another())
    world.settle()
    assert standing(dave) == ["removed"]


# --- S5: nothing comes from anybody -------------------------------------------------------------


def test_S5_two_weeks_of_silence_end_in_a_question() -> None:
    world = team(721, "alice", "bob", "carol")
    alice, bob, carol = world.people
    hide(world, alice, carol)
    for day in range(15):
        assert standing(bob) == ["active"], day
        world.later(DAY)
        come(world)
    assert standing(bob) == ["suspect"] and healing(bob).signal == "SILENT"
    show(world, alice, carol)
    live(world, 1500)
    assert standing(bob) == ["active"]


def test_S5_a_text_of_somebody_else_ends_the_silence() -> None:
    world = team(722, "alice", "bob", "carol")
    alice, bob, carol = world.people
    hide(world, carol)
    for day in range(20):
        if day == 10:
            alice.write_group("team", "still here")
        world.later(DAY)
        if day == 11:
            hide(world, alice)
        come(world)
    assert standing(bob) == ["active"] and healing(bob).signal != "SILENT"


# --- Rejoining, answers -------------------------------------------------------------------------


def be_added_to_a_fork(world: World, epochs_ahead: int) -> None:
    """Dan has missed that Alice removed Carol; an insider takes him to a fork with her."""
    alice, bob, carol, dan = world.people
    alice.create_group("team", bob, carol, dan)
    world.settle()
    strand(world, dan, lambda: alice.change_group("team", [], [carol]))
    alice.write_group("team", "unreadable for dan")
    world.settle()
    for _ in range(200):
        live(world, 15)
        if standing(dan) == ["asking"]:
            break
    group = forks.fork(alice, "team")
    for _ in range(epochs_ahead):
        chance, now = world.chance.randbytes, int(world.now)
        group.commit(random=chance, now=now, validate=forks.anybody)
        group.merge_pending()
    packages = [forks.ordinary_package(dan), forks.ordinary_package(carol)]
    world.put_parcel(dan, forks.welcome(alice, group, [dan], packages))
    world.settle()


def test_F7_a_rejoin_that_nobody_confirms_is_given_up_for_the_group_before_it() -> None:
    """The members of the true group are in an epoch before that of the fork: they are silent."""
    world = World(731, "alice", "bob", "carol", "dan")
    _, bob, carol, dan = world.people
    be_added_to_a_fork(world, 5)
    assert standing(dan) == ["unconfirmed"]
    dan.write_group("team", "not for carol")
    live(world, 52 * 3600, 120)
    assert standing(dan) == ["active"] and len(epochs(world, "team")) == 1
    assert "not for carol" in bob.received() and "not for carol" not in carol.received()


def test_F5_nobody_is_removed_by_answers_that_were_not_asked_for() -> None:
    world = team(732, "alice", "bob", "carol", "dave")
    alice, bob, carol, dave = world.people
    hide(world, alice, carol, dave)
    with bob.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        notes.move(unit, unit.open(record.id), Event.MISSED)
    live(world, 30)
    asked = healing(bob).questions
    assert {one.user for one in asked} <= {alice.address, carol.address, dave.address}
    with bob.unit() as unit:
        said = AnsweredItem(record.id, "removed", 1, by="alice@acme.example")
        for person in (alice, carol, dave):
            heard = notes.Heard("direct", person.address, person.keys.device, b"", unit.now_ms)
            heal_answers.take(unit, heard, Answers(bytes(16), [said]))
            for one in asked:
                if one.user != person.address:
                    heal_answers.take(unit, heard, Answers(one.nonce, [said]))
    live(world, 30)
    assert standing(bob) == ["suspect"] and not healing(bob).replies


def test_a_device_that_is_added_again_by_a_copys_key_package_raises_an_alarm() -> None:
    world = team(733, "alice", "bob", "carol")
    alice, bob, carol = world.people
    nonce = bytes(16)
    with bob.unit() as unit:  # a copy of Bob's folder makes it
        (record,) = unit.records.conversations.named("group", "team")
        package, reference = key_packages.make_bound(unit, rejoining.bound_to(record.id, nonce))
        unit.records.key_packages.remove(reference)
    with alice.unit() as unit:
        wish = notes.Wish(bob.address, bob.keys.device, nonce, package, alice.now_ms)
        notes.change(unit, record.id, wishes=[wish])
    live(world, 300)
    assert bob.alarms() == ["clone"]
    assert not alice.alarms() and not carol.alarms()


def test_F5_who_still_writes_after_a_removal_that_was_lost_is_told_and_asks() -> None:
    world = team(734, "alice", "bob", "carol", "dave")
    alice, bob, _, dave = world.people
    strand(world, dave, lambda: alice.change_group("team", [], [dave]))
    assert standing(dave) == ["active"]
    dave.write_group("team", "nobody told me")
    live(world, 1800)
    assert "nobody told me" in bob.received()
    assert standing(dave) == ["removed"]
    assert any("you were removed, say" in line for line in dave.events())
    assert not any(person.alarms() for person in world.people)


def test_F5_three_users_tell_it_and_not_the_whole_group() -> None:
    world = team(736, "alice", "bob", "carol", "erin", "frank", "dave")
    alice, *others, dave = world.people
    strand(world, dave, lambda: alice.change_group("team", [], [dave]))
    dave.write_group("team", "nobody told me")
    world.settle()
    told = [one for one in (alice, *others) if any(gone.told for gone in healing(one).removals)]
    assert len(told) == 3


def test_F5_what_is_said_unasked_is_a_reason_to_ask_and_no_more() -> None:
    world = team(735, "alice", "bob", "carol", "dave")
    alice, bob, _, _ = world.people
    with bob.unit() as unit:
        (record,) = unit.records.conversations.named("group", "team")
        said = Answers(bytes(16), [AnsweredItem(record.id, "removed", 1, by=alice.address)])
        heard = notes.Heard("direct", alice.address, alice.keys.device, b"", unit.now_ms)
        heal_answers.take(unit, heard, said)
    assert standing(bob) == ["suspect"]
    bob.write_group("team", "goes")
    live(world, 1500)
    assert standing(bob) == ["active"] and "goes" in alice.received()
