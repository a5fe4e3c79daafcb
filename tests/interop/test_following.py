"""Groups that follow a group, resumption PSKs and proposals to be added, with ts-mls on suite 1.

Our side is the library itself: the driver's protocol has no commands for these.
"""

import itertools
import secrets
import time
from collections.abc import Iterator

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.credential import BasicCredential
from blackthorn.mls.epoch.policy import ExternalJoin, Outsider, Policy
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.framing.external_proposing import propose_to_be_added
from blackthorn.mls.framing.key_package import (
    KeyPackagePrivate,
    VerifiedKeyPackage,
    create_key_package,
    parse_key_package,
)
from blackthorn.mls.framing.proposals import Proposal, ReInit
from blackthorn.mls.group.group import Group
from blackthorn.mls.successors import Identity, branch, reinitialise
from blackthorn.mls.suites import SUITE_1, suite
from tests.interop.drivers import Driver

RANDOM = secrets.token_bytes
_names = itertools.count()


def believe(*_: object) -> None:
    """Accepts everybody."""


def allow(*asked: ExternalJoin | Outsider | Proposal) -> None:
    """Allows everything."""


OPEN = Policy(join=allow, propose=allow, reinitialise=allow, public_handshakes=True)


def now() -> int:
    return int(time.time())


class Ours:
    """Somebody of ours, and the group at hand."""

    def __init__(self, name: str) -> None:
        self.suite = suite(SUITE_1)
        self.credential = BasicCredential(name.encode())
        self.private, self.public = self.suite.generate_signature_key(RANDOM)
        self.group = Group.create(
            self.suite,
            RANDOM(16),
            self.credential,
            self.private,
            self.public,
            random=RANDOM,
            now=now(),
        )

    def key_package(self) -> tuple[bytes, KeyPackagePrivate]:
        return create_key_package(
            self.suite, self.credential, self.private, self.public, random=RANDOM, now=now()
        )

    def commit(self, *add: VerifiedKeyPackage, **options: object) -> tuple[str, str]:
        """A merged Commit, and its Welcome or nothing."""
        made = self.group.commit(
            add=add,
            random=RANDOM,
            now=now(),
            validate=believe,
            **options,  # type: ignore[arg-type]
        )
        self.group.merge_pending()
        return made.commit.hex(), "" if made.welcome is None else made.welcome.hex()

    def process(self, message: str) -> None:
        outcome = self.group.process(bytes.fromhex(message), validate=believe, policy=OPEN)
        if isinstance(outcome, StagedCommit):
            self.group.merge(outcome)

    def join(self, begun: dict[str, str], private: KeyPackagePrivate, old: Group | None) -> None:
        tree = begun.get("ratchet_tree")
        self.group = Group.join(
            bytes.fromhex(begun["welcome"]),
            private,
            self.private,
            validate=believe,
            ratchet_tree=None if tree is None else bytes.fromhex(tree),
            predecessor=old,
        )


class Theirs:
    """Somebody of ts-mls's, and the group at hand."""

    def __init__(self, driver: Driver, name: str) -> None:
        self.driver, self.client, self.group = driver, f"{name}-{next(_names)}", ""
        driver.ask("new_client", client=self.client, identity=name.encode().hex(), suite=SUITE_1)

    def ask(self, command: str, **fields: object) -> dict[str, str]:
        return self.driver.ask(command, group=self.group, **fields)

    def key_package(self) -> VerifiedKeyPackage:
        message = self.driver.ask("key_package", client=self.client)["key_package"]
        return parse_key_package(bytes.fromhex(message), now=now(), validate=believe)

    def join(self, welcome: str, command: str = "join") -> None:
        fields = {"client": self.client} if command == "join" else {"group": self.group}
        self.group = self.driver.ask(command, welcome=welcome, **fields)["group"]


def agree(ours: Ours, *theirs: Theirs) -> None:
    for each in theirs:
        state = each.ask("state")
        assert state["epoch_authenticator"] == ours.group.epoch_authenticator.hex()


@pytest.fixture
def pair(drivers: dict[str, Driver]) -> Iterator[tuple[Ours, Theirs]]:
    """Alice of ours and Bob of theirs, in one group."""
    alice, bob = Ours("alice"), Theirs(drivers["ts-mls"], "bob")
    bob.join(alice.commit(bob.key_package())[1])
    agree(alice, bob)
    yield alice, bob


def test_they_reinitialise(pair: tuple[Ours, Theirs]) -> None:
    alice, bob = pair
    alice.process(bob.ask("reinit", new_group_id="aabb")["commit"])
    assert alice.group.reinit == ReInit(b"\xaa\xbb", 1, SUITE_1, ())
    agree(alice, bob)
    message, private = alice.key_package()
    begun = bob.ask("reinit_new", new_group_id="aabb", key_packages=[message.hex()])
    bob.group = begun["group"]
    alice.join(begun, private, alice.group)
    agree(alice, bob)


def test_we_reinitialise(pair: tuple[Ours, Theirs]) -> None:
    alice, bob = pair
    commit, _ = alice.commit(reinit=ReInit(b"new", 1, SUITE_1, ()))
    bob.ask("process", message=commit)
    agree(alice, bob)
    alice.group, made = reinitialise(
        alice.group,
        Identity(alice.credential, alice.private, alice.public),
        [bob.key_package()],
        random=RANDOM,
        now=now(),
        validate=believe,
    )
    alice.group.merge_pending()
    assert made.welcome is not None
    bob.join(made.welcome.hex(), "join_reinit")
    agree(alice, bob)


def test_they_branch(pair: tuple[Ours, Theirs]) -> None:
    alice, bob = pair
    message, private = alice.key_package()
    begun = bob.ask("branch", new_group_id="cc", key_packages=[message.hex()])
    bob.group = begun["group"]
    alice.join(begun, private, alice.group)
    agree(alice, bob)


def test_we_branch(pair: tuple[Ours, Theirs]) -> None:
    alice, bob = pair
    alice.group, made = branch(
        alice.group, b"branch", [bob.key_package()], random=RANDOM, now=now(), validate=believe
    )
    alice.group.merge_pending()
    assert made.welcome is not None
    bob.join(made.welcome.hex(), "join_branch")
    agree(alice, bob)


def test_they_propose_to_be_added(pair: tuple[Ours, Theirs]) -> None:
    alice, bob = pair
    carol = Theirs(bob.driver, "carol")
    info = alice.group.group_info().hex()
    proposal = carol.driver.ask("propose_self", client=carol.client, group_info=info)["proposal"]
    alice.process(proposal)
    bob.ask("process", message=proposal)
    commit, welcome = alice.commit()
    bob.ask("process", message=commit)
    carol.join(welcome)
    agree(alice, bob, carol)


def test_we_propose_to_be_added(pair: tuple[Ours, Theirs]) -> None:
    alice, bob = pair
    dave = Ours("dave")
    _, private = dave.key_package()
    proposal = propose_to_be_added(
        alice.group.group_id, alice.group.epoch, private, dave.private
    ).hex()
    alice.process(proposal)
    bob.ask("process", message=proposal)
    made = bob.driver.ask("commit", group=bob.group)
    alice.process(made["commit"])
    bob.ask("merge")
    dave.join({"welcome": made["welcomes"][0]}, private, None)
    agree(alice, bob)
    assert dave.group.epoch_authenticator == alice.group.epoch_authenticator


def test_resumption_psks(pair: tuple[Ours, Theirs]) -> None:
    alice, bob = pair
    commit, _ = alice.commit()
    bob.ask("process", message=commit)
    name, epoch = alice.group.group_id, alice.group.epoch
    commit, _ = alice.commit(psk_ids=[(name, epoch), (name, epoch - 1)])
    bob.ask("process", message=commit)
    agree(alice, bob)


def test_external_psks(pair: tuple[Ours, Theirs]) -> None:
    alice, bob = pair
    bob.ask("add_psk", psk_id="aa", psk="00" * 32)
    psks = {b"\xaa": Secret(bytes(32))}
    commit, _ = alice.commit(psk_ids=[b"\xaa"], external_psks=psks)
    bob.ask("process", message=commit)
    agree(alice, bob)
