"""People for tests of MLS: seeded keys, key packages, and groups that talk."""

import random
from collections.abc import Iterable
from typing import Any

from blackthorn.mls.credential import BasicCredential
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.framing.key_package import (
    KeyPackagePrivate,
    VerifiedKeyPackage,
    create_key_package,
    parse_key_package,
)
from blackthorn.mls.group.group import Application, Group, ProposalReceived
from blackthorn.mls.suites import SUITE_1, suite

NOW = 1_800_000_000


def believe(*_: object) -> None:
    """Accepts everybody."""


class Person:
    """Somebody with keys, and perhaps a group."""

    def __init__(self, name: str, seeded: random.Random, suite_number: int = SUITE_1) -> None:
        self.name = name
        self.random = seeded.randbytes
        self.suite = suite(suite_number)
        self.credential = BasicCredential(name.encode())
        self.private, self.public = self.suite.generate_signature_key(self.random)
        self.group: Group | None = None
        self.rows: tuple[Group, Any] | None = None
        """The group of which `mls_rows.stored` has rows, and these."""

    @property
    def at(self) -> Group:
        """The group this person is in."""
        assert self.group is not None
        return self.group

    def key_package(self, **options: object) -> tuple[bytes, KeyPackagePrivate]:
        """A new key package."""
        return create_key_package(
            self.suite,
            self.credential,
            self.private,
            self.public,
            random=self.random,
            now=NOW,
            **options,  # type: ignore[arg-type]
        )

    def found(self, group_id: bytes = b"group", **options: object) -> Group:
        """Create a group."""
        self.group = Group.create(
            self.suite,
            group_id,
            self.credential,
            self.private,
            self.public,
            random=self.random,
            now=NOW,
            **options,  # type: ignore[arg-type]
        )
        return self.group

    def join(self, welcome: bytes, private: KeyPackagePrivate) -> Group:
        """Join a group."""
        self.group = Group.join(welcome, private, self.private, validate=believe)
        return self.group

    def say(self, text: bytes) -> bytes:
        """An application message."""
        return self.at.encrypt(text, random=self.random)

    def read(self, message: bytes) -> Application | ProposalReceived | StagedCommit:
        """Whatever the message is."""
        return self.at.process(message, validate=believe)

    def hear(self, message: bytes) -> bytes:
        """The content of an application message."""
        outcome = self.read(message)
        assert isinstance(outcome, Application)
        return outcome.content

    def follow(self, message: bytes) -> StagedCommit:
        """Merge a Commit."""
        outcome = self.read(message)
        assert isinstance(outcome, StagedCommit)
        self.at.merge(outcome)
        return outcome


def verified(message: bytes) -> VerifiedKeyPackage:
    """A key package, verified."""
    return parse_key_package(message, now=NOW, validate=believe)


def people(names: Iterable[str], seed: int, suite_number: int = SUITE_1) -> list[Person]:
    """Several people, from one seed, which is printed."""
    print(f"seed {seed}")
    seeded = random.Random(seed)
    return [Person(name, seeded, suite_number) for name in names]


def add(committer: Person, joiners: list[Person], others: Iterable[Person] = ()) -> bytes:
    """Add people by one Commit, which the others follow; the Commit."""
    packages = [joiner.key_package() for joiner in joiners]
    made = committer.at.commit(
        add=[verified(message) for message, _ in packages],
        random=committer.random,
        now=NOW,
        validate=believe,
    )
    for other in others:
        other.follow(made.commit)
    committer.at.merge_pending()
    assert made.welcome is not None
    for joiner, (_, private) in zip(joiners, packages, strict=True):
        joiner.join(made.welcome, private)
    return made.commit


def from_outside(joiner: Person, info: bytes, **options: object) -> tuple[Group, bytes]:
    """The group as the joiner has it after an external Commit, and the Commit."""
    return Group.join_externally(
        info,
        joiner.credential,
        joiner.private,
        joiner.public,
        random=joiner.random,
        now=NOW,
        **{"validate": believe, **options},  # type: ignore[arg-type]
    )


def enter(joiner: Person, info: bytes, **options: object) -> bytes:
    """Join from outside; the Commit."""
    joiner.group, commit = from_outside(joiner, info, **options)
    return commit


def group_of(names: Iterable[str], seed: int, suite_number: int = SUITE_1) -> list[Person]:
    """People in one group, founded by the first."""
    everybody = people(names, seed, suite_number)
    everybody[0].found()
    if everybody[1:]:
        add(everybody[0], everybody[1:])
    return everybody


def agree(*everybody: Person) -> None:
    """All are in the same epoch with the same secrets and members."""
    first = everybody[0].at
    for person in everybody[1:]:
        assert person.at.epoch == first.epoch
        assert person.at.epoch_authenticator == first.epoch_authenticator
        assert person.at.members == first.members
