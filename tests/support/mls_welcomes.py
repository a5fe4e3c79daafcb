"""A Welcome taken apart, so that a test can spoil one part and seal and sign the rest anew."""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import RATCHET_TREE
from blackthorn.mls.errors import MLSError
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing.framing import encode_message
from blackthorn.mls.framing.group_context import GroupContext
from blackthorn.mls.framing.key_package import KeyPackagePrivate
from blackthorn.mls.framing.welcome_types import GroupInfo, GroupSecrets, Welcome
from blackthorn.mls.group.group import Group
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule import key_schedule, transcript
from blackthorn.mls.schedule.psk import PskId
from blackthorn.mls.tree.ratchet_tree import RatchetTree
from blackthorn.mls.tree.tree_hash import root_hash
from tests.support.mls_people import NOW, Person, believe, group_of, verified


@dataclass
class Forge:
    """A Welcome in parts; each may be spoiled before `welcome` seals and signs the whole."""

    inviter: Person
    joiner: Person
    private: KeyPackagePrivate
    tree: RatchetTree
    context: GroupContext
    joiner_secret: Secret
    members: list[Person]
    """Who was in the group: some may be in league with the inviter."""
    signer: int = 0
    path_secret: Secret | None = None
    psks: tuple[PskId, ...] = ()
    psk_values: tuple[tuple[PskId, Secret], ...] = ()
    """What the key schedule takes in, where the joiner knows it."""
    predecessor: Group | None = None
    extensions: tuple[Extension, ...] | None = None
    rehash: bool = True
    tag: Callable[[bytes], bytes] = lambda tag: tag
    spoil: Callable[[bytes], bytes] = lambda data: data
    spoil_secrets: Callable[[bytes], bytes] = lambda data: data
    sign_as: Secret | None = None
    spoil_sealed: Callable[[bytes], bytes] = lambda data: data
    """Of the sealed group secrets and group info, after they are sealed."""
    reference: bytes | None = None
    suite_number: int | None = None

    def welcome(self) -> bytes:
        suite = self.inviter.suite
        if self.rehash:
            self.tree.hashes = [None] * len(self.tree.nodes)
            self.context = replace(self.context, tree_hash=root_hash(suite, self.tree))
        psk = key_schedule.psk_secret(suite, self.psk_values)
        secrets = key_schedule.epoch_secrets(suite, self.joiner_secret, psk, self.context.encoded)
        confirmed = self.context.confirmed_transcript_hash
        tag = transcript.confirmation_tag(suite, secrets.confirmation_key.expose(), confirmed)
        extensions = self.extensions
        if extensions is None:
            extensions = (Extension(RATCHET_TREE, self.tree.encode()),)
        info = GroupInfo(self.context, extensions, self.tag(tag), self.signer)
        signed = info.sign(suite, self.sign_as or self.inviter.private).encode()
        welcome_secret = key_schedule.welcome_secret(suite, self.joiner_secret, psk)
        key, nonce = key_schedule.welcome_key_and_nonce(suite, welcome_secret)
        sealed_info = suite.aead.seal(key, nonce, self.spoil(signed), b"")
        group_secrets = GroupSecrets(self.joiner_secret, self.path_secret, self.psks).encode()
        seal = suite.sealer_with_label(b"Welcome", sealed_info)
        sealed = seal(self.private.package.init_key, self.spoil_secrets(group_secrets))
        number = suite.number if self.suite_number is None else self.suite_number
        sealed = (sealed[0], self.spoil_sealed(sealed[1]))
        entries = ((self.reference or self.private.reference, sealed),)
        return encode_message(Welcome(number, entries, sealed_info))

    def join(self) -> Group:
        return Group.join(
            self.welcome(),
            self.private,
            self.joiner.private,
            validate=believe,
            predecessor=self.predecessor,
        )

    def refused(self, rule: Rule) -> None:
        """The joiner refuses for this rule, and its key package is as it was."""
        stored = self.private.serialise()
        with pytest.raises(MLSError) as caught:
            self.join()
        assert caught.value.rule is rule
        assert self.private.serialise() == stored


def sound_welcome() -> Forge:
    """A sound Welcome into a group of five, with parents and unmerged leaves."""
    everybody = group_of(["alice", "bob", "carol", "dave"], 1)
    for person in everybody:
        made = person.at.commit(random=person.random, now=NOW, validate=believe)
        for other in everybody:
            if other is not person:
                other.follow(made.commit)
        person.at.merge_pending()
    alice = everybody[0]
    made = alice.at.commit(remove=[3], random=alice.random, now=NOW, validate=believe)
    alice.at.merge_pending()
    erin = Person("erin", random.Random(2))
    message, private = erin.key_package()
    alice.at.commit(add=[verified(message)], random=alice.random, now=NOW, validate=believe)
    pending = alice.at._state.pending
    assert pending is not None
    assert pending.next is not None
    return Forge(
        alice,
        erin,
        private,
        pending.next.tree.copy(),
        pending.next.context,
        Secret(alice.random(32)),
        everybody,
    )
