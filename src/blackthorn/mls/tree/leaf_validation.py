"""Validation of leaves (RFC 9420, 7.3), apart from their signatures."""

from collections.abc import Iterable, Sequence

from blackthorn.crypto.hpke import HpkeError
from blackthorn.mls import limits
from blackthorn.mls.codepoints import DEFAULT_EXTENSIONS, DEFAULT_PROPOSALS, MLS10
from blackthorn.mls.errors import InvalidLeaf
from blackthorn.mls.extension import Extension, required_capabilities
from blackthorn.mls.rules import Rule
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.leaf_node import LeafNode


def check_lifetime(leaf: LeafNode, now: int | None, longest: int | None = None) -> None:
    """7.3: check a lifetime, at `now` if given; `longest` in s, None MLS_MAX_LIFETIME_SECONDS."""
    lifetime = leaf.lifetime
    if lifetime is None:
        raise InvalidLeaf("the leaf has no lifetime")
    longest = limits.MLS_MAX_LIFETIME_SECONDS if longest is None else longest
    if lifetime.not_after - lifetime.not_before > longest:
        raise InvalidLeaf("the leaf's lifetime is too long", Rule.LIFETIME_LENGTH)
    if now is not None and not lifetime.not_before <= now <= lifetime.not_after:
        raise InvalidLeaf("the leaf's lifetime has ended or not begun", Rule.LIFETIME_NOW)


def check_leaf_alone(suite: CipherSuite, leaf: LeafNode) -> None:
    """7.3: the leaf supports its own credential, version and extensions; its key is valid."""
    capabilities = leaf.capabilities
    if MLS10 not in capabilities.versions:
        raise InvalidLeaf("the leaf does not support MLS 1.0", Rule.LEAF_VERSION)
    if leaf.credential.credential_type not in capabilities.credentials:
        raise InvalidLeaf("the leaf lacks its own credential type", Rule.LEAF_OWN_CREDENTIAL)
    for extension in leaf.extensions:
        if not supports_extension(leaf, extension.type):
            raise InvalidLeaf("the leaf lacks its own extension type", Rule.LEAF_OWN_EXTENSIONS)
    try:
        suite.hpke.check_public_key(leaf.encryption_key)
    except HpkeError as error:
        raise InvalidLeaf(f"encryption key: {error}", Rule.LEAF_KEY_VALID) from error


def supports_extension(leaf: LeafNode, extension_type: int) -> bool:
    """Whether the leaf supports an extension; default extensions are implied (7.2)."""
    return extension_type in DEFAULT_EXTENSIONS or extension_type in leaf.capabilities.extensions


def check_leaf_for_group(leaf: LeafNode, group_extensions: Sequence[Extension]) -> None:
    """7.3 and 11.1: the leaf supports what the group requires and uses."""
    required = required_capabilities(group_extensions)
    for extension_type in required.extensions:
        if not supports_extension(leaf, extension_type):
            raise InvalidLeaf("a member lacks a required extension", Rule.REQUIRED_EXTENSIONS)
    for proposal in required.proposals:
        if proposal not in DEFAULT_PROPOSALS and proposal not in leaf.capabilities.proposals:
            raise InvalidLeaf("a member lacks a required proposal", Rule.REQUIRED_PROPOSALS)
    for credential in required.credentials:
        if credential not in leaf.capabilities.credentials:
            raise InvalidLeaf("a member lacks a required credential", Rule.REQUIRED_CREDENTIALS)
    for extension in group_extensions:
        if not supports_extension(leaf, extension.type):
            raise InvalidLeaf("a member lacks an extension of the group", Rule.GROUP_EXTENSIONS)


def check_leaves_together(leaves: Iterable[LeafNode]) -> None:
    """7.3: keys are unique, and every member supports every member's credential type."""
    leaves = list(leaves)
    if len({leaf.signature_key for leaf in leaves}) != len(leaves):
        raise InvalidLeaf("two members have the same signature key", Rule.SIGNATURE_KEYS_UNIQUE)
    if len({leaf.encryption_key for leaf in leaves}) != len(leaves):
        raise InvalidLeaf("two members have the same encryption key", Rule.LEAF_KEYS_UNIQUE)
    used = {leaf.credential.credential_type for leaf in leaves}
    # Capabilities repeat from member to member: each distinct list is checked once.
    for credentials in {leaf.capabilities.credentials for leaf in leaves}:
        if not used.issubset(credentials):
            raise InvalidLeaf("a member lacks another's credential type", Rule.CREDENTIALS_TOGETHER)


def check_leaf_among(leaf: LeafNode, others: Iterable[LeafNode]) -> None:
    """7.3: a leaf that is new among members: its signature key, and credential types both ways."""
    own_type, supported = leaf.credential.credential_type, leaf.capabilities.credentials
    for other in others:
        if other.signature_key == leaf.signature_key:
            raise InvalidLeaf("two members have the same signature key", Rule.SIGNATURE_KEYS_UNIQUE)
        types = other.capabilities.credentials
        if own_type not in types or other.credential.credential_type not in supported:
            raise InvalidLeaf("a member lacks another's credential type", Rule.CREDENTIALS_TOGETHER)
