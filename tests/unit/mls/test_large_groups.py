"""A thousand devices under X-Wing: it works, and what travels fits the link's bounds."""

from blackthorn.link import limits
from blackthorn.mls.group.group import Group
from blackthorn.mls.suites import SUITE_XWING_AES256
from tests.support.mls_people import NOW, Person, agree, believe, people, verified


def commit(person: Person, *others: Person, remove: tuple[int, ...] = ()) -> bytes:
    made = person.at.commit(remove=remove, random=person.random, now=NOW, validate=believe)
    for other in others:
        other.follow(made.commit)
    person.at.merge_pending()
    return made.commit


def test_a_thousand_members() -> None:
    founder, *joiners = people([f"device {n}" for n in range(1000)], 1, SUITE_XWING_AES256)
    founder.found()
    packages = [joiner.key_package() for joiner in joiners]
    made = founder.at.commit(
        add=[verified(message) for message, _ in packages],
        random=founder.random,
        now=NOW,
        validate=believe,
    )
    assert made.welcome is not None
    assert len(made.commit) <= limits.MAX_PARCEL_BYTES
    assert len(made.welcome) <= limits.MAX_PARCEL_BYTES
    assert len(made.commit) + len(made.welcome) <= limits.MAX_FRAME_BYTES
    founder.at.merge_pending()
    here = [founder]
    for index in (0, 499, 998):
        joiners[index].join(made.welcome, packages[index][1])
        here.append(joiners[index])
    agree(*here)
    first = commit(here[1], here[0], here[2], here[3])
    second = commit(here[2], here[0], here[1], here[3])
    assert len(second) < len(first) <= limits.MAX_PARCEL_BYTES
    commit(here[0], here[1], here[2], here[3], remove=(700, 701, 3))
    agree(*here)
    assert len(here[0].at.members) == 997
    stored = here[3].at.serialise()
    here[3].group = Group.deserialise(stored)
    assert here[3].at.serialise() == stored
    assert here[3].hear(here[0].say(b"to a thousand")) == b"to a thousand"
