"""`Group`: one member's hold on one MLS group. State in, bytes in and out.

Every method either succeeds or raises `MLSError` and leaves `serialise()` byte-identical:
the engines beside this module change nothing, and what they return is put in place here,
last. Nothing else lives here.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from blackthorn import limits
from blackthorn.crypto.secret import Secret
from blackthorn.mls import committing, joining, key_schedule, processing, protection, state_codec
from blackthorn.mls.codepoints import APPLICATION_EXTENSION, COMMIT, SOURCE_UPDATE
from blackthorn.mls.committing import Request, sign_content
from blackthorn.mls.creation import first_epoch
from blackthorn.mls.credential import Credential, CredentialValidator
from blackthorn.mls.epoch import Member
from blackthorn.mls.errors import GroupState
from blackthorn.mls.extension import Extension
from blackthorn.mls.framing import AuthenticatedContent, encode_message
from blackthorn.mls.key_package import KeyPackagePrivate, VerifiedKeyPackage
from blackthorn.mls.padding import Padding, padded_size, size_class
from blackthorn.mls.proposal_list import Queued
from blackthorn.mls.proposals import Add, Proposal, Remove, Update
from blackthorn.mls.secret_tree import KeyUse
from blackthorn.mls.staged import StagedCommit
from blackthorn.mls.state import State
from blackthorn.mls.suites import CipherSuite

Random = Callable[[int], bytes]


@dataclass(frozen=True)
class Application:
    """An application message that was read."""

    sender: Member
    content: bytes = field(repr=False)
    authenticated_data: bytes = field(repr=False)
    epoch: int


@dataclass(frozen=True)
class ProposalReceived:
    """A proposal that now waits for a Commit."""

    sender: Member
    proposal: Proposal
    reference: bytes


@dataclass(frozen=True)
class Commit:
    """What to send for a Commit: itself to the members, the Welcome to those it adds."""

    commit: bytes
    welcome: bytes | None


class Group:
    """One member's hold on a group. `create`, `join` or `deserialise` make one."""

    def __init__(self, state: State) -> None:
        self._state = state
        self.inviter: Member | None = None
        """After `join`: who sent the Welcome. Not part of the state."""

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
    ) -> "Group":
        """A new group with one member (RFC 9420, 11).

        `extensions` are the GroupContext's; `extension_types` those that this member supports,
        which must include theirs. Raises `InvalidLeaf`.
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
        )
        return cls(State(signature_private, epoch))

    @classmethod
    def join(
        cls,
        welcome: bytes,
        private: KeyPackagePrivate,
        signature_private: Secret,
        *,
        now: int,
        validate: CredentialValidator,
        ratchet_tree: bytes | None = None,
        external_psks: Mapping[bytes, Secret] | None = None,
    ) -> "Group":
        """The group of a Welcome (an MLSMessage). Raises `MLSError`.

        `validate` sees every member. `ratchet_tree` is needed when it is not in the Welcome.
        The caller refuses a group whose id it already has (12.4.3.1).
        """
        del now  # lifetimes were judged when each leaf was added (7.3)
        epoch, inviter = joining.join(
            welcome,
            private,
            validate=validate,
            ratchet_tree=ratchet_tree,
            external_psks=external_psks or {},
        )
        try:
            public = epoch.suite.signature.public_key(signature_private)
        except ValueError as error:
            raise GroupState("the signature key is none of the suite's") from error
        if public != epoch.own_leaf().signature_key:
            raise GroupState("the signature key is not the key package's")
        group = cls(State(signature_private, epoch))
        group.inviter = inviter
        return group

    # --- Looking ---

    @property
    def group_id(self) -> bytes:
        """The group's name."""
        return self._state.epoch.context.group_id

    @property
    def epoch(self) -> int:
        """The number of the present epoch."""
        return self._state.epoch.context.epoch

    @property
    def suite(self) -> CipherSuite:
        """The group's cipher suite."""
        return self._state.epoch.suite

    @property
    def own_index(self) -> int:
        """This member's leaf index."""
        return self._state.epoch.own_index

    @property
    def members(self) -> list[Member]:
        """All members, by leaf index."""
        return [Member.of(index, leaf) for index, leaf in self._state.epoch.tree.members()]

    @property
    def group_context_extensions(self) -> list[Extension]:
        """The extensions that all members agree on."""
        return list(self._state.epoch.context.extensions)

    @property
    def epoch_authenticator(self) -> bytes:
        """Nh bytes, equal for two members exactly when their histories are (8.7)."""
        return self._state.epoch.secrets.epoch_authenticator.expose()

    @property
    def pending(self) -> StagedCommit | None:
        """This member's own Commit that was made and neither merged nor discarded."""
        return self._state.pending

    @property
    def waiting_proposals(self) -> int:
        """How many proposals wait for a Commit."""
        return len(self._state.proposals)

    @property
    def active(self) -> bool:
        """Whether this member is still in the group."""
        return not self._state.removed

    def ratchet_tree(self) -> bytes:
        """The public tree of the present epoch, for `join`."""
        return self._state.epoch.tree.encode()

    def export(self, label: str, context: bytes, length: int) -> bytes:
        """MLS-Exporter (8.5): `length` bytes that only this epoch's members can derive."""
        self._state.require_member()
        if not 0 <= length <= 255 * self.suite.hash_size:
            raise GroupState("an exported secret cannot have that length")
        secrets = self._state.epoch.secrets
        return key_schedule.export(self.suite, secrets, label.encode(), context, length)

    # --- Sending ---

    def encrypt(
        self,
        content: bytes,
        *,
        random: Random,
        authenticated_data: bytes = b"",
        padding: Padding = size_class,
    ) -> bytes:
        """An application message as an MLSMessage. Store the group before sending it."""
        self._state.require_member()
        signed = self._sign(content, authenticated_data)
        message, use = self._seal(signed, random, padding)
        use.consume()
        return message

    def propose_add(self, package: VerifiedKeyPackage, *, random: Random) -> bytes:
        """A proposal to add somebody, as an MLSMessage."""
        return self._propose(Add(package.package), random)

    def propose_remove(self, index: int, *, random: Random) -> bytes:
        """A proposal to remove the member at a leaf index, as an MLSMessage."""
        if self._state.epoch.member(index) is None:
            raise GroupState("there is no member at that index")
        return self._propose(Remove(index), random)

    def propose_update(self, *, random: Random) -> bytes:
        """A proposal to give this member's leaf a new key, as an MLSMessage."""
        self._state.require_member()
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

    def commit(
        self,
        *,
        add: Sequence[VerifiedKeyPackage] = (),
        remove: Sequence[int] = (),
        random: Random,
        now: int,
        validate: CredentialValidator,
        psk_ids: Sequence[bytes] = (),
        external_psks: Mapping[bytes, Secret] | None = None,
        extensions: Sequence[Extension] | None = None,
        authenticated_data: bytes = b"",
        tree_in_welcome: bool = True,
        padding: Padding = size_class,
    ) -> Commit:
        """A Commit of what is asked and of the proposals that wait; always with a path.

        It becomes `pending` and is applied by `merge_pending`. Proposals that wait and cannot
        stand are left out. `extensions` replace the GroupContext's.
        """
        self._state.require_member()
        if self._state.pending is not None:
            raise GroupState("this member's last Commit is still pending")
        request = Request(
            add,
            remove,
            psk_ids,
            None if extensions is None else tuple(extensions),
            authenticated_data,
            tree_in_welcome,
        )
        made = committing.make_commit(
            self._state,
            request,
            random=random,
            now=now,
            validate=validate,
            external_psks=external_psks or {},
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
            epoch.suite,
            signed,
            epoch.secret_tree,
            epoch.sender_data,
            random,
            padded_size(padding),
        )
        return encode_message(message), use

    def _propose(self, proposal: Proposal, random: Random) -> bytes:
        self._state.require_member()
        if len(self._state.proposals) >= limits.MLS_MAX_PROPOSALS:
            raise GroupState("too many proposals wait for a Commit")
        signed = self._sign(proposal, b"")
        message, use = self._seal(signed, random, size_class)
        use.consume()
        reference = signed.proposal_reference(self.suite)
        queued = Queued(proposal, signed.content.sender, reference)
        self._state.proposals[reference] = queued
        return message

    # --- Receiving ---

    def process(
        self,
        message: bytes,
        *,
        now: int,
        validate: CredentialValidator,
        external_psks: Mapping[bytes, Secret] | None = None,
    ) -> Application | ProposalReceived | StagedCommit:
        """Read one MLSMessage of the group.

        An application message uses up its key and a proposal waits from here on; a Commit
        changes nothing until it is merged. Raises `MLSError`; what fails uses up nothing.
        """
        state = self._state
        private = processing.read_private_message(message)
        verified, use = processing.open_private_message(state, private)
        content = verified.authenticated.content
        if private.content_type == COMMIT:
            state.require_member()
            return processing.stage_commit(
                state, verified, now=now, validate=validate, external_psks=external_psks or {}
            )
        if isinstance(content.body, bytes):
            use.consume()
            return Application(
                verified.sender, content.body, content.authenticated_data, content.epoch
            )
        state.require_member()
        queued = processing.queue_proposal(state, verified)
        use.consume()
        reference = queued.reference or b""
        state.proposals[reference] = queued
        return ProposalReceived(verified.sender, queued.proposal, reference)

    # --- Moving on ---

    def merge(self, staged: StagedCommit) -> None:
        """Begin the epoch of a staged Commit. Raises `GroupState` when it is stale."""
        state = self._state
        state.require_member()
        if staged.base != state.epoch.interim_transcript_hash:
            raise GroupState("the staged Commit does not build on the present epoch")
        if staged.next is None:
            state.removed = True
        else:
            state.past = [state.epoch.past(), *state.past][: limits.MLS_PAST_EPOCHS]
            state.epoch = staged.next
        state.proposals = {}
        state.update_keys = {}
        state.pending = None

    def merge_pending(self) -> None:
        """Begin the epoch of this member's own Commit."""
        if self._state.pending is None:
            raise GroupState("there is no pending Commit")
        self.merge(self._state.pending)

    def discard_pending(self) -> None:
        """Drop this member's own Commit: another was accepted."""
        self._state.pending = None

    # --- Storing ---

    def serialise(self) -> bytes:
        """The whole state, secrets too, for encrypted storage."""
        return state_codec.encode_state(self._state)

    @classmethod
    def deserialise(cls, data: bytes) -> "Group":
        """The inverse of `serialise`. Raises `MalformedMessage`."""
        return cls(state_codec.decode_state(data))
