"""The life of groups under seeded random schedules: adds, removes, updates, proposals, PSKs,
joins from outside and resyncs, lost races, late, repeated and forged messages. After every
Commit all members agree; every honest message is read exactly once; every refusal leaves the
state byte-identical, and its rows give the same state back."""

import random

import pytest

from blackthorn.mls.epoch.policy import Policy
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import MLSError, WrongEpoch
from blackthorn.mls.group.group import Commit, Group
from blackthorn.mls.suites import SUITE_1, SUITE_XWING_AES128, SUITE_XWING_AES256
from tests.support import mls_rows, runs
from tests.support.mls_people import NOW, Person, agree, believe, from_outside, verified

OPEN = Policy(join=lambda join: None)


class World:
    """A group, those in it, those who were removed, and messages still under way."""

    def __init__(self, seed: int, suite: int) -> None:
        self.seeded = random.Random(seed)
        self.suite = suite
        self.count = 0
        self.members = [self.newcomer()]
        self.members[0].found()
        self.removed: list[Person] = []
        self.late: list[tuple[bytes, bytes, list[Person]]] = []

    def newcomer(self) -> Person:
        self.count += 1
        return Person(f"person {self.count}", self.seeded, self.suite)

    def pick(self) -> Person:
        return self.seeded.choice(self.members)

    def others(self, person: Person) -> list[Person]:
        return [each for each in self.members if each is not person]

    # --- What can happen ---

    def talk(self) -> None:
        sender = self.pick()
        text = b"text %d" % self.seeded.randrange(10**9)
        message = sender.say(text)
        readers = self.others(sender)
        self.seeded.shuffle(readers)
        keep = self.seeded.randrange(len(readers) + 1)
        for reader in readers[:keep]:
            self.deliver(reader, message, text)
        if readers[keep:]:
            self.late.append((message, text, readers[keep:]))

    def deliver(self, reader: Person, message: bytes, text: bytes) -> None:
        if self.seeded.random() < 0.2:
            forged = bytearray(message)
            forged[self.seeded.randrange(len(message))] ^= 1 << self.seeded.randrange(8)
            self.refused(reader, bytes(forged))
        assert reader.hear(message) == text
        if self.seeded.random() < 0.2:
            self.refused(reader, message)

    def refused(self, reader: Person, message: bytes) -> None:
        before = reader.at.serialise()
        with pytest.raises(MLSError):
            reader.read(message)
        assert reader.at.serialise() == before

    def catch_up(self) -> None:
        self.seeded.shuffle(self.late)
        for message, text, readers in self.late:
            for reader in readers:
                if reader in self.members:
                    self.deliver(reader, message, text)
        self.late.clear()

    def propose(self) -> None:
        proposer = self.pick()
        what = self.seeded.randrange(3)
        if what == 0:
            proposal = proposer.at.propose_update(random=proposer.random)
        elif what == 1 and len(self.members) > 2:
            index = self.seeded.choice(self.others(proposer)).at.own_index
            proposal = proposer.at.propose_remove(index, random=proposer.random)
        else:
            package = verified(self.newcomer().key_package()[0])
            proposal = proposer.at.propose_add(package, random=proposer.random)
        for other in self.others(proposer):
            other.read(proposal)
            if self.seeded.random() < 0.2:
                self.refused(other, proposal)

    def commit(self) -> None:
        if self.seeded.random() < 0.7:
            self.catch_up()
        else:
            self.late.clear()
        committer = self.pick()
        joiners = [self.newcomer() for _ in range(self.seeded.choice((0, 0, 1, 1, 3)))]
        packages = [joiner.key_package() for joiner in joiners]
        remove = []
        if len(self.members) > 2 and self.seeded.random() < 0.4:
            remove = [self.seeded.choice(self.others(committer)).at.own_index]
        made = committer.at.commit(
            add=[verified(message) for message, _ in packages],
            remove=remove,
            psk_ids=[(committer.at.group_id, committer.at.epoch)] if not joiners else [],
            random=committer.random,
            now=NOW,
            validate=believe,
        )
        self.lose_a_race(committer, made)
        for joiner, (_, private) in zip(joiners, packages, strict=True):
            assert made.welcome is not None
            joiner.join(made.welcome, private)
        self.members += joiners
        agree(*self.members)

    def come_from_outside(self) -> None:
        """Somebody new joins by a GroupInfo, or a member replaces its own leaf by one."""
        host = self.pick()
        again = len(self.members) > 1 and self.seeded.random() < 0.4
        joiner = self.seeded.choice(self.others(host)) if again else self.newcomer()
        stayers = [person for person in self.members if person is not joiner]
        psks = [(host.at.group_id, host.at.epoch)] if self.seeded.random() < 0.5 else []
        group, commit = from_outside(
            joiner,
            host.at.group_info(),
            resync=again,
            psk_ids=psks,
            resumption_psks={name: host.at.resumption_psk() for name in psks},
        )
        self.late.clear()
        for person in stayers:
            self.refused(person, commit)  # by the policy that lets nobody in
            if self.seeded.random() < 0.3:
                forged = bytearray(commit)
                forged[self.seeded.randrange(len(commit))] ^= 1 << self.seeded.randrange(8)
                before = person.at.serialise()
                with pytest.raises(MLSError):
                    person.at.process(bytes(forged), validate=believe, policy=OPEN)
                assert person.at.serialise() == before
            staged = person.at.process(commit, validate=believe, policy=OPEN)
            assert isinstance(staged, StagedCommit)
            assert staged.joins
            person.at.merge(staged)
        joiner.group = group
        self.members = [*stayers, joiner]
        agree(*self.members)

    def lose_a_race(self, committer: Person, made: Commit) -> None:
        """Others may have committed too; the server lets the first one through."""
        for rival in self.others(committer):
            if self.seeded.random() < 0.1:
                rival.at.commit(random=rival.random, now=NOW, validate=believe)
        for other in self.others(committer):
            if self.seeded.random() < 0.1:
                other.group = Group.deserialise(other.at.serialise())
            staged = other.follow(made.commit)
            if staged.removes_me:
                self.members.remove(other)
                self.removed.append(other)
        committer.at.merge_pending()
        message = committer.say(b"not for the removed")
        for person in self.removed:
            with pytest.raises(WrongEpoch):
                person.read(message)

    def live(self, steps: int) -> None:
        actions = [
            self.talk,
            self.talk,
            self.talk,
            self.propose,
            self.commit,
            self.come_from_outside,
        ]
        for _ in range(steps):
            self.seeded.choice(actions)()
            for person in self.members:
                if self.seeded.random() < 0.5:
                    group = mls_rows.again(person)
                    if self.seeded.random() < 0.3:
                        person.group, person.rows = group, (group, mls_rows.stored(person))
        self.catch_up()
        for person in self.members:
            stored = person.at.serialise()
            assert Group.deserialise(stored).serialise() == stored


@pytest.mark.parametrize(
    ("suite", "worlds"), [(SUITE_1, 25), (SUITE_XWING_AES256, 6), (SUITE_XWING_AES128, 3), (4, 2)]
)
def test_group_life(suite: int, worlds: int) -> None:
    first = runs.seed()
    for seed in range(first, first + worlds):
        print(f"seed {seed} suite {suite:#06x}")
        World(seed, suite).live(40)
