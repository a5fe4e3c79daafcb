"""RFC 9420's vectors for messages, message-protection and welcome."""

import random
from collections.abc import Callable
from typing import Any

from blackthorn.crypto.secret import Secret
from blackthorn.mls import codepoints
from blackthorn.mls.codec import decode
from blackthorn.mls.framing import protection
from blackthorn.mls.framing.framing import (
    AuthenticatedContent,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    encode_message,
    read_message,
)
from blackthorn.mls.framing.group_context import GroupContext
from blackthorn.mls.framing.key_package import read_key_package_message
from blackthorn.mls.framing.padding import size_class
from blackthorn.mls.framing.proposals import encode_proposal, read_commit, read_proposal
from blackthorn.mls.framing.welcome_types import Welcome, read_group_secrets
from blackthorn.mls.group import joining
from blackthorn.mls.schedule import key_schedule, transcript
from blackthorn.mls.schedule.secret_tree import SecretTree
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.ratchet_tree import read_ratchet_tree
from blackthorn.wire.tls import Reader, u16
from tests.vectors.mls_cases import h, supported

Load = Callable[[str], list[Any]]

PROPOSALS = {
    "add_proposal": codepoints.ADD,
    "update_proposal": codepoints.UPDATE,
    "remove_proposal": codepoints.REMOVE,
    "pre_shared_key_proposal": codepoints.PSK,
    "re_init_proposal": codepoints.REINIT,
    "external_init_proposal": codepoints.EXTERNAL_INIT,
    "group_context_extensions_proposal": codepoints.GROUP_CONTEXT_EXTENSIONS,
}
MESSAGES = (
    "mls_welcome",
    "mls_group_info",
    "mls_key_package",
    "public_message_application",
    "public_message_proposal",
    "public_message_commit",
    "private_message",
)


def test_messages(vectors: Load) -> None:
    for case in vectors("messages"):
        for name in MESSAGES:
            data = h(case[name])
            assert encode_message(decode(read_message, data, name)) == data, name
        for name, number in PROPOSALS.items():
            data = u16(number) + h(case[name])
            assert encode_proposal(decode(read_proposal, data, name)) == data, name
        data = h(case["commit"])
        assert decode(read_commit, data, "commit").encoded == data
        data = h(case["ratchet_tree"])
        assert decode(read_ratchet_tree, data, "tree").encode() == data
        data = h(case["group_secrets"])
        assert decode(read_group_secrets, data, "secrets").encode() == data


class Protection:
    """One message-protection case: a group of two, in which leaf 1 signs."""

    def __init__(self, suite: CipherSuite, case: Any) -> None:
        self.suite = suite
        self.context = GroupContext(
            suite.number,
            h(case["group_id"]),
            case["epoch"],
            h(case["tree_hash"]),
            h(case["confirmed_transcript_hash"]),
        )
        self.private = Secret(h(case["signature_priv"]))
        self.public = h(case["signature_pub"])
        self.encryption = Secret(h(case["encryption_secret"]))
        self.sender_data = Secret(h(case["sender_data_secret"]))
        self.membership = Secret(h(case["membership_key"]))

    def open(self, data: bytes) -> Any:
        """The body of a message, public or private, whose signature holds."""
        message = decode(read_message, data, "message")
        encoded = self.context.encoded
        if isinstance(message, PublicMessage):
            authenticated = protection.unprotect_public(
                self.suite, message, encoded, self.membership
            )
        else:
            assert isinstance(message, PrivateMessage)
            sender = protection.open_sender_data(self.suite, message, self.sender_data)
            tree = SecretTree.of_epoch(self.suite, 2, self.encryption)
            authenticated, _ = protection.open_content(self.suite, message, sender, tree)
        protection.verify(self.suite, authenticated, encoded, self.public)
        return authenticated.content.body

    def seal(self, body: Any, wire_format: int, seeded: random.Random) -> bytes:
        """A message of leaf 1 with this body."""
        content = FramedContent(
            self.context.group_id,
            self.context.epoch,
            Sender(codepoints.MEMBER, 1),
            b"",
            body,
        )
        encoded = self.context.encoded
        signature = protection.sign(self.suite, wire_format, content, encoded, self.private)
        tag = b"tag" if content.content_type == codepoints.COMMIT else None
        authenticated = AuthenticatedContent(wire_format, content, signature, tag)
        if wire_format == codepoints.PUBLIC_MESSAGE:
            return encode_message(
                protection.protect_public(self.suite, authenticated, encoded, self.membership)
            )
        tree = SecretTree.of_epoch(self.suite, 2, self.encryption)
        message, _ = protection.protect_private(
            self.suite, authenticated, tree, self.sender_data, seeded.randbytes, size_class
        )
        return encode_message(message)


def application(reader: Reader) -> bytes:
    return reader.rest()


def test_message_protection(vectors: Load) -> None:
    seeded = random.Random(9420)
    readers = {"proposal": read_proposal, "commit": read_commit, "application": application}
    for suite, case in supported(vectors("message-protection")):
        group = Protection(suite, case)
        for name, read in readers.items():
            body = decode(read, h(case[name]), name)
            formats = {"priv": codepoints.PRIVATE_MESSAGE, "pub": codepoints.PUBLIC_MESSAGE}
            for kind, wire_format in formats.items():
                if f"{name}_{kind}" not in case:
                    continue
                assert group.open(h(case[f"{name}_{kind}"])) == body
                assert group.open(group.seal(body, wire_format, seeded)) == body


def test_welcome(vectors: Load) -> None:
    for suite, case in supported(vectors("welcome")):
        package = decode(read_key_package_message, h(case["key_package"]), "key package")
        welcome = joining.read_welcome_message(h(case["welcome"]))
        assert isinstance(welcome, Welcome)
        assert welcome.cipher_suite == suite.number
        sealed = dict(welcome.secrets)[package.reference]
        plaintext = suite.decrypt_with_label(
            Secret(h(case["init_priv"])), b"Welcome", welcome.encrypted_group_info, sealed
        )
        secrets = decode(read_group_secrets, plaintext, "group secrets")
        assert secrets.psks == ()
        psk = Secret(bytes(suite.hash_size))
        info = joining._open_group_info(suite, welcome, secrets.joiner_secret, psk)
        info.verify(suite, h(case["signer_pub"]))
        epoch = key_schedule.epoch_secrets(suite, secrets.joiner_secret, psk, info.context.encoded)
        tag = transcript.confirmation_tag(
            suite, epoch.confirmation_key.expose(), info.context.confirmed_transcript_hash
        )
        assert tag == info.confirmation_tag
