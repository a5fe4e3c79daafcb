"""External Commits as members process them (RFC 9420, 8.3, 12.2, 12.4.3.2), on copies only."""

from collections.abc import Sequence
from dataclasses import dataclass

from blackthorn.crypto.hpke import HpkeError
from blackthorn.crypto.secret import Secret
from blackthorn.mls.epoch.epoch import Epoch, Member
from blackthorn.mls.epoch.proposal_list import AppliedProposals, check_psk
from blackthorn.mls.errors import InvalidCommit, InvalidProposal
from blackthorn.mls.framing.proposals import (
    Commit,
    ExternalInit,
    PreSharedKey,
    Proposal,
    ProposalOrRef,
    Remove,
)
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.psk import PskId
from blackthorn.mls.suites import CipherSuite
from blackthorn.mls.tree.leaf_node import LeafNode

LABEL = b"MLS 1.0 external init secret"


def _read_proposals(
    suite: CipherSuite, proposals: Sequence[ProposalOrRef]
) -> tuple[bytes, int | None, list[PskId]]:
    """12.2: one ExternalInit, at most one Remove, any PSKs, all by value, and no other."""
    by_value = [proposal for proposal in proposals if not isinstance(proposal, bytes)]
    if len(by_value) != len(proposals):
        raise InvalidProposal("an external Commit proposes by reference", Rule.EXTERNAL_BY_VALUE)
    inits = [proposal for proposal in by_value if isinstance(proposal, ExternalInit)]
    removes = [proposal for proposal in by_value if isinstance(proposal, Remove)]
    psks = [proposal.psk_id for proposal in by_value if isinstance(proposal, PreSharedKey)]
    if len(inits) != 1:
        raise InvalidProposal("an external Commit needs one external init", Rule.EXTERNAL_ONE_INIT)
    if len(removes) > 1:
        raise InvalidProposal("an external Commit removes two members", Rule.EXTERNAL_ONE_REMOVE)
    if len(inits) + len(removes) + len(psks) != len(by_value):
        raise InvalidProposal("an external Commit has another proposal", Rule.EXTERNAL_NO_OTHER)
    for place, psk_id in enumerate(psks):
        check_psk(suite, psk_id, psks[:place])
    return inits[0].kem_output, removes[0].removed if removes else None, psks


@dataclass(frozen=True)
class ExternalChange:
    """An external Commit's effect on the group, before its path."""

    applied: AppliedProposals
    index: int
    """The joiner's leaf index."""
    replaced: Member | None
    kem_output: bytes


def apply_external(epoch: Epoch, commit: Commit) -> tuple[ExternalChange, LeafNode]:
    """The change and the joiner's unverified leaf. Raises `InvalidProposal`, `InvalidCommit`."""
    if commit.path is None:
        raise InvalidCommit("an external Commit has no path", Rule.EXTERNAL_COMMIT_PATH)
    kem_output, removed, psks = _read_proposals(epoch.suite, commit.proposals)
    tree, leaf, replaced = epoch.tree.copy(), commit.path.leaf, None
    if removed is not None:
        replaced = epoch.member(removed)
        old = epoch.tree.leaf(removed)
        if replaced is None or old is None:  # 12.1.3
            raise InvalidProposal("the member to remove is not in the group", Rule.REMOVES_MEMBER)
        if old.encryption_key == leaf.encryption_key:  # 12.2, as for an Update
            raise InvalidCommit("the joiner keeps its old encryption key", Rule.EXTERNAL_NEW_KEY)
        tree.remove_leaf(removed)
    index = tree.add_leaf(leaf)
    tree.set_node(2 * index, None)  # blank until the path comes
    gone = [] if replaced is None else [replaced]
    applied = AppliedProposals(tree, epoch.context.extensions, {}, gone, [], psks, needs_path=True)
    return ExternalChange(applied, index, replaced, kem_output), leaf


def received_init_secret(epoch: Epoch, kem_output: bytes) -> Secret:
    """The init secret of a received ExternalInit (8.3). Raises `InvalidProposal`."""
    hpke, size = epoch.suite.hpke, epoch.suite.hash_size
    private, _ = hpke.derive_key_pair(epoch.secrets.external)
    try:
        return hpke.receive_export(private, kem_output, b"", LABEL, size)
    except HpkeError as error:
        raise InvalidProposal(f"external init: {error}", Rule.EXTERNAL_INIT_VALID) from error


def new_init_secret(suite: CipherSuite, external_pub: bytes) -> tuple[Proposal, Secret]:
    """An ExternalInit for an external public key, and its secret. Raises `InvalidProposal`."""
    try:
        kem_output, secret = suite.hpke.send_export(external_pub, b"", LABEL, suite.hash_size)
    except HpkeError as error:
        raise InvalidProposal(f"external init: {error}", Rule.EXTERNAL_INIT_VALID) from error
    return ExternalInit(kem_output), secret
