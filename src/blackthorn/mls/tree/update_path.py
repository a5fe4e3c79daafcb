"""Wire type of a Commit's path (RFC 9420, 7.6)."""

from dataclasses import dataclass
from functools import cached_property

from blackthorn.mls.tree.leaf_node import LeafNode, read_leaf_node
from blackthorn.wire.tls import Reader, opaque, vector

Sealed = tuple[bytes, bytes]
"""An HPKECiphertext: KEM output and ciphertext."""


def read_sealed(reader: Reader) -> Sealed:
    return reader.opaque(), reader.opaque()


def encode_sealed(sealed: Sealed) -> bytes:
    return opaque(sealed[0]) + opaque(sealed[1])


@dataclass(frozen=True)
class UpdatePathNode:
    """A public key, and the path secret sealed to each node of a resolution."""

    encryption_key: bytes
    sealed: tuple[Sealed, ...]

    def encode(self) -> bytes:
        return opaque(self.encryption_key) + vector(map(encode_sealed, self.sealed))


@dataclass(frozen=True)
class UpdatePath:
    """A new leaf for the committer, and the nodes of its filtered direct path."""

    leaf: LeafNode
    nodes: tuple[UpdatePathNode, ...]

    @cached_property
    def encoded(self) -> bytes:
        return self.leaf.encoded + vector(node.encode() for node in self.nodes)


def read_update_path(reader: Reader) -> UpdatePath:
    leaf = read_leaf_node(reader)
    nodes = reader.vector(lambda r: UpdatePathNode(r.opaque(), tuple(r.vector(read_sealed))))
    return UpdatePath(leaf, tuple(nodes))
