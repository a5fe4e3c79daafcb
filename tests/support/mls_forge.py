"""Forging MLS: what a malicious member can make, who knows every key and signs what it likes.

A forgery breaks one rule; everything else in it is made anew, so that it is right.
"""

from collections.abc import Callable
from dataclasses import replace

import pytest

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codepoints import APPLICATION, COMMIT, MEMBER, PRIVATE_MESSAGE, PUBLIC_MESSAGE
from blackthorn.mls.credential import CredentialValidator
from blackthorn.mls.epoch.policy import CLOSED, Policy
from blackthorn.mls.errors import MLSError
from blackthorn.mls.framing import protection
from blackthorn.mls.framing.framing import (
    AuthenticatedContent,
    FramedContent,
    PrivateMessage,
    PublicMessage,
    Sender,
    encode_message,
)
from blackthorn.mls.framing.key_package import LABEL, KeyPackage
from blackthorn.mls.framing.proposals import Commit, Proposal
from blackthorn.mls.rules import Rule
from blackthorn.mls.tree import treekem
from blackthorn.mls.tree.leaf_node import LeafNode
from blackthorn.mls.tree.tree_hash import root_hash
from blackthorn.mls.tree.update_path import UpdatePath
from blackthorn.wire.tls import opaque, u32
from tests.support.mls_people import Person, believe


def refused(
    person: Person,
    message: bytes,
    rule: Rule,
    *,
    validate: CredentialValidator = believe,
    policy: Policy = CLOSED,
) -> None:
    """The person refuses the message for this rule, and nothing has changed."""
    before = person.at.serialise()
    with pytest.raises(MLSError) as caught:
        person.at.process(message, validate=validate, policy=policy)
    assert caught.value.rule is rule
    assert person.at.serialise() == before


def doubt(*_: object) -> None:
    """Accepts nobody."""
    raise MLSError("nobody is believed")


def flipped(data: bytes) -> bytes:
    """The same bytes but for the last bit."""
    return data[:-1] + bytes([data[-1] ^ 1])


# --- Private messages ---------------------------------------------------------------------


def plaintext_of(person: Person, content_type: int, body: bytes, tag: bytes = b"") -> bytes:
    """The plaintext of a PrivateMessage: a body, signed by the person, whatever it is."""
    epoch = person.at._state.epoch
    content = FramedContent(
        epoch.context.group_id, epoch.context.epoch, Sender(MEMBER, epoch.own_index), b"", b""
    )
    encoded = content.encoded.removesuffix(b"\x01\x00") + bytes([content_type]) + body
    content.__dict__["encoded"] = encoded
    signature = protection.sign(
        epoch.suite, PRIVATE_MESSAGE, content, epoch.context.encoded, person.private
    )
    return body + opaque(signature) + (opaque(tag) if content_type == COMMIT else b"")


def sealed(
    person: Person,
    content_type: int,
    plaintext: bytes,
    *,
    leaf: int | None = None,
    generation: int | None = None,
) -> bytes:
    """An MLSMessage with this plaintext, as if the member at `leaf` had sent it."""
    epoch = person.at._state.epoch
    leaf = epoch.own_index if leaf is None else leaf
    kind = 1 if content_type == APPLICATION else 0
    next_generation, use = epoch.secret_tree.prepare_next(leaf, kind)
    if generation is None:
        generation = next_generation
        use.consume()
    context = epoch.context
    empty = PrivateMessage(context.group_id, context.epoch, content_type, b"", b"", b"")
    ciphertext = epoch.suite.aead.seal(use.key, use.nonce, plaintext, empty.content_aad)
    key, nonce = protection.sender_data_key(epoch.suite, epoch.sender_data, ciphertext)
    sender = u32(leaf) + u32(generation) + bytes(4)
    sender_data = epoch.suite.aead.seal(key, nonce, sender, empty.sender_data_aad)
    return encode_message(replace(empty, encrypted_sender_data=sender_data, ciphertext=ciphertext))


def handshake(person: Person, content_type: int, body: bytes, tag: bytes = b"") -> bytes:
    """A signed and sealed body of any bytes."""
    return sealed(person, content_type, plaintext_of(person, content_type, body, tag))


def send_commit(person: Person, commit: Commit, tag: bytes = bytes(32)) -> bytes:
    """A Commit of the person's, whatever is in it."""
    return handshake(person, COMMIT, commit.encoded, tag)


# --- Leaves and key packages --------------------------------------------------------------


def leaf_of(person: Person, **changes: object) -> LeafNode:
    """The person's leaf in its group, changed and signed again by the person."""
    leaf = replace(person.at._state.epoch.own_leaf(), **changes)  # type: ignore[arg-type]
    return leaf.sign(person.suite, person.private, person.at.group_id, person.at.own_index)


def key_package_of(
    person: Person, leaf: dict[str, object] | None = None, **changes: object
) -> KeyPackage:
    """A key package of the person's, changed and signed again."""
    _, private = person.key_package()
    changed = replace(private.package.leaf, **(leaf or {}))  # type: ignore[arg-type]
    changed = changed.sign(person.suite, person.private)
    package = replace(private.package, leaf=changed, **changes)  # type: ignore[arg-type]
    signature = person.suite.sign_with_label(person.private, LABEL, package.unsigned)
    return replace(package, signature=signature)


# --- Paths --------------------------------------------------------------------------------


def path_of(
    person: Person,
    leaf: Callable[[LeafNode], LeafNode] = lambda leaf: leaf,
    publics: Callable[[list[bytes]], list[bytes]] = lambda publics: publics,
    sign_as: Secret | None = None,
) -> UpdatePath:
    """A path of the person's with a changed leaf or other public keys, else right: its parent
    hashes, its leaf's signature and what is sealed follow the change."""
    epoch, suite = person.at._state.epoch, person.suite
    tree, index = epoch.tree.copy(), epoch.own_index
    path = treekem.create_path(
        suite, tree, index, epoch.context.group_id, person.private, person.random
    )
    keys = publics([treekem._public(tree, node) for node, _, _ in path.steps])
    above = treekem._replace_path(suite, tree, index, path.steps, keys)
    changed = leaf(replace(path.leaf, parent_hash=above))
    changed = changed.sign(suite, sign_as or person.private, epoch.context.group_id, index)
    tree.set_node(2 * index, changed)
    context = replace(
        epoch.context, epoch=epoch.context.epoch + 1, tree_hash=root_hash(suite, tree)
    )
    return treekem.seal_path(suite, tree, replace(path, leaf=changed), context.encoded, ())


# --- Public messages ----------------------------------------------------------------------


def public(
    group: Person,
    sender: Sender,
    body: bytes | Proposal | Commit,
    private: Secret,
    *,
    tag: Callable[[bytes], bytes] = lambda tag: tag,
) -> bytes:
    """A PublicMessage to the group that `group` is in, signed with any key, of any sender."""
    epoch = group.at._state.epoch
    context = epoch.context
    content = FramedContent(context.group_id, context.epoch, sender, b"", body)
    signature = protection.sign(epoch.suite, PUBLIC_MESSAGE, content, context.encoded, private)
    confirmation = bytes(32) if isinstance(body, Commit) else None
    authenticated = AuthenticatedContent(PUBLIC_MESSAGE, content, signature, confirmation)
    message = protection.protect_public(
        epoch.suite, authenticated, context.encoded, epoch.secrets.membership_key
    )
    if sender.type != MEMBER:
        message = PublicMessage(authenticated, None)
    elif message.membership_tag is not None:
        message = replace(message, membership_tag=tag(message.membership_tag))
    return encode_message(message)
