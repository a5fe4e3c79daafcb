"""The proposals of one Commit: the rules of RFC 9420, 12.2, and their effect (12.3)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from blackthorn.mls.codepoints import EXTERNAL, MEMBER, MLS10, SOURCE_UPDATE
from blackthorn.mls.credential import CredentialValidator, check_credential
from blackthorn.mls.epoch.epoch import Epoch, Member
from blackthorn.mls.errors import InvalidProposal
from blackthorn.mls.extension import Extensions, external_senders
from blackthorn.mls.framing.framing import Sender
from blackthorn.mls.framing.key_package import KeyPackage, VerifiedKeyPackage, verify_key_package
from blackthorn.mls.framing.proposals import (
    Add,
    GroupContextExtensions,
    PreSharedKey,
    Proposal,
    ReInit,
    Remove,
    Update,
)
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.psk import PskId, ResumptionPskId
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree import leaf_validation
from blackthorn.mls.tree.leaf_node import LeafNode
from blackthorn.mls.tree.ratchet_tree import RatchetTree
from blackthorn.mls.tree.tree_validation import check_parent_keys_unique

_ORDER = (GroupContextExtensions, Update, Remove, Add, PreSharedKey, ReInit)

FROM_OUTSIDE = (Add, Remove, PreSharedKey, ReInit, GroupContextExtensions)
"""What an external sender may propose (17.4)."""


@dataclass(frozen=True)
class QueuedProposal:
    """A proposal and its sender; `reference` if sent alone, `verified` an Add's checked package."""

    proposal: Proposal
    sender: Sender
    reference: bytes | None = None
    verified: VerifiedKeyPackage | None = None


def check_psk(
    suite: CipherSuite, psk_id: PskId, used: Sequence[PskId], follows: PskId | None = None
) -> None:
    """12.1.4 and 12.2, beside the PSKs in use. Raises `InvalidProposal`."""
    if psk_id in used:
        raise InvalidProposal("the same PSK is used twice", Rule.PSK_ONCE)
    if len(psk_id.nonce) != suite.hash_size:
        raise InvalidProposal("a PSK's nonce has the wrong length", Rule.PSK_NONCE)
    if isinstance(psk_id, ResumptionPskId) and psk_id.succession and psk_id != follows:
        raise InvalidProposal("a PSK for reinit or branch is used elsewhere", Rule.PSK_USAGE_HERE)


def in_order(proposals: Iterable[QueuedProposal]) -> list[QueuedProposal]:
    """Proposals in order of application (12.3); a stable sort."""
    rank = {kind: position for position, kind in enumerate(_ORDER)}
    return sorted(proposals, key=lambda queued: rank.get(type(queued.proposal), len(rank)))


@dataclass(frozen=True)
class AppliedProposals:
    """The group after its proposals, before the path."""

    tree: RatchetTree
    extensions: Extensions
    added: dict[int, KeyPackage]
    removed: list[Member]
    updated: list[int]
    psks: list[PskId]
    needs_path: bool
    reinit: ReInit | None = None


@dataclass
class ProposalList:
    """Proposals for a Commit of the member `committer`, appended in order of application.

    `now` judges the lifetimes of added leaves, None: a receiver, who does not (RFC 9420, 7.3).
    `follows` is the PSK by which the first Commit of a group links it to an older one.
    """

    epoch: Epoch
    committer: int
    now: int | None
    validate: CredentialValidator
    max_lifetime: int | None = None
    follows: PskId | None = None
    adds: list[VerifiedKeyPackage] = field(default_factory=list)
    removes: dict[int, Member] = field(default_factory=dict)
    updates: dict[int, LeafNode] = field(default_factory=dict)
    psks: list[PskId] = field(default_factory=list)
    extensions: Extensions | None = None
    reinit: ReInit | None = None
    added_keys: set[bytes] = field(default_factory=set)
    staying: set[bytes] | None = None

    def fresh(self) -> "ProposalList":
        return ProposalList(
            self.epoch, self.committer, self.now, self.validate, self.max_lifetime, self.follows
        )

    def append(self, queued: QueuedProposal) -> None:
        """Add a proposal. Raises `MLSError` if it conflicts, and leaves the list unchanged."""
        proposal = queued.proposal
        self._check_sender(queued.sender, proposal)
        if self.reinit is not None:  # 12.2
            raise InvalidProposal("a ReInit stands with other proposals", Rule.REINIT_ALONE)
        if isinstance(proposal, Add):
            self._add(proposal, queued.verified)
        elif isinstance(proposal, Remove):
            self._remove(proposal)
        elif isinstance(proposal, Update):
            self._update(proposal, queued.sender.index)
        elif isinstance(proposal, PreSharedKey):
            check_psk(self.epoch.suite, proposal.psk_id, self.psks, self.follows)
            self.psks.append(proposal.psk_id)
        elif isinstance(proposal, GroupContextExtensions):
            if self.extensions is not None:  # 12.2: at most one
                text = "the group's extensions are replaced twice"
                raise InvalidProposal(text, Rule.EXTENSIONS_REPLACED_ONCE)
            for external in external_senders(proposal.extensions):
                check_credential(self.validate, external.credential, external.signature_key)
            self.extensions = proposal.extensions
        elif isinstance(proposal, ReInit):
            self._reinit(proposal)
        else:  # 12.2: only an external Commit has one
            raise InvalidProposal("a member's Commit has an external init", Rule.NO_EXTERNAL_INIT)

    def _check_sender(self, sender: Sender, proposal: Proposal) -> None:
        """12.1.8, 17.4: the sender exists and may propose this."""
        if sender.type == MEMBER:
            allowed = self.epoch.tree.leaf(sender.index) is not None
        elif sender.type == EXTERNAL:
            known = external_senders(self.epoch.context.extensions)
            allowed = sender.index < len(known) and isinstance(proposal, FROM_OUTSIDE)
        else:
            allowed = isinstance(proposal, Add)
        if not allowed:
            raise InvalidProposal("the proposal's sender may not propose it", Rule.OUTSIDER_TYPE)

    def _add(self, proposal: Add, verified: VerifiedKeyPackage | None) -> None:
        package = proposal.package
        if package.cipher_suite != self.epoch.suite.number:  # 12.1.1, 10.1
            raise InvalidProposal("the key package is of another suite", Rule.KEY_PACKAGE_SUITE)
        if verified is None or verified.package is not package:
            verified = verify_key_package(
                package, now=self.now, validate=self.validate, max_lifetime=self.max_lifetime
            )
        key = verified.signature_key
        if key in self.added_keys:
            raise InvalidProposal("a client is added twice", Rule.ADDED_ONCE)
        if key in self._keys_that_stay():
            raise InvalidProposal("a client to add is in the group already", Rule.ADDED_IS_NEW)
        leaf_validation.check_leaf_for_group(package.leaf, self._group_extensions())
        self.added_keys.add(key)
        self.adds.append(verified)

    def _keys_that_stay(self) -> set[bytes]:
        # Removes come before Adds, so the set holds for all Adds of the list.
        if self.staying is None:
            members = self.epoch.tree.members()
            self.staying = {
                leaf.signature_key for index, leaf in members if index not in self.removes
            }
        return self.staying

    def _group_extensions(self) -> Extensions:
        return self.epoch.context.extensions if self.extensions is None else self.extensions

    def _remove(self, proposal: Remove) -> None:
        index = proposal.removed
        member = self.epoch.member(index)
        if member is None:  # 12.1.3
            raise InvalidProposal("the member to remove is not in the group", Rule.REMOVES_MEMBER)
        if index == self.committer:  # 12.2
            raise InvalidProposal("a committer cannot remove itself", Rule.NO_OWN_REMOVE)
        if index in self.removes or index in self.updates:  # 12.2
            raise InvalidProposal("a member is removed or updated twice", Rule.ONE_CHANGE)
        self.removes[index] = member

    def _update(self, proposal: Update, sender: int) -> None:
        if sender == self.committer:  # 12.2
            raise InvalidProposal("a committer updates itself by its path", Rule.NO_OWN_UPDATE)
        if sender in self.updates:  # 12.2
            raise InvalidProposal("a member is updated twice", Rule.ONE_CHANGE)
        leaf, suite = proposal.leaf, self.epoch.suite
        old = self.epoch.tree.leaf(sender)
        if leaf.source != SOURCE_UPDATE:  # 12.1.2, 7.3
            raise InvalidProposal("the leaf of the update has another source", Rule.UPDATE_SOURCE)
        if old is None or old.encryption_key == leaf.encryption_key:  # 12.1.2
            raise InvalidProposal("the update keeps the old encryption key", Rule.UPDATE_NEW_KEY)
        leaf_validation.check_leaf_alone(suite, leaf)
        leaf_validation.check_leaf_for_group(leaf, self._group_extensions())
        leaf.verify(suite, self.epoch.context.group_id, sender)
        check_credential(self.validate, leaf.credential, leaf.signature_key, old.credential)
        self.updates[sender] = leaf

    def _reinit(self, proposal: ReInit) -> None:
        if self.adds or self.removes or self.updates or self.psks or self.extensions is not None:
            raise InvalidProposal("a ReInit stands with other proposals", Rule.REINIT_ALONE)
        if proposal.version < MLS10:  # 12.1.5
            raise InvalidProposal("a re-initialisation lowers the version", Rule.REINIT_VERSION)
        self.reinit = proposal

    def apply(self) -> AppliedProposals:
        """A new tree with all proposals applied (12.3). Raises `InvalidLeaf`, `TooLarge`."""
        tree = self.epoch.tree.copy()
        for index, leaf in self.updates.items():
            tree.update_leaf(index, leaf)
        for index in self.removes:
            tree.remove_leaf(index)
        added: dict[int, KeyPackage] = {}
        free = 0
        for verified in self.adds:
            free = tree.add_leaf(verified.package.leaf, free)
            added[free] = verified.package
        self._check(tree)
        replaced = self.extensions is not None
        changes = bool(self.updates or self.removes) or replaced
        empty = not (changes or added or self.psks or self.reinit)
        return AppliedProposals(
            tree,
            self._group_extensions(),
            added,
            list(self.removes.values()),
            list(self.updates),
            self.psks,
            needs_path=changes or empty,
            reinit=self.reinit,
        )

    def _check(self, tree: RatchetTree) -> None:
        leaves = [leaf for _, leaf in tree.members()]
        if self.adds or self.updates:  # a removal can break neither
            leaf_validation.check_leaves_together(leaves)
            check_parent_keys_unique(tree)
        if self.extensions is not None:  # every member must support the new ones (12.1.7)
            for leaf in leaves:
                leaf_validation.check_leaf_for_group(leaf, self.extensions)
