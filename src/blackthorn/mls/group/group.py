"""`Group`: one member's state in one MLS group.

Every method succeeds or raises `MLSError` and leaves `serialise()` byte-identical: the modules
beside this one compute, and only this one assigns, last.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from blackthorn.crypto.secret import Secret
from blackthorn.mls import limits
from blackthorn.mls.codepoints import APPLICATION_EXTENSION, SOURCE_UPDATE
from blackthorn.mls.credential import Credential, CredentialValidator
from blackthorn.mls.epoch.group_info import OutsideTree, read_group_info_message
from blackthorn.mls.epoch.next_epoch import first_epoch
from blackthorn.mls.epoch.policy import CLOSED, Policy
from blackthorn.mls.epoch.proposal_list import QueuedProposal
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import GroupState
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing import protection
from blackthorn.mls.framing.framing import AuthenticatedContent, encode_message
from blackthorn.mls.framing.key_package import KeyPackagePrivate, VerifiedKeyPackage, create_leaf
from blackthorn.mls.framing.padding import Padding, padded_size, size_class
from blackthorn.mls.framing.proposals import Add, PreSharedKey, Proposal, ReInit, Remove, Update
from blackthorn.mls.group import committing, external_joining, joining
from blackthorn.mls.group.committing import CommitRequest, sign_content
from blackthorn.mls.group.processing import ReceiveContext
from blackthorn.mls.group.receiving import Application as Application
from blackthorn.mls.group.receiving import Outcome, receive
from blackthorn.mls.group.receiving import ProposalReceived as ProposalReceived
from blackthorn.mls.group.state import State
from blackthorn.mls.group.stored_group import StoredGroup
from blackthorn.mls.group.succession import Successor
from blackthorn.mls.schedule.psk import KnownPsks, PskName, ResumptionName, name_psks
from blackthorn.mls.schedule.secret_tree import HANDSHAKE, KeyUse
from blackthorn.mls.suites import CipherSuite, suite

Random = Callable[[int], bytes]


@dataclass(frozen=True)
class Commit:
    """A Commit as MLSMessages: for the members, and a Welcome for those it adds."""

    commit: bytes
    welcome: bytes | None


class Group(StoredGroup):
    """One member's group. Without `policy` only private messages of members are allowed.

    `resumption_psks` are resumption PSKs of other groups, by group id and epoch.
    """

    @classmethod
    def create(
        cls,
        suite: CipherSuite,
        group_id: bytes,
        credential: Credential,
        signature_private: Secret,
        signature_public: bytes,
        *,
        random: Random,
        now: int,
        extensions: Sequence[Extension] = (),
        extension_types: Sequence[int] = (APPLICATION_EXTENSION,),
        credential_types: Sequence[int] = (),
    ) -> "Group":
        """A new group with one member (RFC 9420, 11). Raises `InvalidLeaf`.

        `extensions` are the GroupContext's; `extension_types`, which include theirs, and
        `credential_types` are those that this member also supports.
        """
        epoch = first_epoch(
            suite,
            group_id,
            credential,
            signature_private,
            signature_public,
            random=random,
            now=now,
            extensions=tuple(extensions),
            extension_types=extension_types,
            credential_types=credential_types,
        )
        return cls(State(signature_private, epoch))

    @classmethod
    def join(
        cls,
        welcome: bytes,
        private: KeyPackagePrivate,
        signature_private: Secret,
        *,
        validate: CredentialValidator,
        ratchet_tree: OutsideTree = None,
        external_psks: Mapping[bytes, Secret] | None = None,
        resumption_psks: Mapping[ResumptionName, Secret] | None = None,
        predecessor: "Group | None" = None,
        policy: Policy = CLOSED,
    ) -> "Group":
        """The group of a Welcome (an MLSMessage). Raises `MLSError`.

        `validate` sees every member. `ratchet_tree` is needed when the Welcome has none: the tree,
        or what finds it and may raise; and
        `predecessor` for a group that follows another (11.2, 11.3). The caller refuses a group
        whose id it already has (12.4.3.1).
        """
        epoch, inviter = joining.join(
            welcome,
            private,
            validate=validate,
            ratchet_tree=ratchet_tree,
            known_psks=KnownPsks(external_psks or {}, resumption_psks or {}),
            predecessor=None if predecessor is None else predecessor._state,
            same_client=policy.same_client,
        )
        _check_signature_key(epoch.suite, signature_private, epoch.own_leaf().signature_key)
        group = cls(State(signature_private, epoch))
        group.inviter = inviter
        return group

    @classmethod
    def join_externally(
        cls,
        group_info: bytes,
        credential: Credential,
        signature_private: Secret,
        signature_public: bytes,
        *,
        random: Random,
        now: int,
        validate: CredentialValidator,
        resync: bool = False,
        ratchet_tree: bytes | None = None,
        psk_ids: Sequence[PskName] = (),
        external_psks: Mapping[bytes, Secret] | None = None,
        resumption_psks: Mapping[ResumptionName, Secret] | None = None,
        extension_types: Sequence[int] = (APPLICATION_EXTENSION,),
        credential_types: Sequence[int] = (),
        authenticated_data: bytes = b"",
    ) -> tuple["Group", bytes]:
        """Join by a GroupInfo (12.4.3.2): the group, and the Commit to send. Raises `MLSError`.

        Drop the group if the members refuse the Commit, as they do when the GroupInfo is stale.
        `resync` removes this client's old leaf, by signature key or else by credential.
        """
        info = read_group_info_message(group_info)
        chosen = suite(info.context.cipher_suite)
        _check_signature_key(chosen, signature_private, signature_public)
        leaf, _ = create_leaf(
            chosen,
            credential,
            signature_public,
            random=random,
            now=now,
            extension_types=extension_types,
            credential_types=credential_types,
        )
        epoch, commit = external_joining.join_externally(
            info,
            external_joining.Joiner(leaf, signature_private, resync),
            random=random,
            validate=validate,
            ratchet_tree=ratchet_tree,
            psk_ids=name_psks(psk_ids, chosen.hash_size, random),
            known_psks=KnownPsks(external_psks or {}, resumption_psks or {}),
            authenticated_data=authenticated_data,
        )
        return cls(State(signature_private, epoch)), commit

    # --- Sending ---

    def encrypt(
        self,
        content: bytes,
        *,
        random: Random,
        authenticated_data: bytes = b"",
        padding: Padding = size_class,
    ) -> bytes:
        """An application message as an MLSMessage. Store the group before sending it.

        The caller first commits any `waiting_proposals` (12.4).
        """
        self._state.require_open()
        signed = self._sign(content, authenticated_data)
        message, use = self._seal(signed, random, padding)
        use.consume()
        return message

    def propose_add(self, package: VerifiedKeyPackage, *, random: Random) -> bytes:
        return self._propose(Add(package.package), random)

    def propose_remove(self, index: int, *, random: Random) -> bytes:
        if self._state.epoch.member(index) is None:
            raise GroupState("there is no member at that index")
        return self._propose(Remove(index), random)

    def propose_update(self, *, random: Random) -> bytes:
        self._state.require_open()
        private, public = self.suite.hpke.generate_key_pair(random)
        leaf = replace(
            self._state.epoch.own_leaf(),
            encryption_key=public,
            source=SOURCE_UPDATE,
            lifetime=None,
            parent_hash=b"",
        )
        leaf = leaf.sign(self.suite, self._state.signature_private, self.group_id, self.own_index)
        message = self._propose(Update(leaf), random)
        self._state.update_keys[public] = private
        return message

    def propose_psk(self, name: PskName, *, random: Random) -> bytes:
        (psk_id,) = name_psks([name], self.suite.hash_size, random)
        return self._propose(PreSharedKey(psk_id), random)

    def propose_reinit(self, reinit: ReInit, *, random: Random) -> bytes:
        return self._propose(reinit, random)

    def commit(
        self,
        *,
        add: Sequence[VerifiedKeyPackage] = (),
        remove: Sequence[int] = (),
        random: Random,
        now: int,
        validate: CredentialValidator,
        psk_ids: Sequence[PskName] = (),
        external_psks: Mapping[bytes, Secret] | None = None,
        resumption_psks: Mapping[ResumptionName, Secret] | None = None,
        extensions: Sequence[Extension] | None = None,
        reinit: ReInit | None = None,
        follows: Successor | None = None,
        authenticated_data: bytes = b"",
        tree_in_welcome: bool = True,
        tree_apart: Callable[[bytes], Extension] | None = None,
        path: bool = True,
        padding: Padding = size_class,
        policy: Policy = CLOSED,
    ) -> Commit:
        """A Commit of the request and of queued proposals that fit with it.

        Without `path` it has none unless its proposals need one (12.4). It becomes
        `pending`; `merge_pending` applies it. `extensions` replace the GroupContext's, `reinit`
        stands alone, `follows` is for the first Commit of a group from `successors`.
        """
        self._state.require_open()
        if self._state.pending is not None:
            raise GroupState("this member's last Commit is still pending")
        if follows is not None and self.epoch != 0:
            raise GroupState("only the first Commit of a group links it to an older one")
        request = CommitRequest(
            add,
            remove,
            name_psks(psk_ids, self.suite.hash_size, random),
            None if follows is None else follows.psk,
            None if extensions is None else tuple(extensions),
            reinit,
            authenticated_data,
            tree_in_welcome,
            tree_apart,
            path,
        )
        made = committing.make_commit(
            self._state,
            request,
            random=random,
            now=now,
            validate=validate,
            known_psks=KnownPsks(external_psks or {}, resumption_psks or {}),
            max_lifetime=policy.max_lifetime_seconds,
        )
        message, use = self._seal(made.commit, random, padding)
        use.consume()
        self._state.pending = made.staged
        return Commit(message, made.welcome)

    def _sign(self, body: bytes | Proposal, authenticated_data: bytes) -> AuthenticatedContent:
        state = self._state
        return sign_content(state.epoch, body, authenticated_data, state.signature_private)

    def _seal(
        self, signed: AuthenticatedContent, random: Random, padding: Padding
    ) -> tuple[bytes, KeyUse]:
        epoch = self._state.epoch
        message, use = protection.protect_private(
            epoch.suite, signed, epoch.secret_tree, epoch.sender_data, random, padded_size(padding)
        )
        return encode_message(message), use

    def _propose(self, proposal: Proposal, random: Random) -> bytes:
        self._state.require_open()
        if len(self._state.proposals) >= limits.MLS_MAX_PROPOSALS:
            raise GroupState("too many proposals wait for a Commit")
        signed = self._sign(proposal, b"")
        message, use = self._seal(signed, random, size_class)
        use.consume()
        reference = signed.proposal_reference(self.suite)
        queued = QueuedProposal(proposal, signed.content.sender, reference)
        self._state.proposals[reference] = queued
        return message

    def skip_handshakes(self, count: int) -> None:
        """Use up this member's next handshake keys: a copy of this state may have used them."""
        epoch = self._state.epoch
        for _ in range(count):
            _, use = epoch.secret_tree.prepare_next(epoch.own_index, HANDSHAKE)
            use.consume()

    # --- Receiving ---

    def process(
        self,
        message: bytes,
        *,
        validate: CredentialValidator,
        external_psks: Mapping[bytes, Secret] | None = None,
        resumption_psks: Mapping[ResumptionName, Secret] | None = None,
        policy: Policy = CLOSED,
    ) -> Outcome:
        """Process one MLSMessage of the group. Raises `MLSError` and consumes no key then.

        Application keys are consumed and proposals queued; a Commit waits for `merge`. Lifetimes
        of added leaves are their committer's to judge: a Commit may be read months later (7.3).
        """
        known_psks = KnownPsks(external_psks or {}, resumption_psks or {})
        received = receive(self._state, message, ReceiveContext(validate, known_psks, policy))
        if received.use is not None:
            received.use.consume()
        if received.queued is not None:
            self._state.proposals[received.queued.reference or b""] = received.queued
        return received.outcome

    # --- Moving on ---

    def merge(self, staged: StagedCommit) -> None:
        """Begin the epoch of a staged Commit. Raises `GroupState` when it is stale."""
        state = self._state
        state.require_member()
        if staged.base != state.epoch.interim_transcript_hash:
            raise GroupState("the staged Commit does not build on the present epoch")
        if staged.key is not None:
            state.epoch.secret_tree.forget_handshake(*staged.key)
        if staged.next is None:
            state.removed = True
            state.epoch = state.epoch.closed()
        else:
            state.past = [state.epoch.past(), *state.past][: limits.MLS_PAST_EPOCHS]
            state.epoch = staged.next
            state.reinit = staged.reinit
        state.proposals = {}
        state.update_keys = {}
        state.pending = None

    def merge_pending(self) -> None:
        if self._state.pending is None:
            raise GroupState("there is no pending Commit")
        self.merge(self._state.pending)

    def discard_pending(self) -> None:
        """Drop this member's own Commit after another was accepted."""
        self._state.pending = None

    def forget_leaf(self, leaf: int, epochs: Collection[int]) -> None:
        """Erase a leaf's keys for late messages of these past epochs, as far as they are here."""
        for past in self._state.past:
            if past.context.epoch in epochs:
                past.secret_tree.forget_leaf(leaf)


def _check_signature_key(chosen: CipherSuite, private: Secret, public: bytes) -> None:
    try:
        matches = chosen.signature.public_key(private) == public
    except ValueError as error:
        raise GroupState("the signature key is not one of the suite") from error
    if not matches:
        raise GroupState("the signature keys do not belong together")
