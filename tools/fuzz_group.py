"""A small MLS group to fuzz: sound inputs of every kind, and the ways in that take them."""

import random
from collections.abc import Sequence

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import COMMIT, MEMBER, PROPOSAL, PUBLIC_MESSAGE
from blackthorn.mls.credential import BasicCredential
from blackthorn.mls.epoch.policy import Policy
from blackthorn.mls.framing import protection
from blackthorn.mls.framing.external_proposing import propose_to_be_added
from blackthorn.mls.framing.framing import (
    AuthenticatedContent,
    FramedContent,
    PrivateMessage,
    Sender,
    encode_message,
    read_message,
)
from blackthorn.mls.framing.key_package import (
    KeyPackagePrivate,
    VerifiedKeyPackage,
    create_key_package,
    parse_key_package,
)
from blackthorn.mls.framing.proposals import Remove
from blackthorn.mls.group.group import Group
from blackthorn.mls.suites import SUITE_1, suite
from blackthorn.wire.tls import u32

NOW = 1_800_000_000
OPEN = Policy(
    join=lambda join: None,
    propose=lambda outsider, proposal: None,
    reinitialise=lambda reinit: None,
    public_handshakes=True,
)


class FuzzFindingError(Exception):
    """A door took what it must refuse, or raised what it must not."""


def believe(*_: object) -> None:
    """Accepts everybody."""


class FuzzGroup:
    """Bob's side of a group of three, and sound inputs of every kind."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed).randbytes
        self.suite = suite(SUITE_1)
        self.alice, self.bob = self._group()
        self.before = self.bob.serialise()

    def _member(self, name: bytes) -> tuple[BasicCredential, Secret, bytes]:
        private, public = self.suite.generate_signature_key(self.random)
        return BasicCredential(name), private, public

    def _offer(self, name: bytes) -> tuple[bytes, VerifiedKeyPackage, KeyPackagePrivate, Secret]:
        credential, private, public = self._member(name)
        message, own = create_key_package(
            self.suite, credential, private, public, random=self.random, now=NOW
        )
        return message, parse_key_package(message, now=NOW, validate=believe), own, private

    def _group(self) -> tuple[Group, Group]:
        credential, private, public = self._member(b"alice")
        alice = Group.create(
            self.suite, b"group", credential, private, public, random=self.random, now=NOW
        )
        offers = [self._offer(b"bob"), self._offer(b"carol")]
        made = alice.commit(
            add=[offer[1] for offer in offers], random=self.random, now=NOW, validate=believe
        )
        alice.merge_pending()
        self.welcome, (_, _, self.key_package, self.private) = made.welcome or b"", offers[0]
        bob = Group.join(self.welcome, self.key_package, self.private, validate=believe)
        return alice, bob

    def join(self, data: bytes) -> Group:
        """Read a Welcome with bob's key package."""
        return Group.join(data, self.key_package, self.private, validate=believe)

    def hear(self, data: bytes) -> object:
        """Read a message to the group."""
        return self.bob.process(data, validate=believe, policy=OPEN)

    def messages(self) -> list[bytes]:
        """A sound message of each kind that bob may read."""
        random, (dave, package, own, private) = self.random, self._offer(b"dave")
        member = self.bob.members[0]
        _, outsider = Group.join_externally(
            self.alice.group_info(),
            member.credential,
            private,
            package.signature_key,
            random=random,
            now=NOW,
            validate=believe,
        )
        commit = self.alice.commit(
            add=[package], remove=[2], random=random, now=NOW, validate=believe
        )
        self.alice.discard_pending()
        self.group_infos, self.dave = [self.alice.group_info()], dave
        return [
            self.alice.encrypt(b"hello", random=random, authenticated_data=b"data"),
            self.alice.propose_update(random=random),
            self.alice.propose_remove(2, random=random),
            self.alice.propose_add(package, random=random),
            commit.commit,
            outsider,
            propose_to_be_added(b"group", self.alice.epoch, own, private),
            self._in_the_clear(),
        ]

    def _in_the_clear(self) -> bytes:
        state = self.alice._state
        epoch, context = state.epoch, state.epoch.context
        content = FramedContent(
            context.group_id, context.epoch, Sender(MEMBER, 0), b"data", Remove(2)
        )
        signature = protection.sign(
            self.suite, PUBLIC_MESSAGE, content, context.encoded, state.signature_private
        )
        signed = AuthenticatedContent(PUBLIC_MESSAGE, content, signature)
        key = epoch.secrets.membership_key
        return encode_message(protection.protect_public(self.suite, signed, context.encoded, key))

    def enter(self, data: bytes) -> object:
        """Join by a GroupInfo from outside."""
        credential, private, public = self._member(b"erin")
        return Group.join_externally(
            data, credential, private, public, random=self.random, now=NOW, validate=believe
        )

    def insider(self, data: bytes) -> object:
        """Read a handshake whose plaintext is `data`, rightly sealed by alice."""
        commit = bool(data[:1]) and data[0] & 1 == 1
        content_type = COMMIT if commit else PROPOSAL
        epoch = self.alice._state.epoch
        generation, use = epoch.secret_tree.prepare_next(0, 0)
        context = epoch.context
        empty = PrivateMessage(context.group_id, context.epoch, content_type, b"", b"", b"")
        ciphertext = epoch.suite.aead.seal(use.key, use.nonce, data[1:], empty.content_aad)
        key, nonce = protection.sender_data_key(epoch.suite, epoch.sender_data, ciphertext)
        sender = u32(0) + u32(generation) + bytes(4)
        sealed = epoch.suite.aead.seal(key, nonce, sender, empty.sender_data_aad)
        forged = PrivateMessage(
            context.group_id, context.epoch, content_type, b"", sealed, ciphertext
        )
        heard = self.hear(encode_message(forged))
        if bytes([commit]) + data[1:].rstrip(b"\x00") not in self.known:  # zeros are padding
            raise FuzzFindingError("a plaintext was taken that nobody signed")
        self.bob = Group.deserialise(self.before)
        return heard

    def plaintexts(self, messages: Sequence[bytes]) -> list[bytes]:
        """The plaintexts of sound handshakes, behind a byte that says their kind."""
        epoch, found = self.bob._state.epoch, []
        for message in messages:
            parsed = decode(read_message, message, "message")
            if isinstance(parsed, PrivateMessage) and parsed.content_type != 1:
                sender = protection.open_sender_data(epoch.suite, parsed, epoch.sender_data)
                content, _ = protection.open_content(epoch.suite, parsed, sender, epoch.secret_tree)
                kind = bytes([parsed.content_type == COMMIT])
                found.append(kind + content.content.encoded_body + content.encoded_auth)
        self.known = {each.rstrip(b"\x00") for each in found}
        return found
