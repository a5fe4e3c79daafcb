"""What was tampered with on its way between two implementations is refused, and harms nothing."""

import random

import pytest

from tests.interop.conftest import MakePerson
from tests.interop.drivers import Person, Refused, agree, apply, talk
from tests.interop.test_meetings import pair

SEED = 9420


def forgeries(message: str, count: int) -> list[str]:
    """Copies with one bit turned, cut, or with something after them."""
    print(f"seed {SEED}")
    chosen, octets = random.Random(SEED), bytes.fromhex(message)
    forged = []
    for _ in range(count):
        copy = bytearray(octets)
        copy[chosen.randrange(len(copy))] ^= 1 << chosen.randrange(8)
        forged.append(copy.hex())
    return [*forged, octets[:-1].hex(), octets[: len(octets) // 2].hex(), (octets + b"\0").hex()]


def state_of(person: Person) -> tuple[object, str]:
    """What can be seen of somebody's state."""
    return person.state(), person.exported()


@pytest.fixture
def mine_and_theirs(ours: MakePerson, theirs: MakePerson) -> tuple[Person, Person]:
    """One of ours in a group with one of theirs."""
    return pair((ours, theirs))


def test_forged_messages_are_refused_and_the_true_one_is_read(
    mine_and_theirs: tuple[Person, Person],
) -> None:
    mine, peer = mine_and_theirs
    message = peer.say(b"the true one")
    before = state_of(mine)
    for forged in forgeries(message, 60):
        with pytest.raises(Refused):
            mine.process(forged)
    assert state_of(mine) == before
    assert mine.hear(message) == b"the true one"
    with pytest.raises(Refused):
        mine.process(message)
    talk(mine, peer)


def test_forged_commits_are_refused_and_the_true_one_is_followed(
    mine_and_theirs: tuple[Person, Person],
) -> None:
    mine, peer = mine_and_theirs
    made = peer.update()
    before = state_of(mine)
    for forged in forgeries(made["commit"], 60):
        with pytest.raises(Refused):
            mine.process(forged)
    assert state_of(mine) == before
    apply(peer, made, [mine])
    with pytest.raises(Refused):
        mine.process(made["commit"])
    agree(mine, peer)


def test_the_peer_refuses_what_was_forged_of_ours(
    mine_and_theirs: tuple[Person, Person],
) -> None:
    mine, peer = mine_and_theirs
    message = mine.say(b"the true one")
    for forged in forgeries(message, 20)[:-1]:
        with pytest.raises(Refused):
            peer.process(forged)
    if "failed_decrypt_burns_key" in peer.driver.quirks:
        message = mine.say(b"the true one")
    assert peer.hear(message) == b"the true one"


def test_forged_welcomes_lead_nowhere(ours: MakePerson, theirs: MakePerson) -> None:
    peer, mine = theirs("peer"), ours("mine")
    peer.found()
    made = peer.add(mine)
    (welcome,) = made["welcomes"]
    for forged in forgeries(welcome, 60):
        with pytest.raises(Refused):
            mine.join({"welcomes": [forged]})
    peer.merge()
    mine.join(made)
    agree(mine, peer)
    with pytest.raises(Refused):
        mine.join(made)


def test_forged_key_packages_are_not_added(ours: MakePerson, theirs: MakePerson) -> None:
    mine, peer = ours("mine"), theirs("peer")
    mine.found()
    package = peer.key_package()
    for forged in forgeries(package, 60):
        with pytest.raises(Refused):
            mine.driver.ask("add", group=mine.group, key_packages=[forged])
    made = mine.driver.ask("add", group=mine.group, key_packages=[package])
    mine.merge()
    peer.join(made)
    agree(mine, peer)


def test_of_two_commits_in_one_epoch_one_wins(mine_and_theirs: tuple[Person, Person]) -> None:
    for loser, winner in (mine_and_theirs, mine_and_theirs[::-1]):
        lost, won = loser.update(), winner.update()
        loser.process(won["commit"])
        winner.merge()
        with pytest.raises(Refused):
            winner.process(lost["commit"])
        with pytest.raises(Refused):
            loser.merge()
        agree(loser, winner)
        talk(loser, winner)
