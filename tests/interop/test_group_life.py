"""A long common life: people of both kinds, any of them committing, agreement after each step."""

import random
from typing import Any

from tests.interop.conftest import MakePerson
from tests.interop.drivers import Person, Refused, agree, apply, talk

SEED = 20_261_124
STEPS = 24
MOST = 9


class Life:
    """A group that changes."""

    def __init__(self, ours: MakePerson, theirs: MakePerson) -> None:
        print(f"seed {SEED}")
        self.chosen = random.Random(SEED)
        self.turned_away = 0
        self.kinds = (ours, theirs)
        self.people = [ours("founder")]
        self.people[0].found()
        self.add(self.people[0], [theirs("a"), ours("b"), theirs("c")])

    def others(self, person: Person) -> list[Person]:
        """Everybody else."""
        return [each for each in self.people if each is not person]

    def add(self, committer: Person, newcomers: list[Person]) -> None:
        """Bring people in."""
        made = committer.add(*newcomers)
        apply(committer, made, self.others(committer))
        self.welcome(committer, made, newcomers)

    def welcome(self, committer: Person, made: dict[str, Any], newcomers: list[Person]) -> None:
        """Let people join; whose library refuses a sound tree is removed again."""
        refusing = []
        for newcomer in newcomers:
            try:
                newcomer.join(made)
                self.people.append(newcomer)
            except Refused as refusal:
                assert "refuses_unmerged_leaves" in newcomer.driver.quirks
                assert "unmerged_leaves" in str(refusal)
                refusing.append(newcomer)
        if refusing:
            self.turned_away += len(refusing)
            apply(committer, committer.remove(*refusing), self.others(committer))

    def step(self) -> None:
        """Somebody does something."""
        committer = self.chosen.choice(self.people)
        newcomers = [
            self.chosen.choice(self.kinds)(str(n)) for n in range(self.chosen.randint(1, 3))
        ]
        leavers = self.chosen.sample(self.others(committer), self.chosen.randint(1, 2))
        action = self.chosen.choice(["add", "remove", "update", "propose"])
        if action in ("add", "propose") and len(self.people) + len(newcomers) > MOST:
            action = "remove"
        if action in ("remove", "propose") and len(self.people) < 5:
            action = "add"
        if action == "add":
            self.add(committer, newcomers)
        elif action == "update":
            apply(committer, committer.update(), self.others(committer))
        else:
            self.change(committer, newcomers if action == "propose" else [], leavers)

    def change(self, committer: Person, newcomers: list[Person], leavers: list[Person]) -> None:
        """Remove people by value; or by reference, and add others in the same Commit."""
        if newcomers:
            proposals = [*committer.propose_add(*newcomers), *committer.propose_remove(*leavers)]
            for proposal in proposals:
                for each in self.others(committer):
                    each.process(proposal)
            made = committer.commit()
        else:
            made = committer.remove(*leavers)
        for leaver in leavers:
            assert leaver.process(made["commit"])["removed"] is True
            self.people.remove(leaver)
        apply(committer, made, self.others(committer))
        if newcomers:
            self.welcome(committer, made, newcomers)


def test_random_lives_agree(ours: MakePerson, theirs: MakePerson) -> None:
    life = Life(ours, theirs)
    for step in range(STEPS):
        life.step()
        agree(*life.people)
        if step % 4 == 0:
            talk(*life.people)
    print(f"{life.turned_away} of the peer's people were turned away by their own library")
