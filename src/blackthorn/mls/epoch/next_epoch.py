"""Derives the first epoch of a group (RFC 9420, 11) and each next one, alike for all members."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from blackthorn.crypto.secret import Secret
from blackthorn.mls.credential import Credential
from blackthorn.mls.epoch.epoch import Epoch
from blackthorn.mls.epoch.proposal_list import AppliedProposals
from blackthorn.mls.extension import Extensions
from blackthorn.mls.framing.framing import AuthenticatedContent
from blackthorn.mls.framing.group_context import GroupContext
from blackthorn.mls.framing.key_package import create_leaf
from blackthorn.mls.schedule import key_schedule, transcript
from blackthorn.mls.schedule.key_schedule import EpochSecrets
from blackthorn.mls.schedule.psk import PskId
from blackthorn.mls.schedule.secret_tree import SecretTree
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.leaf_validation import check_leaf_for_group
from blackthorn.mls.tree.ratchet_tree import RatchetTree
from blackthorn.mls.tree.tree_hash import root_hash


@dataclass(frozen=True)
class DerivedEpoch:
    """The next epoch's secrets, and the inputs of a Welcome."""

    context: GroupContext
    joiner: Secret
    psk: Secret
    secrets: EpochSecrets


@dataclass(frozen=True)
class EpochBase:
    """The old epoch's inputs to the next one, as an external joiner has them too."""

    suite: CipherSuite
    context: GroupContext
    interim_transcript_hash: bytes
    init: Secret
    """The old epoch's init secret, or that of an ExternalInit (8.3)."""

    @classmethod
    def of(cls, epoch: Epoch) -> "EpochBase":
        return cls(epoch.suite, epoch.context, epoch.interim_transcript_hash, epoch.secrets.init)


def provisional_context(base: EpochBase, applied: AppliedProposals) -> GroupContext:
    """The context to seal path secrets to (12.4.1); `applied.tree` has the path already."""
    return replace(
        base.context,
        epoch=base.context.epoch + 1,
        tree_hash=root_hash(base.suite, applied.tree),
        extensions=applied.extensions,
    )


def no_commit_secret(suite: CipherSuite) -> Secret:
    """The commit secret of a Commit without a path (8)."""
    return Secret(bytes(suite.hash_size))


def derive(
    base: EpochBase,
    provisional: GroupContext,
    commit_secret: Secret,
    psks: Sequence[tuple[PskId, Secret]],
    commit: AuthenticatedContent,
) -> DerivedEpoch:
    """The next epoch's context and secrets; `commit` needs no confirmation tag."""
    suite = base.suite
    confirmed = transcript.confirmed_transcript_hash(
        suite,
        base.interim_transcript_hash,
        commit.wire_format,
        commit.content.encoded,
        commit.signature,
    )
    context = replace(provisional, confirmed_transcript_hash=confirmed)
    joiner = key_schedule.joiner_secret(suite, base.init, commit_secret, context.encoded)
    psk = key_schedule.psk_secret(suite, psks)
    return DerivedEpoch(
        context, joiner, psk, key_schedule.epoch_secrets(suite, joiner, psk, context.encoded)
    )


def begin(
    suite: CipherSuite,
    context: GroupContext,
    tree: RatchetTree,
    secrets: EpochSecrets,
    own_index: int,
    private_keys: Mapping[int, Secret],
) -> Epoch:
    """A new epoch with its confirmation tag (8.1) and unused message keys.

    Only the secret tree holds the encryption secret, and erases it at first use (9.2).
    """
    confirmed = context.confirmed_transcript_hash
    tag = transcript.confirmation_tag(suite, secrets.confirmation_key.expose(), confirmed)
    return Epoch(
        suite=suite,
        context=context,
        tree=tree,
        secrets=replace(secrets, encryption=Secret(b"")),
        interim_transcript_hash=transcript.interim_transcript_hash(suite, confirmed, tag),
        confirmation_tag=tag,
        own_index=own_index,
        private_keys=private_keys,
        secret_tree=SecretTree.of_epoch(suite, tree.leaf_count, secrets.encryption),
    )


def surviving_keys(
    before: RatchetTree, after: RatchetTree, private_keys: Mapping[int, Secret]
) -> dict[int, Secret]:
    """Private keys whose nodes keep their public key."""
    survivors = {}
    for node, private in private_keys.items():
        old = before.nodes[node]
        new = after.nodes[node] if node < len(after.nodes) else None
        if old is not None and new is not None and old.encryption_key == new.encryption_key:
            survivors[node] = private
    return survivors


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
    return begin(suite, context, tree, secrets, 0, {0: leaf_private})
