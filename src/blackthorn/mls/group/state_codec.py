"""The stored form of a group's state: versioned, canonical, equal states give equal bytes."""

from collections.abc import Callable, Mapping
from dataclasses import fields, replace

from blackthorn.crypto.secret import Secret
from blackthorn.mls.codec import decode
from blackthorn.mls.codepoints import MEMBER
from blackthorn.mls.epoch.epoch import Epoch, Member, PastEpoch, read_member
from blackthorn.mls.epoch.proposal_list import QueuedProposal
from blackthorn.mls.epoch.staged import StagedCommit
from blackthorn.mls.errors import MalformedMessage
from blackthorn.mls.framing.framing import Sender, read_sender
from blackthorn.mls.framing.group_context import read_group_context
from blackthorn.mls.framing.proposals import ReInit, encode_proposal, read_proposal
from blackthorn.mls.group.state import State
from blackthorn.mls.schedule.key_schedule import EpochSecrets
from blackthorn.mls.schedule.secret_tree import Ratchet, SecretTree
from blackthorn.mls.suites import CipherSuite, suite
from blackthorn.mls.tree.ratchet_tree import RatchetTree, read_ratchet_tree
from blackthorn.wire.tls import Reader, opaque, optional, u8, u16, u32, vector

VERSION = 2
"""Version 1, which this build reads too, knew no outsiders, no external joins and no ReInit."""


def encode_state(state: State) -> bytes:
    keys = state.update_keys
    return b"".join(
        (
            u16(VERSION),
            u8(state.removed),
            opaque(state.signature_private.expose()),
            _encode_epoch(state.epoch),
            vector(past.encoded + encode_secret_tree(past.secret_tree) for past in state.past),
            vector(map(encode_queued, state.proposals.values())),
            vector(opaque(key) + opaque(keys[key].expose()) for key in sorted(keys)),
            optional(None if state.pending is None else _encode_staged(state.pending)),
            encode_reinit(state.reinit),
        )
    )


def decode_state(data: bytes) -> State:
    """Raises `MalformedMessage`, `UnsupportedSuite`."""
    return decode(_read_state, data, "stored group")


def _read_state(reader: Reader) -> State:
    version = reader.u16()
    if not 1 <= version <= VERSION:
        raise MalformedMessage("the stored group is of another version")
    removed = bool(reader.u8())
    private = Secret(reader.opaque())
    epoch = _read_epoch(reader)
    past = reader.vector(_read_past)
    waiting = reader.vector(lambda r: read_queued(r, version))
    proposals = {queued.reference or b"": queued for queued in waiting}
    keys = dict(reader.vector(lambda r: (r.opaque(), Secret(r.opaque()))))
    pending = reader.optional(lambda r: _read_staged(r, epoch, version))
    reinit = read_reinit(reader) if version > 1 else None
    return State(private, epoch, past, proposals, keys, pending, removed, reinit)


def _read_suite(reader: Reader) -> CipherSuite:
    chosen, parameters = suite(reader.u16()), reader.opaque()
    if parameters != chosen.parameters.encode():
        raise MalformedMessage("the stored group means another suite by the same number")
    return chosen


def _encode_epoch(epoch: Epoch) -> bytes:
    return epoch.encoded + encode_secret_tree(epoch.secret_tree)


def _read_epoch(reader: Reader) -> Epoch:
    return read_epoch(reader, read_ratchet_tree, read_secret_tree)


def read_epoch(
    reader: Reader,
    read_tree: Callable[[Reader], RatchetTree],
    read_secret_tree: Callable[[Reader, CipherSuite], SecretTree],
) -> Epoch:
    """An epoch whose two trees are read in their places."""
    chosen = _read_suite(reader)
    context = read_group_context(reader)
    tree = read_tree(reader)
    secrets = [Secret(secret) for secret in reader.vector(Reader.opaque)]
    if len(secrets) != len(fields(EpochSecrets)):
        raise MalformedMessage("the stored epoch has the wrong number of secrets")
    return Epoch(
        suite=chosen,
        context=context,
        tree=tree,
        # Version 1 kept the encryption secret here too.
        secrets=replace(EpochSecrets(*secrets), encryption=Secret(b"")),
        interim_transcript_hash=reader.opaque(),
        confirmation_tag=reader.opaque(),
        own_index=reader.u32(),
        private_keys=dict(reader.vector(lambda r: (r.u32(), Secret(r.opaque())))),
        secret_tree=read_secret_tree(reader, chosen),
    )


def _read_past(reader: Reader) -> PastEpoch:
    def read_roster(reader: Reader) -> Mapping[int, Member]:
        return {member.index: member for member in reader.vector(read_member)}

    return read_past(reader, read_roster, read_secret_tree)


def read_past(
    reader: Reader,
    read_roster: Callable[[Reader], Mapping[int, Member]],
    read_secret_tree: Callable[[Reader, CipherSuite], SecretTree],
) -> PastEpoch:
    """A past epoch whose roster and secret tree are read in their places."""
    chosen = _read_suite(reader)
    context = read_group_context(reader)
    sender_data, resumption_psk = Secret(reader.opaque()), Secret(reader.opaque())
    own_index, roster = reader.u32(), read_roster(reader)
    tree = read_secret_tree(reader, chosen).applications_only(roster, own_index)
    return PastEpoch(chosen, context, sender_data, resumption_psk, own_index, roster, tree)


def encode_secret_tree(tree: SecretTree) -> bytes:
    tree.close()
    return b"".join(
        (
            u32(tree.leaf_count),
            vector(u32(node) + opaque(tree.secrets[node]) for node in sorted(tree.secrets)),
            vector(
                u32(leaf) + u8(kind) + _encode_ratchet(tree.ratchets[leaf, kind])
                for leaf, kind in sorted(tree.ratchets)
            ),
        )
    )


def _encode_ratchet(ratchet: Ratchet) -> bytes:
    skipped = (
        u32(generation) + opaque(key) + opaque(nonce)
        for generation, (key, nonce) in ratchet.skipped.items()
    )
    return u32(ratchet.generation) + opaque(ratchet.secret) + vector(skipped)


def read_secret_tree(reader: Reader, chosen: CipherSuite) -> SecretTree:
    leaf_count = reader.u32()
    secrets = dict(reader.vector(lambda r: (r.u32(), r.opaque())))
    ratchets = dict(reader.vector(lambda r: ((r.u32(), r.u8()), _read_ratchet(r))))
    return SecretTree(chosen, leaf_count, secrets, ratchets)


def _read_ratchet(reader: Reader) -> Ratchet:
    generation, secret = reader.u32(), reader.opaque()
    skipped = dict(reader.vector(lambda r: (r.u32(), (r.opaque(), r.opaque()))))
    return Ratchet(secret, generation, skipped)


def encode_queued(queued: QueuedProposal) -> bytes:
    return (
        opaque(queued.reference or b"") + queued.sender.encode() + encode_proposal(queued.proposal)
    )


def read_queued(reader: Reader, version: int = VERSION) -> QueuedProposal:
    reference = reader.opaque()
    sender = read_sender(reader) if version > 1 else Sender(MEMBER, reader.u32())
    return QueuedProposal(read_proposal(reader), sender, reference)


def encode_reinit(reinit: ReInit | None) -> bytes:
    return optional(None if reinit is None else encode_proposal(reinit))


def read_reinit(reader: Reader) -> ReInit | None:
    proposal = reader.optional(read_proposal)
    if proposal is not None and not isinstance(proposal, ReInit):
        raise MalformedMessage("the stored group is closed by another proposal than a ReInit")
    return proposal


def _encode_staged(staged: StagedCommit) -> bytes:
    if staged.next is None:
        raise ValueError("this member cannot have committed its own removal")
    return encode_changes(staged) + _encode_epoch(staged.next) + encode_reinit(staged.reinit)


def encode_changes(staged: StagedCommit) -> bytes:
    """Who committed, and whom a Commit adds, removes and updates."""
    lists = (staged.added, staged.removed, staged.updated)
    members = (vector(member.encode() for member in some) for some in lists)
    return staged.committer.encode() + b"".join(members)


def _read_staged(reader: Reader, present: Epoch, version: int) -> StagedCommit:
    return read_staged(reader, present, _read_epoch, version)


def read_staged(
    reader: Reader,
    present: Epoch,
    read_next: Callable[[Reader], Epoch],
    version: int = VERSION,
) -> StagedCommit:
    """A Commit of this member's own, whose new epoch is read in its place."""
    committer = read_member(reader)
    added, removed, updated = (reader.vector(read_member) for _ in range(3))
    new = read_next(reader)
    return StagedCommit(
        epoch=present.context.epoch + 1,
        committer=committer,
        added=added,
        removed=removed,
        updated=updated,
        renewed=new.member(committer.index) or committer,
        removes_me=False,
        joins=False,
        reinit=read_reinit(reader) if version > 1 else None,
        base=present.interim_transcript_hash,
        next=new,
    )
