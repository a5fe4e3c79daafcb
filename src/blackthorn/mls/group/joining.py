"""Joining a group by a Welcome (RFC 9420, 12.4.3.1)."""

import hmac
import operator
from dataclasses import replace

from blackthorn.crypto.aead import OpenError
from blackthorn.crypto.hpke import HpkeError
from blackthorn.crypto.secret import Secret
from blackthorn.mls import limits
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import RATCHET_TREE
from blackthorn.mls.credential import CredentialValidator
from blackthorn.mls.epoch import next_epoch
from blackthorn.mls.epoch.epoch import Epoch, Member
from blackthorn.mls.epoch.group_info import (
    OutsideTree,
    UnverifiedGroup,
    check_group,
    tree_of,
)
from blackthorn.mls.errors import InvalidWelcome, TooLarge
from blackthorn.mls.extension import find
from blackthorn.mls.framing import welcome_types
from blackthorn.mls.framing.framing import encode_message, read_message
from blackthorn.mls.framing.key_package import KeyPackagePrivate
from blackthorn.mls.group.state import State
from blackthorn.mls.group.succession import SameClient, check_succession, link
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule import key_schedule
from blackthorn.mls.schedule.psk import KnownPsks, PskId, ResumptionPskId
from blackthorn.mls.suites import CipherSuite, suite
from blackthorn.mls.tree import treekem
from blackthorn.mls.tree.ratchet_tree import RatchetTree
from blackthorn.mls.tree.treemath import common_ancestor, direct_path


def read_welcome_message(message: bytes) -> welcome_types.Welcome:
    """The Welcome in an MLSMessage. Raises `MalformedMessage`, `InvalidWelcome`, `TooLarge`."""
    if len(message) > limits.MLS_MAX_MESSAGE_BYTES:
        raise TooLarge("the Welcome is too large")
    welcome = decode(read_message, message, "Welcome")
    if not isinstance(welcome, welcome_types.Welcome):
        raise InvalidWelcome("the message is not a Welcome", Rule.MESSAGE_KIND)
    return welcome


def welcome_references(welcome: bytes) -> list[bytes]:
    """KeyPackageRefs of a Welcome (an MLSMessage). Raises as `read_welcome_message`."""
    return [reference for reference, _ in read_welcome_message(welcome).secrets]


def divided_welcome(message: bytes, most: int) -> list[tuple[list[bytes], bytes]]:
    """Welcomes with the secrets of at most so many new members each, beside their KeyPackageRefs.

    They differ from the one Welcome in nothing else (12.4.3.1). Raises as `read_welcome_message`.
    """
    whole = read_welcome_message(message)
    divided = []
    for start in range(0, len(whole.secrets), most):
        some = whole.secrets[start : start + most]
        part = encode_message(replace(whole, secrets=some))
        divided.append(([reference for reference, _ in some], part))
    return divided


def join(
    message: bytes,
    private: KeyPackagePrivate,
    *,
    validate: CredentialValidator,
    ratchet_tree: OutsideTree,
    known_psks: KnownPsks,
    predecessor: State | None = None,
    same_client: SameClient = operator.eq,
) -> tuple[Epoch, Member]:
    """The epoch of a Welcome, and the member who sent it. Raises `MLSError`.

    `predecessor` is the state of the group that this one follows (11.2, 11.3).
    """
    welcome = read_welcome_message(message)
    chosen = suite(private.package.cipher_suite)
    if welcome.cipher_suite != chosen.number:
        raise InvalidWelcome("Welcome and key package differ in cipher suite", Rule.WELCOME_SUITE)
    secrets = _open_secrets(chosen, welcome, private)
    psks = [(psk_id, _psk(psk_id, known_psks, predecessor)) for psk_id in secrets.psks]
    if len(set(secrets.psks)) != len(psks):
        raise InvalidWelcome("the Welcome uses a PSK twice", Rule.WELCOME_PSK_ONCE)
    follows = link(secrets.psks)
    psk = key_schedule.psk_secret(chosen, psks)
    info = _open_group_info(chosen, welcome, secrets.joiner_secret, psk)
    joiner = secrets.joiner_secret
    derived = key_schedule.epoch_secrets(chosen, joiner, psk, info.context.encoded)
    if callable(ratchet_tree):
        inside = find(info.extensions, RATCHET_TREE)
        ratchet_tree = inside or ratchet_tree(UnverifiedGroup(chosen, info, derived))
    tree = tree_of(info, ratchet_tree)
    inviter = check_group(chosen, info, tree, validate)
    own_index = _own_index(tree, private)
    keys = {2 * own_index: private.leaf_private}
    if secrets.path_secret is not None:
        keys |= _path_keys(chosen, tree, info.signer, own_index, secrets.path_secret)
    epoch = next_epoch.begin(chosen, info.context, tree, derived, own_index, keys)
    if not hmac.compare_digest(epoch.confirmation_tag, info.confirmation_tag):
        raise InvalidWelcome("the confirmation tag does not hold", Rule.WELCOME_TAG)
    if follows is not None and predecessor is not None:
        credentials = [leaf.credential for _, leaf in tree.members()]
        check_succession(predecessor, follows, info.context, credentials, same_client)
    return epoch, inviter


def _open_secrets(
    chosen: CipherSuite, welcome: welcome_types.Welcome, private: KeyPackagePrivate
) -> welcome_types.GroupSecrets:
    try:
        chosen.hpke.check_key_pair(private.init_private, private.package.init_key)
        chosen.hpke.check_key_pair(private.leaf_private, private.package.leaf.encryption_key)
    except HpkeError as error:
        raise InvalidWelcome(f"stored key package: {error}") from error
    for reference, sealed in welcome.secrets:
        if reference == private.reference:
            info, key = welcome.encrypted_group_info, private.init_private
            plaintext = chosen.decrypt_with_label(key, b"Welcome", info, sealed, Rule.WELCOME_OPENS)
            return decode(welcome_types.read_group_secrets, plaintext, "group secrets")
    raise InvalidWelcome("the Welcome is not for this key package", Rule.WELCOME_FOR_US)


def _psk(psk_id: PskId, known: KnownPsks, predecessor: State | None) -> Secret:
    """A PSK that links two groups comes from the old group's state alone."""
    found, succession = None, False
    if isinstance(psk_id, ResumptionPskId):
        succession = psk_id.succession
        if predecessor is not None and psk_id.group_id == predecessor.epoch.context.group_id:
            found = predecessor.resumption_psk(psk_id.epoch)
    if found is None and not succession:
        found = known.find(psk_id)
    if found is None:
        raise InvalidWelcome("a pre-shared key is not known here", Rule.WELCOME_PSK_KNOWN)
    return found


def _open_group_info(
    chosen: CipherSuite, welcome: welcome_types.Welcome, joiner: Secret, psk: Secret
) -> welcome_types.GroupInfo:
    secret = key_schedule.welcome_secret(chosen, joiner, psk)
    key, nonce = key_schedule.welcome_key_and_nonce(chosen, secret)
    try:
        plaintext = chosen.aead.open(key, nonce, welcome.encrypted_group_info, b"")
    except OpenError as error:
        raise InvalidWelcome("the group info does not open", Rule.GROUP_INFO_OPENS) from error
    info = decode(welcome_types.read_group_info, plaintext, "group info")
    if info.context.cipher_suite != chosen.number:
        raise InvalidWelcome("group and Welcome differ in cipher suite", Rule.GROUP_INFO_SUITE)
    return info


def _own_index(tree: RatchetTree, private: KeyPackagePrivate) -> int:
    own = private.package.leaf.encoded
    for index, leaf in tree.members():
        if leaf.encoded == own:
            return index
    raise InvalidWelcome("the key package's leaf is not in the tree", Rule.OWN_LEAF_FOUND)


def _path_keys(
    chosen: CipherSuite, tree: RatchetTree, signer: int, own_index: int, secret: Secret
) -> dict[int, Secret]:
    """Private keys from the common ancestor with the signer up to the root."""
    ancestor = common_ancestor(2 * signer, 2 * own_index)
    if signer == own_index or tree.parent(ancestor) is None:
        raise InvalidWelcome("the path secret belongs to no node", Rule.WELCOME_PATH_SECRET)
    above = direct_path(ancestor, tree.leaf_count)
    nodes = [node for node in (ancestor, *above) if tree.parent(node) is not None]
    derived, _ = treekem.derive_upwards(chosen, nodes, secret.expose())
    for node, (_, _, public) in derived.items():
        parent = tree.parent(node)
        if parent is None or parent.encryption_key != public:
            raise InvalidWelcome("a public key does not match", Rule.WELCOME_PATH_SECRET)
    return {node: private for node, (_, private, _) in derived.items()}
