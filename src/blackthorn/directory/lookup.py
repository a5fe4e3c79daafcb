"""The server's answers about the newest epoch and about users; `directory.verify` checks them."""

from dataclasses import dataclass

from blackthorn.directory.prefix_tree import PrefixTree


@dataclass(frozen=True, slots=True)
class EpochPart:
    """The newest epoch: its cosigned note, its head (the tree's last leaf), its proof."""

    checkpoint: bytes
    head: bytes
    proof: tuple[bytes, ...]

    @property
    def size(self) -> int:
        """Bytes on the wire."""
        return len(self.checkpoint) + len(self.head) + 32 * len(self.proof)


@dataclass(frozen=True, slots=True)
class Answer:
    """The map's entry of a user: `value` (37 bytes) and `opening` (16), or neither.

    `vrf_proof` (80 bytes) proves their place, `map_proof` the leaf there.
    """

    label: str
    vrf_proof: bytes
    version: int
    value: bytes
    opening: bytes
    map_proof: bytes

    @property
    def size(self) -> int:
        """Bytes on the wire, without the label of the question."""
        return len(self.vrf_proof) + 4 + len(self.value) + len(self.opening) + len(self.map_proof)


@dataclass(frozen=True, slots=True)
class Receipt:
    """When the ledger logged the statement `seq` of a user's chain, as the last of its epoch.

    `value` and `opening` open the commitment of the entry `mutation` at `index`; `head` ends its
    epoch. The proofs are for one tree size.
    """

    seq: int
    version: int
    value: bytes
    opening: bytes
    vrf_proof: bytes
    mutation: bytes
    index: int
    proof: tuple[bytes, ...]
    head: bytes
    head_index: int
    head_proof: tuple[bytes, ...]


def build_present(
    tree: PrefixTree,
    label: str,
    place: tuple[bytes, bytes],
    version: int,
    value: bytes,
    opening: bytes,
) -> Answer:
    """The answer for a user of the map; `place` is their index and its VRF proof."""
    index, vrf_proof = place
    return Answer(label, vrf_proof, version, value, opening, tree.prove(index).encode())


def build_absent(tree: PrefixTree, label: str, place: tuple[bytes, bytes]) -> Answer:
    """The answer for a user who is not in the map."""
    index, vrf_proof = place
    return Answer(label, vrf_proof, 0, b"", b"", tree.prove(index).encode())
