"""Wire types of proposals (RFC 9420, 12.1) and of the Commit (12.4)."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from blackthorn.mls import codepoints
from blackthorn.mls.errors import MalformedMessage, Unsupported
from blackthorn.mls.extension import Extensions, encode_extensions, read_extensions
from blackthorn.mls.framing.key_package import KeyPackage, read_key_package
from blackthorn.mls.rules import Rule
from blackthorn.mls.schedule.psk import PskId, read_psk_id
from blackthorn.mls.tree.leaf_node import LeafNode, read_leaf_node
from blackthorn.mls.tree.update_path import UpdatePath, read_update_path
from blackthorn.wire.tls import Reader, opaque, optional, u8, u16, u32, vector


@dataclass(frozen=True)
class Add:
    """12.1.1: add the owner of a key package."""

    package: KeyPackage
    type = codepoints.ADD

    def body(self) -> bytes:
        return self.package.encoded


@dataclass(frozen=True)
class Update:
    """12.1.2: replace the sender's leaf."""

    leaf: LeafNode
    type = codepoints.UPDATE

    def body(self) -> bytes:
        return self.leaf.encoded


@dataclass(frozen=True)
class Remove:
    """12.1.3: remove the member at a leaf index."""

    removed: int
    type = codepoints.REMOVE

    def body(self) -> bytes:
        return u32(self.removed)


@dataclass(frozen=True)
class PreSharedKey:
    """12.1.4: inject a pre-shared key."""

    psk_id: PskId
    type = codepoints.PSK

    def body(self) -> bytes:
        return self.psk_id.encode()


@dataclass(frozen=True)
class ReInit:
    """12.1.5: close this group and continue in another."""

    group_id: bytes
    version: int
    cipher_suite: int
    extensions: Extensions
    type = codepoints.REINIT

    def body(self) -> bytes:
        return (
            opaque(self.group_id)
            + u16(self.version)
            + u16(self.cipher_suite)
            + encode_extensions(self.extensions)
        )


@dataclass(frozen=True)
class ExternalInit:
    """12.1.6: an external joiner's init secret."""

    kem_output: bytes
    type = codepoints.EXTERNAL_INIT

    def body(self) -> bytes:
        return opaque(self.kem_output)


@dataclass(frozen=True)
class GroupContextExtensions:
    """12.1.7: replace the group's extensions."""

    extensions: Extensions
    type = codepoints.GROUP_CONTEXT_EXTENSIONS

    def body(self) -> bytes:
        return encode_extensions(self.extensions)


Proposal = Add | Update | Remove | PreSharedKey | ReInit | ExternalInit | GroupContextExtensions


def encode_proposal(proposal: Proposal) -> bytes:
    return u16(proposal.type) + proposal.body()


_BODIES: dict[int, Callable[[Reader], Proposal]] = {
    codepoints.ADD: lambda r: Add(read_key_package(r)),
    codepoints.UPDATE: lambda r: Update(read_leaf_node(r)),
    codepoints.REMOVE: lambda r: Remove(r.u32()),
    codepoints.PSK: lambda r: PreSharedKey(read_psk_id(r)),
    codepoints.REINIT: lambda r: ReInit(r.opaque(), r.u16(), r.u16(), read_extensions(r)),
    codepoints.EXTERNAL_INIT: lambda r: ExternalInit(r.opaque()),
    codepoints.GROUP_CONTEXT_EXTENSIONS: lambda r: GroupContextExtensions(read_extensions(r)),
}


def read_proposal(reader: Reader) -> Proposal:
    """A proposal. Raises `Unsupported` for an unknown type, whose length is unknown too."""
    proposal_type = reader.u16()
    read_body = _BODIES.get(proposal_type)
    if read_body is None:
        raise Unsupported(f"unknown proposal type {proposal_type:#06x}", Rule.PROPOSAL_TYPE)
    return read_body(reader)


ProposalOrRef = Proposal | bytes
"""A proposal by value, or the ProposalRef of one that was sent before."""

_BY_VALUE = 1
_BY_REFERENCE = 2


def _encode_proposal_or_ref(item: ProposalOrRef) -> bytes:
    if isinstance(item, bytes):
        return u8(_BY_REFERENCE) + opaque(item)
    return u8(_BY_VALUE) + encode_proposal(item)


def _read_proposal_or_ref(reader: Reader) -> ProposalOrRef:
    kind = reader.u8()
    if kind == _BY_VALUE:
        return read_proposal(reader)
    if kind == _BY_REFERENCE:
        return reader.opaque()
    raise MalformedMessage(f"unknown kind {kind} of proposal in a Commit", Rule.PROPOSAL_OR_REF)


@dataclass(frozen=True)
class Commit:
    """12.4: proposals to apply, and the committer's new path."""

    proposals: tuple[ProposalOrRef, ...]
    path: UpdatePath | None

    @cached_property
    def encoded(self) -> bytes:
        path = None if self.path is None else self.path.encoded
        return vector(map(_encode_proposal_or_ref, self.proposals)) + optional(path)


def read_commit(reader: Reader) -> Commit:
    proposals = tuple(reader.vector(_read_proposal_or_ref))
    return Commit(proposals, reader.optional(read_update_path))
