"""Making a group of one (RFC 9420, 11)."""

from collections.abc import Callable, Sequence

from blackthorn.crypto.secret import Secret
from blackthorn.mls.credential import Credential
from blackthorn.mls.epoch import next_epoch
from blackthorn.mls.epoch.epoch import Epoch
from blackthorn.mls.extension import Extensions
from blackthorn.mls.framing.group_context import GroupContext
from blackthorn.mls.framing.key_package import create_leaf
from blackthorn.mls.schedule import key_schedule
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.leaf_validation import check_leaf_for_group
from blackthorn.mls.tree.ratchet_tree import RatchetTree
from blackthorn.mls.tree.tree_hash import root_hash


def first_epoch(
    suite: CipherSuite,
    group_id: bytes,
    credential: Credential,
    signature_private: Secret,
    signature_public: bytes,
    *,
    random: Callable[[int], bytes],
    now: int,
    extensions: Extensions,
    extension_types: Sequence[int],
    credential_types: Sequence[int] = (),
) -> Epoch:
    """Epoch 0, whose only member is the creator. Raises `InvalidLeaf`."""
    leaf, leaf_private = create_leaf(
        suite,
        credential,
        signature_public,
        random=random,
        now=now,
        extension_types=extension_types,
        credential_types=credential_types,
    )
    check_leaf_for_group(leaf, extensions)
    tree = RatchetTree.of_one(leaf.sign(suite, signature_private))
    context = GroupContext(suite.number, group_id, 0, root_hash(suite, tree), b"", extensions)
    secrets = key_schedule.secrets_of_epoch(suite, Secret(random(suite.hash_size)))
    return next_epoch.begin(suite, context, tree, secrets, 0, {0: leaf_private})
