"""Two implementations in one group, each in either part: RFC 9420 as others have read it."""

import pytest

from tests.interop.conftest import MakePerson, only_mls_rs, only_ts_mls
from tests.interop.drivers import Person, Refused, agree, apply, bring_in, talk

Both = tuple[MakePerson, MakePerson]


def pair(both: Both) -> tuple[Person, Person]:
    """Two people in a group that the first founded."""
    first, second = both[0]("first"), both[1]("second")
    first.found()
    bring_in(first, [second])
    return first, second


def test_create_add_join_and_talk(both: Both) -> None:
    first, second = pair(both)
    agree(first, second)
    talk(first, second)
    talk(second, first)


def test_updates_are_followed(both: Both) -> None:
    first, second = pair(both)
    for committer, other in ((first, second), (second, first)) * 2:
        apply(committer, committer.update(), [other])
        agree(first, second)
        talk(first, second)


def test_three_are_added_at_once_and_one_removed(both: Both) -> None:
    first, second, third, fourth = both[0]("1"), both[1]("2"), both[0]("3"), both[1]("4")
    everybody = [first, second, third, fourth]
    first.found()
    bring_in(first, everybody[1:])
    agree(*everybody)
    talk(*everybody)
    for committer, removed in ((first, fourth), (second, third)):
        made = committer.remove(removed)
        assert removed.process(made["commit"])["removed"] is True
        everybody.remove(removed)
        others = [each for each in everybody if each is not committer]
        apply(committer, made, others)
        agree(*everybody)
        message = committer.say(b"without you")
        with pytest.raises(Refused):
            removed.process(message)
        assert others[0].hear(message) == b"without you"


def test_somebody_is_removed_and_comes_back(both: Both) -> None:
    first, second = pair(both)
    third = both[1]("third")
    bring_in(first, [third], [second])
    apply(first, first.remove(third), [second])
    bring_in(first, [third], [second])
    agree(first, second, third)
    talk(first, second, third)


def test_proposals_are_committed_by_another(both: Both) -> None:
    first, second = pair(both)
    third = both[1]("third")
    for proposal in second.propose_add(third):
        assert first.process(proposal)["kind"] == "proposal"
    made = first.commit()
    apply(first, made, [second])
    third.join(made)
    agree(first, second, third)
    for proposal in first.propose_remove(third):
        for each in (second, third):
            each.process(proposal)
    made = second.commit()
    assert third.process(made["commit"])["removed"] is True
    apply(second, made, [first])
    agree(first, second)


def test_messages_come_in_any_order(both: Both) -> None:
    for speaker, listener in (pair(both), pair(both)[::-1]):
        texts = [f"number {number}".encode() for number in range(9)]
        messages = [speaker.say(text) for text in texts]
        for number in (8, 0, 5, 1, 7, 6, 2, 4, 3):
            assert listener.hear(messages[number]) == texts[number]


def test_messages_of_the_last_epoch_come_late(both: Both) -> None:
    first, second = pair(both)
    late = {first: first.say(b"late"), second: second.say(b"late")}
    apply(first, first.update(), [second])
    assert second.hear(late[first]) == b"late"
    assert first.hear(late[second]) == b"late"
    talk(first, second)


def test_a_tree_that_the_peer_grew_alone_is_sound(ours: MakePerson, theirs: MakePerson) -> None:
    peers = [theirs(str(number)) for number in range(7)]
    peers[0].found()
    bring_in(peers[0], peers[1:5])
    apply(peers[3], peers[3].update(), [peers[0], *peers[1:3], peers[4]])
    bring_in(peers[1], peers[5:], [peers[0], *peers[2:5]])
    apply(peers[2], peers[2].remove(peers[1]), [peers[0], *peers[3:]])
    del peers[1]
    mine = ours("mine")
    bring_in(peers[1], [mine], [peers[0], *peers[2:]])
    agree(mine, *peers)
    talk(mine, *peers)
    apply(mine, mine.remove(peers[-1]), peers[:-1])
    agree(mine, *peers[:-1])


@only_mls_rs
def test_a_commit_in_public_is_refused_if_told_so(closed: MakePerson, theirs: MakePerson) -> None:
    mine, peer = pair((closed, theirs))
    before, secret = mine.state(), mine.exported()
    made = peer.update()
    with pytest.raises(Refused, match="private"):
        mine.process(made["commit"])
    assert (mine.state(), mine.exported()) == (before, secret)


@only_ts_mls
def test_a_pre_shared_key_is_mixed_in(both: Both) -> None:
    first, second = pair(both)
    for committer, other in ((first, second), (second, first)):
        for person in (committer, other):
            person.driver.ask("add_psk", group=person.group, psk_id="aabb", psk="17" * 32)
        apply(committer, committer.commit(psk_ids=["aabb"]), [other])
        agree(first, second)


@only_ts_mls
def test_a_wrong_pre_shared_key_is_noticed(both: Both) -> None:
    first, second = pair(both)
    for person, psk in ((first, "17" * 32), (second, "18" * 32)):
        person.driver.ask("add_psk", group=person.group, psk_id="aabb", psk=psk)
    made = first.commit(psk_ids=["aabb"])
    with pytest.raises(Refused):
        second.process(made["commit"])


@only_ts_mls
@pytest.mark.parametrize("resync", [False, True], ids=["new", "resync"])
def test_somebody_joins_from_outside(both: Both, resync: bool) -> None:
    first, second = pair(both)
    comer = second if resync else both[1]("third")
    info = first.driver.ask("group_info", group=first.group)["group_info"]
    came = comer.driver.ask("external_join", client=comer.name, group_info=info, resync=resync)
    others = [first] if resync else [first, second]
    for other in others:
        assert other.process(came["commit"])["kind"] == "commit"
    comer.group = came["group"]
    agree(comer, *others)
    talk(comer, *others)
