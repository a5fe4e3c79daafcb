"""What is noted of a conversation's members, and what ends it (H1, H3, H4), on symbols."""

from blackthorn.device.conversations.judging import Change, Notes, judge
from blackthorn.device.conversations.limits import MAX_NOTED_COMMITS
from blackthorn.device.core.members import Identity
from blackthorn.ids import Address, DeviceId


def device(name: str) -> Identity:
    """ "bob2" is Bob's second device."""
    return Identity(Address(name.rstrip("0123456789")), DeviceId(name.encode().ljust(16)))


BASE = [device(name) for name in ("alice", "bob", "bob2", "carol")]


class Ledger:
    """Who is live, and when each user was looked up last."""

    def __init__(self, *live: str) -> None:
        self.live = {device(name) for name in live}
        self.looked: dict[str, int] = {}

    def look(self, moment: int, *users: str) -> "Ledger":
        self.looked |= dict.fromkeys(users, moment)
        return self

    def __call__(self, identity: Identity, moment: int) -> bool | None:
        if self.looked.get(identity.address, 0) <= moment:
            return None
        return identity in self.live


def names(identities: list[Identity]) -> list[str]:
    return [one.device.decode().strip() for one in identities]


def added(who: str, *new: str, epoch: int = 2, moment: int = 1) -> Change:
    return Change(epoch, moment, [device(who)], [device(name) for name in new], [])


def removed(who: str, *gone: str, epoch: int = 2, moment: int = 1) -> Change:
    return Change(epoch, moment, [device(who)], [], [device(name) for name in gone])


def tree(*names_of_more: str, without: tuple[str, ...] = ()) -> list[Identity]:
    out = {device(name) for name in without}
    return [one for one in [*BASE, *map(device, names_of_more)] if one not in out]


def test_a_change_is_noted_until_a_lookup_after_the_reading_shows_its_committer_live() -> None:
    notes = Notes().with_change(added("bob", "mallory"))
    ledger = Ledger("bob", "mallory").look(1, "bob", "mallory")
    found = judge(notes, tree("mallory"), ledger)
    assert names(found.out) == ["mallory"] and found.ask == {"bob": 1, "mallory": 1}
    found = judge(notes, tree("mallory"), ledger.look(2, "bob", "mallory"))
    assert found.notes == Notes() and not found.noted and not found.out


def test_a_leaf_is_ended_by_its_own_lookup_alone() -> None:
    notes = Notes().with_change(added("bob", "alice2")).with_heard(device("carol"), 2, 1)
    ledger = Ledger("bob", "carol").look(2, "bob", "carol", "alice")
    found = judge(notes, tree("alice2"), ledger)
    assert not found.notes.changes and names(found.unlisted) == names(found.out) == ["alice2"]
    ledger.live.add(device("alice2"))
    assert not judge(found.notes, tree("alice2"), ledger).noted


def test_a_leaf_that_comes_again_waits_for_a_lookup_of_its_own() -> None:
    notes = Notes().with_change(added("bob", "mallory"))
    notes = notes.with_change(removed("bob", "mallory", epoch=3, moment=2))
    notes = notes.with_change(added("bob", "mallory", epoch=4, moment=3))
    ledger = Ledger("bob", "mallory").look(2, "mallory").look(9, "bob")
    assert names(judge(notes, tree("mallory"), ledger).out) == ["mallory"]


def test_the_accomplice_of_a_former_device_confirms_nothing() -> None:
    notes = Notes().with_change(added("bob", "mallory"))
    notes = notes.with_heard(device("mallory"), 2, 2)
    notes = notes.with_change(added("mallory", "eve", epoch=3, moment=2))
    notes = notes.with_heard(device("eve"), 3, 2)
    ledger = Ledger("mallory", "eve", "alice").look(9, "bob", "mallory", "eve", "alice")
    found = judge(notes, tree("mallory", "eve"), ledger)
    assert names(found.out) == ["eve", "mallory"] and not found.confirmed


def test_a_member_of_before_confirms_by_a_message_that_a_later_lookup_shows_live() -> None:
    """Test 7: neither a lookup before the message nor a message before the Commit confirms."""
    notes = Notes().with_change(added("bob", "mallory", epoch=2))
    ledger = Ledger("alice", "mallory").look(5, "bob", "mallory", "alice")
    early = notes.with_heard(device("alice"), 1, 2)
    assert names(judge(early, tree("mallory"), ledger).out) == ["mallory"]
    later = notes.with_heard(device("alice"), 2, 5)
    assert judge(later, tree("mallory"), ledger).ask == {"alice": 5}
    found = judge(later, tree("mallory"), ledger.look(6, "alice"))
    assert not found.noted and [who for _, who in found.confirmed] == [device("alice")]


def test_a_former_member_of_before_confirms_nothing() -> None:
    notes = Notes().with_change(added("bob", "mallory")).with_heard(device("alice"), 2, 2)
    found = judge(notes, tree("mallory"), Ledger("mallory").look(9, "bob", "mallory", "alice"))
    assert names(found.out) == ["mallory"]


def test_the_committer_of_what_is_noted_confirms_nothing() -> None:
    notes = Notes().with_change(added("bob", "mallory")).with_heard(device("bob"), 2, 2)
    found = judge(notes, tree("mallory"), Ledger("mallory").look(9, "bob", "mallory"))
    assert names(found.out) == ["mallory"]


def test_a_commit_confirms_those_before_it_and_is_judged_itself() -> None:
    notes = Notes().with_change(added("bob", "mallory"))
    notes = notes.with_heard(device("alice"), 2, 2)
    notes = notes.with_change(added("alice", "eve", epoch=3, moment=2))
    users = ("alice", "bob", "mallory", "eve")
    found = judge(notes, tree("mallory", "eve"), Ledger("alice", "mallory", "eve").look(9, *users))
    assert not found.noted and len(found.confirmed) == 1


def test_the_owners_new_device_is_not_noted_and_a_strangers_is() -> None:
    change = added("bob", "bob3", "mallory")
    ledger = Ledger("bob3", "mallory").look(9, "bob", "mallory")
    found = judge(Notes().with_change(change), tree("bob3", "mallory"), ledger)
    assert names(found.out) == ["mallory"]
    found = judge(Notes().with_change(added("bob", "bob3")), tree("bob3"), ledger)
    assert not found.noted


def test_live_devices_come_back_and_users_who_were_removed_wholly_do_not() -> None:
    change = removed("bob", "bob2", "carol")
    ledger = Ledger("bob2", "carol", "alice").look(9, "bob", "carol")
    found = judge(Notes().with_change(change), tree(without=("bob2", "carol")), ledger)
    assert names(found.back) == ["bob2"] and found.lost == ["carol"] and not found.out


def test_the_removal_of_a_former_device_is_nothing_to_note() -> None:
    ledger = Ledger("alice").look(9, "bob", "carol")
    found = judge(Notes().with_change(removed("bob", "carol")), tree(without=("carol",)), ledger)
    assert not found.noted


def test_more_commits_than_are_kept_are_judged_as_one() -> None:
    notes = Notes()
    for number in range(MAX_NOTED_COMMITS + 3):
        who = "alice" if number % 2 else "bob"
        notes = notes.with_change(added(who, f"mallory{number}", epoch=number, moment=number))
    new = [f"mallory{number}" for number in range(MAX_NOTED_COMMITS + 3)]
    assert len(notes.changes) == MAX_NOTED_COMMITS
    users = ("alice", "bob", "mallory")
    ledger = Ledger("alice", *new).look(99, *users)
    assert len(judge(notes, tree(*new), ledger).out) == len(new)
    last = notes.changes[-1]
    assert set(last.committers) == {device("alice"), device("bob")}
    live = Ledger("alice", "bob", *new).look(99, *users)
    assert not judge(notes, tree(*new), live).noted


def test_a_former_inviter_is_vouched_for_by_another_device_of_its_user_only() -> None:
    notes = Notes(inviter=device("bob")).with_heard(device("mallory"), 5, 1)
    ledger = Ledger("mallory", "bob2").look(9, "mallory", "bob")
    assert judge(notes, BASE, ledger).notes.inviter == device("bob")
    notes = notes.with_heard(device("bob2"), 5, 9)
    assert judge(notes, BASE, ledger).notes.inviter == device("bob")
    assert judge(notes, BASE, ledger.look(10, "bob")).notes == Notes()


def test_who_was_dismissed_and_is_brought_back_is_no_member_who_stayed() -> None:
    """Bob's phone dismissed Carol and was rotated; a revoked device of Alice's adds her again."""
    ledger = Ledger("alice", "carol").look(9, "alice", "bob", "carol")
    notes = Notes().with_change(removed("bob", "carol"))
    notes = notes.with_change(added("bob2", "carol", epoch=3))
    found = judge(notes, tree(), ledger)
    assert found.noted and names(found.out) == ["carol"]


def test_nobody_confirms_what_concerns_them() -> None:
    ledger = Ledger("alice", "carol").look(9, "alice", "bob", "carol")
    notes = Notes().with_change(removed("bob", "carol"))
    notes = notes.with_change(added("bob2", "carol", epoch=3))
    found = judge(notes.with_heard(device("carol"), 3, 2), tree(), ledger)
    assert found.noted and not found.confirmed
    found = judge(notes.with_heard(device("alice"), 3, 2), tree(), ledger)
    assert not found.noted and found.confirmed
